#include "adapters/windmill/arguments.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

#include "bridge/core/json.h"
#include "bridge/core/text.h"

namespace orbridge::windmill {
namespace {

constexpr std::array<std::string_view, 4> kReferences = {"$var:", "$jsonvar:", "$res:", "$encrypted:"};
constexpr std::string_view kInterpolate = "$interpolate";
constexpr std::string_view kEntrypoint = "_ENTRYPOINT_OVERRIDE";
constexpr JsonLimits kLimits{.depth_max = 512, .values_max = 10'000'000};

bool begins_with_reference(std::string_view text) {
    return std::any_of(kReferences.begin(), kReferences.end(), [&](auto word) { return text.starts_with(word); });
}

bool holds_reference(std::string_view text) {
    return std::any_of(kReferences.begin(), kReferences.end(),
                       [&](auto word) { return text.find(word) != std::string_view::npos; });
}

/// `$WM_TOKEN` and the like: nothing but a variable's name.
bool is_variable(std::string_view text) {
    if (!text.starts_with('$')) return false;
    const auto name =
        text.substr(text.find_first_not_of('$') == std::string_view::npos ? text.size() : text.find_first_not_of('$'));
    const auto is_letter = [](unsigned char c) { return std::isalpha(c) != 0 || c == '_'; };
    return !name.empty() && is_letter(static_cast<unsigned char>(name[0])) &&
           std::all_of(name.begin(), name.end(),
                       [&](unsigned char c) { return is_letter(c) || std::isdigit(c) != 0 || c == '$'; });
}

/// Half of a surrogate pair in an escaped text; Json::string() reads it as U+FFFD.
bool has_lone_surrogate(std::string_view raw) {
    const auto unit = [&](std::size_t at) {
        return at + 6 <= raw.size() && raw[at] == '\\' && raw[at + 1] == 'u'
                   ? std::stoi(std::string(raw.substr(at + 2, 4)), nullptr, 16)
                   : -1;
    };
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] != '\\') continue;
        const int first = unit(i);
        const bool high = first >= 0xd800 && first < 0xdc00;
        const int second = high ? unit(i + 6) : -1;
        if (high && (second < 0xdc00 || second > 0xdfff)) return true;
        if (first >= 0xdc00 && first <= 0xdfff) return true;
        i += high ? 11 : first >= 0 ? 5 : 1;
    }
    return false;
}

/// Could anything in it need a change? Most events say no here and are not even parsed.
bool is_plain(std::string_view json) {
    if (json.find('$') != std::string_view::npos) return false;
    for (auto at = json.find("\\u"); at != std::string_view::npos; at = json.find("\\u", at + 2)) {
        const auto digits = json.substr(at + 2, 4);
        if (digits.starts_with("00") && (digits.ends_with("00") || digits.ends_with("24"))) return false;
        if (digits.starts_with('d') || digits.starts_with('D')) return false;
    }
    return true;
}

struct Edit {
    std::string_view old;  ///< a part of the document
    std::string text;
};

/// Walks a document twice: is Windmill's replacing set off at all, and what is to be changed.
class Disarming {
public:
    Disarming(Json root, Interpolation policy) : root_(root), policy_(policy) { triggered_ = set_off(root_); }

    void run(bool keys_become_arguments) {
        visit(root_, keys_become_arguments);
        std::sort(edits_.begin(), edits_.end(),
                  [](const Edit& a, const Edit& b) { return a.old.data() < b.old.data(); });
    }

    int references() const { return references_; }
    int mended() const { return mended_; }

    std::string text() const {
        const auto whole = root_.raw();
        std::string out;
        out.reserve(whole.size() + edits_.size() * 8);
        const char* at = whole.data();
        for (const auto& edit : edits_) {
            out.append(at, edit.old.data());
            out += edit.text;
            at = edit.old.data() + edit.old.size();
        }
        return out.append(at, whole.data() + whole.size());
    }

private:
    static bool set_off(const Json& value) {
        if (value.is_string()) return holds_reference(*value.string());
        for (const auto& member : value.members())
            if (holds_reference(member.key) || member.key == kInterpolate || set_off(member.value)) return true;
        return false;
    }

