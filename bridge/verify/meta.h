#pragma once

#include <vector>

#include "bridge/verify/hmac_sha256.h"

namespace orbridge {

/// Meta's `X-Hub-Signature-256` over the body, with the app secret as key, and the question Meta asks before it sends
/// anything: `GET ?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…` (integrations.md §3). Its older header
/// `X-Hub-Signature` is SHA-1, and means nothing here.
class Meta final : public HmacSha256 {
public:
    static SignatureForm form();
    /// Without a verify token every question is refused.
    Meta(std::vector<Secret> secrets, Secret verify_token);
    std::optional<Result<std::string>> challenge(const InboundRequest& request) const override;

private:
    Secret verify_token_;
};

}  // namespace orbridge
