#include "bridge/verify/push_schemes.h"

#include <algorithm>

#include "bridge/verify/first_present.h"
#include "bridge/verify/hmac_sha256.h"
#include "bridge/verify/meta.h"
#include "bridge/verify/schemes.h"
#include "bridge/verify/shared_token.h"
#include "bridge/verify/slack.h"
#include "bridge/verify/standard_webhooks.h"

namespace orbridge {
namespace {

using Made = Result<std::shared_ptr<const Verifier>>;

template <class V, class... Args>
Made made(Args&&... args) {
    return std::shared_ptr<const Verifier>(std::make_shared<V>(std::forward<Args>(args)...));
}

SignatureForm openregister_form(const PushProof&) { return {.header = "X-Webhook-Signature"}; }
SignatureForm github_form(const PushProof&) {
    return {.header = "X-Hub-Signature-256", .prefix = "sha256=", .id_header = "X-GitHub-Delivery"};
}
SignatureForm meta_form(const PushProof&) { return Meta::form(); }
SignatureForm slack_form(const PushProof&) { return Slack::form(); }
SignatureForm own_form(const PushProof& proof) { return proof.signature; }

template <SignatureForm (*form)(const PushProof&)>
Made make_signed(const PushProof& proof) {
    return made<HmacSha256>(form(proof), proof.secrets, proof.tolerance);
}

Made make_meta(const PushProof& proof) { return made<Meta>(proof.secrets, proof.verify_token); }

Made make_standard_webhooks(const PushProof& proof) {
    return StandardWebhooks::make(proof.secrets, proof.public_keys, proof.tolerance);
}

Made make_slack(const PushProof& proof) { return made<Slack>(proof.secrets, proof.tolerance); }

Made make_bearer(const PushProof& proof) {
    std::vector<FirstPresent::Way> ways;
    for (const auto* header : {"Authorization", "X-API-Key"})
        ways.push_back({header, std::make_shared<SharedToken>(header, proof.secrets)});
    return made<FirstPresent>(std::move(ways));
}

Made make_hmac(const PushProof& proof) {
    if (proof.signature.header.empty()) return Error{Error::Kind::Invalid, "the signature has no header"};
    if (auto content = SignedContent::parse(proof.signature.content); !content) return content.error();
    return make_signed<own_form>(proof);
}

Made make_none(const PushProof&) { return accept_unverified(); }

}  // namespace

const std::vector<PushScheme>& push_schemes() {
    using Secrets = PushScheme::Secrets;
    // To add one: a file beside slack.h with what is special about it, and a line here.
    static const std::vector<PushScheme> kSchemes = {
        {.name = "openregister",
         .mapping = "openregister",
         .make = make_signed<openregister_form>,
         .form = openregister_form},
        {.name = "github", .mapping = "github", .make = make_signed<github_form>, .form = github_form},
        {.name = "meta",
         .verify_token = true,
         .mapping = "meta",
         .accepted_status = 200,
         .make = make_meta,
         .form = meta_form},
        {.name = "standard-webhooks",
         .secrets = Secrets::OrPublicKeys,
         .timed = true,
         .mapping = "standard-webhooks",
         .make = make_standard_webhooks},
        {.name = "slack", .timed = true, .mapping = "slack", .make = make_slack, .form = slack_form},
        {.name = "bearer", .make = make_bearer},
        {.name = "hmac", .timed = true, .own_form = true, .make = make_hmac, .form = own_form},
        {.name = "none", .secrets = Secrets::None, .make = make_none},
    };
    return kSchemes;
}

const PushScheme* find_push_scheme(std::string_view name) {
    const auto& all = push_schemes();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const PushScheme& scheme) { return scheme.name == name; });
    return found == all.end() ? nullptr : &*found;
}

Result<std::shared_ptr<const Verifier>> verifier_for(const PushProof& proof) {
    const auto* scheme = find_push_scheme(proof.scheme);
    if (scheme == nullptr) return Error{Error::Kind::Invalid, "there is no way to verify called " + proof.scheme};
    const auto empty = [](const Secret& secret) { return secret.empty(); };
    const bool known_by_none = std::all_of(proof.secrets.begin(), proof.secrets.end(), empty);
    if (scheme->secrets == PushScheme::Secrets::Required && known_by_none)
        return Error{Error::Kind::Invalid, "there is no secret to know the sender by"};
    return scheme->make(proof);
}

}  // namespace orbridge
