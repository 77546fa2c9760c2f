#include <utility>

#include "bridge/verify/verifier.h"

namespace orbridge {

std::optional<Result<std::string>> Verifier::challenge(const InboundRequest&) const { return std::nullopt; }
std::optional<std::string> Verifier::greeting(const InboundRequest&) const { return std::nullopt; }

Result<VerifiedRequest> verify_request(const Verifier& verifier, InboundRequest request, const SourceId& source,
                                       const std::string& source_type, Intake intake, TimePoint now) {
    auto proof = verifier.verify(request, now);
    if (!proof) return proof.error();
    auto verified =
        verified_before(source, source_type, intake, std::move(request.body), now, std::move(request.headers));
    verified.request_id_ = std::move(proof->request_id);
    return verified;
}

VerifiedRequest verified_before(const SourceId& source, const std::string& source_type, Intake intake, std::string body,
                                TimePoint received_at, Headers headers) {
    VerifiedRequest verified;
    verified.source_ = source;
    verified.source_type_ = source_type;
    verified.intake_ = intake;
    verified.body_ = std::move(body);
    verified.headers_ = std::move(headers);
    verified.received_at_ = received_at;
    return verified;
}

}  // namespace orbridge
