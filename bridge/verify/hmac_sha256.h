#pragma once

#include <string>
#include <vector>

#include "bridge/core/secret.h"
#include "bridge/verify/verifier.h"

namespace orbridge {

/// The named header holds lower-case hex of HMAC-SHA256(secret, body bytes as received): OpenRegister's own
/// webhooks. Every secret in the list is good, so that one can be replaced without losing an event. An
/// empty secret is never good: anybody could sign with it.
class HmacSha256 final : public Verifier {
public:
    HmacSha256(std::string header, std::vector<Secret> secrets)
        : header_(std::move(header)), secrets_(std::move(secrets)) {}

    Status verify(const InboundRequest& request, TimePoint now) const override;

private:
    std::string header_;
    std::vector<Secret> secrets_;
};

}  // namespace orbridge
