#include "bridge/verify/app_api.h"

#include "bridge/core/text.h"

namespace orbridge {
namespace {

constexpr auto kId = "EX-APP-ID";
constexpr auto kAuthorization = "AUTHORIZATION-APP-API";

Error unauthorized(const std::string& message) { return {Error::Kind::Unauthorized, message}; }

}  // namespace

Result<Proof> AppApi::verify(const InboundRequest& request, TimePoint now) const {
    for (const auto* name : {kId, kAuthorization}) {
        const auto lines = count_header(request.headers, name);
        if (lines != 1) return unauthorized((lines == 0 ? "no " : "more than one ") + std::string(name) + " header");
    }
    const auto decoded = from_base64(*find_header(request.headers, kAuthorization));
    const auto colon = decoded ? decoded->find(':') : std::string::npos;
    if (colon == std::string::npos) return unauthorized(std::string(kAuthorization) + " is not base64 of user:secret");
    // Account names may have no colon in them, AppAPI's secrets have none either.
    const bool good = equal_constant_time(std::string_view(*decoded).substr(colon + 1), secret_.reveal());
    const bool ours = *find_header(request.headers, kId) == id_;
    if (!good || !ours || secret_.empty())
        return unauthorized(std::string(kAuthorization) + " holds an unknown secret");
    return then_ ? then_->verify(request, now) : Proof{};
}

}  // namespace orbridge
