#include "bridge/verify/first_present.h"

namespace orbridge {

Result<Proof> FirstPresent::verify(const InboundRequest& request, TimePoint now) const {
    for (const auto& way : ways_)
        if (find_header(request.headers, way.header) != nullptr) return way.verifier->verify(request, now);
    std::string message = "no credentials: there is no";
    for (const auto& way : ways_) message += (&way == &ways_.front() ? " " : " and no ") + way.header;
    return Error{Error::Kind::Unauthorized, message};
}

}  // namespace orbridge
