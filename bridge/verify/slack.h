#pragma once

#include <vector>

#include "bridge/verify/hmac_sha256.h"

namespace orbridge {

/// Slack's request signature, `v0=` and hex over `v0:<X-Slack-Request-Timestamp>:<body>`. Slack first sends a signed
/// `url_verification`, which wants its challenge back (integrations.md §3).
class Slack final : public HmacSha256 {
public:
    static SignatureForm form();
    Slack(std::vector<Secret> secrets, milliseconds tolerance);
    std::optional<std::string> greeting(const InboundRequest& believed) const override;
};

}  // namespace orbridge