    void visit(const Json& value, bool is_arguments) {
        if (value.is_string()) {
            const auto text = *value.string();
            change(value.raw(), text, begins_with_reference(text) || (triggered_ && is_variable(text)));
            return;
        }
        for (const auto& member : value.members()) {
            if (!member.raw_key.empty()) {
                change(member.raw_key, member.key,
                       member.key == kInterpolate || (is_arguments && member.key == kEntrypoint));
            }
            visit(member.value, false);
        }
    }

    void change(std::string_view raw, std::string text, bool is_reference) {
        const bool broken = text.find('\0') != std::string::npos || has_lone_surrogate(raw);
        const bool spaced = is_reference && policy_ == Interpolation::Neutralise;
        references_ += is_reference ? 1 : 0;
        mended_ += broken ? 1 : 0;
        if (!broken && !spaced) return;
        if (broken) {
            for (auto at = text.find('\0'); at != std::string::npos; at = text.find('\0', at))
                text.replace(at, 1, "\xef\xbf\xbd");
        }
        edits_.push_back({raw, json_string(spaced ? ' ' + text : text)});
    }

    Json root_;
    Interpolation policy_;
    bool triggered_ = false;
    std::vector<Edit> edits_;
    int references_ = 0;
    int mended_ = 0;
};

/// The payload, and beside it what the change was as far as we know it, unless the source told it itself.
std::string data_of(const Delivery& delivery) {
    const auto payload = trim(delivery.event.payload);
    if (payload.empty()) return "null";
    if (!delivery.difference) return std::string(payload);
    const auto document = JsonDocument::parse(payload, kLimits);
    if (!document || !(*document)->root().is_object()) return std::string(payload);
    const auto root = (*document)->root();
    const auto told = root["oldObject"];
    const bool adds = (!told.present() || told.is_null()) && !delivery.difference->before.empty();
    JsonWriter json;
    json.object();
    for (const auto& member : root.members())
        if (!adds || member.key != "oldObject") json.raw_key(member.raw_key).raw(member.value.raw());
    if (adds) json.member_raw("oldObject", delivery.difference->before);
    if (!root["changed"].present()) json.member_raw("changed", delivery.difference->changed);
    json.end();
    return std::move(json).text();
}

std::string record(const Delivery& delivery) {
    const auto& event = delivery.event;
    JsonWriter json;
    json.object().member("event", event.event_class).member("id", event.id.value).member("channel", event.channel);
    json.member("eventName", event.event_name);
    json.member("timestamp", std::int64_t{event.occurred_at.time_since_epoch().count()});
    json.member("source", event.source.value);
    if (event.backfilled) json.member("backfilled", true);
    if (!delivery.mark.empty()) json.member("loop", delivery.mark);
    json.member_raw("data", data_of(delivery)).end();
    return std::move(json).text();
}

}  // namespace

Result<Arguments> disarm(std::string_view json, Interpolation policy, bool keys_become_arguments) {
    const bool may_override = keys_become_arguments && json.find("NTRYPOINT") != std::string_view::npos;
    const bool escaped_keys = keys_become_arguments && json.find("\\u") != std::string_view::npos;
    if (is_plain(json) && !may_override && !escaped_keys) return Arguments{std::string(json)};
    const auto document = JsonDocument::parse(json, kLimits);
    if (!document) return document.error();
    Disarming disarming((*document)->root(), policy);
    disarming.run(keys_become_arguments);
    if (policy == Interpolation::Refuse && disarming.references() > 0) {
        return Error{Error::Kind::Invalid, std::to_string(disarming.references()) +
                                               " texts in the event would be replaced by Windmill ($var:, $res: …), "
                                               "and the route refuses them"};
    }
    return Arguments{disarming.text(), disarming.references(), disarming.mended()};
}

Result<Arguments> arguments_for(const Delivery& delivery, Wrap wrap, Interpolation policy) {
    if (wrap == Wrap::Payload) {
        // White space before the brace would make Windmill wrap it (windmill.md §2).
        const auto payload = trim(delivery.event.payload);
        return disarm(payload.empty() ? "{}" : payload, policy, true);
    }
    auto arguments = disarm(record(delivery), policy, false);
    if (arguments && wrap == Wrap::Body) arguments->json = "{\"body\":" + arguments->json + "}";
    return arguments;
}

}  // namespace orbridge::windmill
