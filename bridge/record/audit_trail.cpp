#include "bridge/record/audit_trail.h"

#include <variant>

#include "bridge/core/json.h"

namespace orbridge {
namespace {

constexpr std::size_t kTextBytesMax = 512;  // of each text: a row is about 2 KiB at most

/// Not through the middle of a character.
std::string cut(std::string_view utf8) {
    auto length = std::min(utf8.size(), kTextBytesMax);
    while (length > 0 && length < utf8.size() && (static_cast<unsigned char>(utf8[length]) & 0xc0U) == 0x80U) --length;
    return std::string(utf8.substr(0, length));
}

std::string to_json(std::initializer_list<LogField> fields) {
    JsonWriter json;
    json.object();
    for (const auto& field : fields) {
        json.key(field.name);
        std::visit(Overloaded{[&](const std::string& text) { json.value(cut(text)); },
                              [&](const auto& plain) { json.value(plain); }},
                   field.value);
    }
    json.end();
    return json.text();
}

}  // namespace

void AuditTrail::note(std::string_view who, std::string_view what, std::string_view subject,
                      std::initializer_list<LogField> detail) {
    const AuditRow row{0, clock_.now(), std::string(who), std::string(what), cut(subject), to_json(detail)};
    const auto stored = store_.add_audit(row);
    if (stored) return;
    log_.error("audit.not_stored", {{"who", row.who},
                                    {"what", row.what},
                                    {"subject", row.subject},
                                    {"detail", row.detail},
                                    {"reason", stored.error().message}});
}

}  // namespace orbridge
