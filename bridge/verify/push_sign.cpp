#include "bridge/verify/push_sign.h"

#include "bridge/core/text.h"
#include "bridge/verify/hmac_sha256.h"
#include "bridge/verify/push_schemes.h"
#include "bridge/verify/standard_webhooks.h"

namespace orbridge {
namespace {

Headers in_form(const SignatureForm& form, const Secret& secret, const SignedContent::Values& values) {
    Headers headers;
    if (!form.timestamp_header.empty()) headers.push_back({form.timestamp_header, std::string(values.timestamp)});
    if (!form.id_header.empty()) headers.push_back({form.id_header, std::string(values.id)});
    const auto content = SignedContent::parse(form.content);
    if (content) headers.push_back({form.header, signature_of(form, secret, content->fill(values))});
    return headers;
}

Headers standard(const Secret& secret, const SignedContent::Values& values) {
    const auto content = webhook_content(values.id, values.timestamp, values.body);
    return {{"webhook-id", std::string(values.id)},
            {"webhook-timestamp", std::string(values.timestamp)},
            {"webhook-signature", "v1," + to_base64(hmac_sha256(webhook_key(secret), content))}};
}

}  // namespace

Headers push_headers(const PushProof& proof, const std::string& body, TimePoint now, const std::string& id) {
    const auto* scheme = find_push_scheme(proof.scheme);
    if (scheme == nullptr || proof.secrets.empty()) return {};
    const auto& secret = proof.secrets.front();
    const auto timestamp = std::to_string(now.time_since_epoch().count() / 1000);
    const SignedContent::Values values{timestamp, id, body};
    if (scheme->form != nullptr) return in_form(scheme->form(proof), secret, values);
    if (proof.scheme == "standard-webhooks") return standard(secret, values);
    return {{"Authorization", "Bearer " + secret.reveal()}};
}

}  // namespace orbridge
