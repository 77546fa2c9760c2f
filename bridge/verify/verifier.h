#pragma once

#include <memory>
#include <optional>
#include <string>

#include "bridge/core/clock.h"
#include "bridge/core/event.h"
#include "bridge/core/http.h"
#include "bridge/core/result.h"

namespace orbridge {

/// What else a verifier found in a request that it believes.
struct Proof {
    /// Names this request among all of its source: another one of this name is the same again, whatever is in
    /// it. Empty: the scheme has no such name.
    std::string request_id;
};

/// Seam. Decides from the raw request whether its sender may be believed. Safe from any thread; all
/// comparisons of secrets take constant time. Unauthorized: what is wrong, never what was expected.
class Verifier {
public:
    virtual ~Verifier() = default;
    virtual Result<Proof> verify(const InboundRequest& request, TimePoint now) const = 0;

    /// A GET that asks whether this sender is expected (WebSub's `hub.challenge`): the text to answer, or
    /// Unauthorized. Nothing: the scheme asks no such thing.
    virtual std::optional<Result<std::string>> challenge(const InboundRequest& request) const;
    /// The text that a believed request wants instead of being an event (Slack's `url_verification`).
    virtual std::optional<std::string> greeting(const InboundRequest& believed) const;
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
    const std::string& request_id() const { return request_id_; }  ///< Proof::request_id

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
    std::string request_id_;
};

Result<VerifiedRequest> verify_request(const Verifier& verifier, InboundRequest request, const SourceId& source,
                                       const std::string& source_type, Intake intake, TimePoint now);

/// For a body that comes out of our own store (an unmapped event being replayed) or from an operator's
/// own file (`orbridge map`, which knows the headers too).
VerifiedRequest verified_before(const SourceId& source, const std::string& source_type, Intake intake, std::string body,
                                TimePoint received_at, Headers headers = {});

}  // namespace orbridge
