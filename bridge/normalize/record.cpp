#include "bridge/normalize/record.h"

#include "bridge/core/json.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace {

constexpr std::size_t kNameBytesMax = 4096;

Error invalid(const std::string& what) { return {Error::Kind::Invalid, what}; }

Result<std::string> name_at(const Json& body, const char* member, bool may_be_empty) {
    const auto text = body[member].string();
    if (!text || (text->empty() && !may_be_empty)) return invalid(std::string(member) + " must be a string");
    if (text->size() > kNameBytesMax) return invalid(std::string(member) + " is longer than 4096 bytes");
    return *text;
}

}  // namespace

Result<NormalizeOutcome> normalize_record(const VerifiedRequest& request) {
    const auto document = JsonDocument::parse(request.body());
    if (!document) return document.error();
    const auto body = (*document)->root();
    if (!body.is_object()) return invalid("the body is not a JSON object");
    const auto channel = name_at(body, "channel", false);
    if (!channel) return channel.error();
    const auto event_name = name_at(body, "eventName", true);
    if (!event_name) return event_name.error();
    Normalized made;
    made.rule = "record";
    made.event_class = "record";
    made.channel = *channel;
    made.event_name = on_one_line(*event_name);
    if (const auto timestamp = body["timestamp"]; timestamp && !timestamp.is_null()) {
        const auto milliseconds_since_1970 = timestamp.integer();
        if (!milliseconds_since_1970) return invalid("timestamp must be a whole number of milliseconds");
        made.occurred_at = TimePoint{milliseconds{*milliseconds_since_1970}};
    }
    made.payload = body["payload"] ? std::string(body["payload"].raw()) : "{}";
    if (const auto* id = find_header(request.headers(), "webhook-id")) made.dedup_key = *id;
    return NormalizeOutcome(std::vector<Normalized>{std::move(made)});
}

}  // namespace orbridge
