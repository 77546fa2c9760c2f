#include "bridge/verify/shared_token.h"

#include <optional>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

std::optional<std::string_view> bearer(std::string_view value) {
    constexpr std::string_view kScheme = "Bearer ";
    if (!equal_ignoring_case(value.substr(0, kScheme.size()), kScheme)) return std::nullopt;
    return trim(value.substr(kScheme.size()));
}

}  // namespace

Status SharedToken::verify(const InboundRequest& request, TimePoint) const {
    const auto lines = count_header(request.headers, header_);
    if (lines == 0) return Error{Error::Kind::Unauthorized, "no " + header_ + " header"};
    if (lines > 1) return Error{Error::Kind::Unauthorized, "more than one " + header_ + " header"};
    const auto& value = *find_header(request.headers, header_);
    const auto given = equal_ignoring_case(header_, "Authorization") ? bearer(value) : std::optional(trim(value));
    if (!given) return Error{Error::Kind::Unauthorized, header_ + " is not a bearer token"};
    bool good = false;
    for (const auto& token : tokens_) good |= equal_constant_time(*given, token.reveal()) && !token.empty();
    if (!good) return Error{Error::Kind::Unauthorized, header_ + " holds an unknown token"};
    return Ok{};
}

}  // namespace orbridge
