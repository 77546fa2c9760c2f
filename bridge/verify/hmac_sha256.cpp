#include "bridge/verify/hmac_sha256.h"

#include "bridge/core/text.h"

namespace orbridge {

Status HmacSha256::verify(const InboundRequest& request, TimePoint) const {
    // OpenRegister sends a second line when a custom header has the same name: which one is meant is anyone's guess.
    const auto lines = count_header(request.headers, header_);
    if (lines == 0) return Error{Error::Kind::Unauthorized, "no " + header_ + " header"};
    if (lines > 1) return Error{Error::Kind::Unauthorized, "more than one " + header_ + " header"};
    const auto& given = *find_header(request.headers, header_);
    bool good = false;
    for (const auto& secret : secrets_) {
        const auto expected = to_hex(hmac_sha256(secret.reveal(), request.body));
        good |= equal_constant_time(given, expected) && !secret.empty();
    }
    if (!good) return Error{Error::Kind::Unauthorized, header_ + " does not fit the body"};
    return Ok{};
}

}  // namespace orbridge
