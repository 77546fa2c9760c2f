#pragma once

#include <memory>
#include <string>

#include "bridge/core/clock.h"
#include "bridge/core/event.h"
#include "bridge/core/http.h"
#include "bridge/core/result.h"

namespace orbridge {

/// Seam. Decides from the raw request whether its sender may be believed. Safe from any thread; all
/// comparisons of secrets take constant time. Unauthorized: what is wrong, never what was expected.
class Verifier {
public:
    virtual ~Verifier() = default;
    virtual Status verify(const InboundRequest& request, TimePoint now) const = 0;
};

/// A request whose sender was believed. Only verify_request() makes one, so whatever takes a
/// VerifiedRequest cannot be reached around verification.
class VerifiedRequest {
public:
    const SourceId& source() const { return source_; }
    const std::string& source_type() const { return source_type_; }
    Intake intake() const { return intake_; }
    const std::string& body() const { return body_; }
    const Headers& headers() const { return headers_; }
    TimePoint received_at() const { return received_at_; }

private:
    VerifiedRequest() = default;
    friend Result<VerifiedRequest> verify_request(const Verifier& verifier, InboundRequest request,
                                                  const SourceId& source, const std::string& source_type, Intake intake,
                                                  TimePoint now);
    friend VerifiedRequest verified_before(const SourceId& source, const std::string& source_type, Intake intake,
                                           std::string body, TimePoint received_at, Headers headers);
    SourceId source_;
    std::string source_type_;
    Intake intake_ = Intake::Push;
    std::string body_;
    Headers headers_;
    TimePoint received_at_{};
};

Result<VerifiedRequest> verify_request(const Verifier& verifier, InboundRequest request, const SourceId& source,
                                       const std::string& source_type, Intake intake, TimePoint now);

/// For a body that comes out of our own store (an unmapped event being replayed) or from an operator's
/// own file (`orbridge map`, which knows the headers too).
VerifiedRequest verified_before(const SourceId& source, const std::string& source_type, Intake intake, std::string body,
                                TimePoint received_at, Headers headers = {});

}  // namespace orbridge
