#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/secret.h"

namespace orbridge {

/// Standard Webhooks: `v1,<base64>` for each secret, parted by spaces, so that either of two is good while one is
/// being replaced. A secret `whsec_…` is the Base64 of the key, any other is the key itself.
std::string standard_signature(const std::vector<Secret>& secrets, std::string_view id, std::string_view timestamp,
                               std::string_view body);

}  // namespace orbridge
