#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/secret.h"
#include "bridge/verify/verifier.h"

namespace orbridge {

/// Standard Webhooks (standard-webhooks.md, "Signature scheme"): `webhook-signature` holds signatures of
/// `<webhook-id>.<webhook-timestamp>.<body>`, parted by spaces: `v1,` and Base64 of HMAC-SHA256, or `v1a,` and Base64
/// of an ed25519 signature. One good one is enough; versions that are not known are passed over. The id names the
/// request.
class StandardWebhooks final : public Verifier {
public:
    /// Secrets as webhook_key() takes them; public keys `whpk_` and Base64. Invalid: nothing to know anybody by, or a
    /// public key that is none.
    static Result<std::shared_ptr<const Verifier>> make(const std::vector<Secret>& secrets,
                                                        const std::vector<std::string>& public_keys,
                                                        milliseconds tolerance);

    Result<Proof> verify(const InboundRequest& request, TimePoint now) const override;

private:
    StandardWebhooks() = default;
    std::vector<std::string> keys_;         ///< raw
    std::vector<std::string> public_keys_;  ///< raw, 32 bytes
    milliseconds tolerance_{};
};

/// The bytes that sign: `whsec_…` is their Base64, anything else is the key itself.
std::string webhook_key(const Secret& secret);
/// What Standard Webhooks signs.
std::string webhook_content(std::string_view id, std::string_view timestamp, std::string_view body);

/// `v1,<base64>` apart: the version, and what follows it. No comma: an empty version.
struct VersionedSignature {
    std::string_view version, signature;
};
/// At most so many of a header are looked at: each costs a computation, and the sender is not yet known.
inline constexpr std::size_t kSignaturesMax = 16;
std::vector<VersionedSignature> read_signatures(std::string_view header);

}  // namespace orbridge
