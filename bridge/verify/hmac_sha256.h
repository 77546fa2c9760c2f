#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bridge/core/secret.h"
#include "bridge/verify/push_proof.h"
#include "bridge/verify/verifier.h"

namespace orbridge {

/// What is signed, read once: `v0:{timestamp}:{body}`.
class SignedContent {
public:
    struct Values {
        std::string_view timestamp, id, body;
    };
    /// Invalid: no `{body}`, or a brace that is none of `{body}`, `{timestamp}`, `{id}`.
    static Result<SignedContent> parse(std::string_view text);
    std::string fill(const Values& values) const;
    bool uses(std::string_view name) const;

private:
    struct Part {
        bool is_value = false;
        std::string text;  ///< the literal, or the value's name
    };
    std::vector<Part> parts_;
};

/// What stands in the form's header, prefix and all.
std::string signature_of(const SignatureForm& form, const Secret& secret, std::string_view content);

/// One header holds HMAC-SHA256(secret, what the form says), computed from the bytes as received. Every secret in
/// the list is good, so that one can be replaced without losing an event. An empty secret is never good: anybody
/// could sign with it. With a timestamp the signature itself names the request, unless there is an id header:
/// nobody signs the same bytes twice in one second for two events.
class HmacSha256 : public Verifier {
public:
    /// Lower-case hex over the body alone: OpenRegister's own webhooks.
    HmacSha256(std::string header, std::vector<Secret> secrets)
        : HmacSha256(SignatureForm{.header = std::move(header)}, std::move(secrets), milliseconds{0}) {}
    /// `form.content` must be one that SignedContent takes.
    HmacSha256(SignatureForm form, std::vector<Secret> secrets, milliseconds tolerance);

    Result<Proof> verify(const InboundRequest& request, TimePoint now) const override;

private:
    Result<SignedContent::Values> signed_values(const InboundRequest& request, TimePoint now) const;
    bool fits(const std::string& given, std::string_view content) const;

    SignatureForm form_;
    SignedContent content_;
    std::vector<Secret> secrets_;
    milliseconds tolerance_;
};

}  // namespace orbridge
