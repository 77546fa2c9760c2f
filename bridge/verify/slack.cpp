#include "bridge/verify/slack.h"

#include "bridge/core/json.h"

namespace orbridge {

SignatureForm Slack::form() {
    return {.header = "X-Slack-Signature",
            .prefix = "v0=",
            .timestamp_header = "X-Slack-Request-Timestamp",
            .content = "v0:{timestamp}:{body}"};
}

Slack::Slack(std::vector<Secret> secrets, milliseconds tolerance) : HmacSha256(form(), std::move(secrets), tolerance) {}

std::optional<std::string> Slack::greeting(const InboundRequest& believed) const {
    constexpr std::string_view kGreeting = "url_verification";
    if (believed.body.find(kGreeting) == std::string::npos) return std::nullopt;  // nearly always: parse nothing
    const auto document = JsonDocument::parse(believed.body);
    if (!document || (*document)->root()["type"].string() != kGreeting) return std::nullopt;
    return (*document)->root()["challenge"].string();
}

}  // namespace orbridge
