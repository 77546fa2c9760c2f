#include "bridge/verify/shared_token.h"

#include <optional>

#include "bridge/core/text.h"
#include "bridge/verify/headers.h"

namespace orbridge {
namespace {

std::optional<std::string_view> bearer(std::string_view value) {
    constexpr std::string_view kScheme = "Bearer ";
    if (!equal_ignoring_case(value.substr(0, kScheme.size()), kScheme)) return std::nullopt;
    return trim(value.substr(kScheme.size()));
}

}  // namespace

Result<Proof> SharedToken::verify(const InboundRequest& request, TimePoint) const {
    const auto only = only_header(request.headers, header_);
    if (!only) return only.error();
    const auto& value = **only;
    const auto given = equal_ignoring_case(header_, "Authorization") ? bearer(value) : std::optional(trim(value));
    if (!given) return Error{Error::Kind::Unauthorized, header_ + " is not a bearer token"};
    bool good = false;
    for (const auto& token : tokens_) good |= equal_constant_time(*given, token.reveal()) && !token.empty();
    if (!good) return Error{Error::Kind::Unauthorized, header_ + " holds an unknown token"};
    return Proof{};
}

}  // namespace orbridge
