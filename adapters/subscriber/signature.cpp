#include "adapters/subscriber/signature.h"

#include "bridge/core/text.h"
#include "bridge/verify/standard_webhooks.h"

namespace orbridge {
std::string standard_signature(const std::vector<Secret>& secrets, std::string_view id, std::string_view timestamp,
                               std::string_view body) {
    const auto content = webhook_content(id, timestamp, body);
    std::string signatures;
    for (const auto& secret : secrets) {
        if (!signatures.empty()) signatures += ' ';
        signatures += "v1," + to_base64(hmac_sha256(webhook_key(secret), content));
    }
    return signatures;
}

}  // namespace orbridge
