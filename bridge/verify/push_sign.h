#pragma once

#include <string>

#include "bridge/core/http.h"
#include "bridge/verify/push_proof.h"

namespace orbridge {

/// The headers by which a sender with the first of these secrets would prove itself: for `orbridge send` and tests.
/// `id` names the request where the scheme has a name for it. None where there is nothing to sign with (`none`, or a
/// public key alone).
Headers push_headers(const PushProof& proof, const std::string& body, TimePoint now, const std::string& id);

}  // namespace orbridge
