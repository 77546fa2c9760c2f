#include "bridge/verify/meta.h"

#include "bridge/core/text.h"

namespace orbridge {

SignatureForm Meta::form() { return {.header = "X-Hub-Signature-256", .prefix = "sha256="}; }

Meta::Meta(std::vector<Secret> secrets, Secret verify_token)
    : HmacSha256(form(), std::move(secrets), milliseconds{0}), verify_token_(std::move(verify_token)) {}

std::optional<Result<std::string>> Meta::challenge(const InboundRequest& request) const {
    const auto refused = [](const char* why) { return Result<std::string>(Error{Error::Kind::Unauthorized, why}); };
    if (query_value(request.query, "hub.mode") != "subscribe") return refused("hub.mode is not subscribe");
    const auto token = query_value(request.query, "hub.verify_token");
    if (verify_token_.empty()) return refused("this source has no verify_token");
    if (!equal_constant_time(token, verify_token_.reveal())) return refused("hub.verify_token is unknown");
    auto challenge = query_value(request.query, "hub.challenge");
    if (challenge.empty()) return refused("hub.challenge is missing");
    return challenge;
}

}  // namespace orbridge
