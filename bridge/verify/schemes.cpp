#include "bridge/verify/schemes.h"

#include <algorithm>

#include "bridge/verify/app_api.h"
#include "bridge/verify/first_present.h"
#include "bridge/verify/hmac_sha256.h"
#include "bridge/verify/shared_token.h"

namespace orbridge {
namespace {

/// One way to prove oneself, told by the header it needs.
struct Scheme {
    std::string_view name;
    const char* header;
    std::shared_ptr<const Verifier> (*make)(const char* header, const std::vector<Secret>& secrets);
};

template <class V>
std::shared_ptr<const Verifier> make(const char* header, const std::vector<Secret>& secrets) {
    return std::make_shared<V>(header, secrets);
}

// To add one: a class beside HmacSha256, a line here, and its name in kUses.
constexpr Scheme kSchemes[] = {
    {"openregister-signature", "X-Webhook-Signature", make<HmacSha256>},
    {"secret-header", "X-Orbridge-Secret", make<SharedToken>},
    {"bearer", "Authorization", make<SharedToken>},
};

struct Use {
    std::string_view source_type;
    bool hooks;
    std::vector<std::string_view> schemes;  ///< the first whose header is there decides
};

const std::vector<Use>& uses() {
    static const std::vector<Use> kUses = {
        {"openregister", false, {"openregister-signature", "secret-header", "bearer"}},
        {"openregister", true, {"bearer"}},
        {"nextcloud", false, {"secret-header", "bearer"}},
        {"record", false, {"bearer"}},
        {"spidamin", false, {"bearer"}},
    };
    return kUses;
}

/// What OpenRegister itself sends does not come by AppAPI: its signature, and the token of its hooks.
std::shared_ptr<const Verifier> way_of(const Scheme& scheme, const std::vector<Secret>& secrets,
                                       const Credentials& credentials, bool hooks) {
    auto way = scheme.make(scheme.header, secrets);
    const bool direct = hooks || scheme.name == "openregister-signature";
    if (direct || credentials.app_id.empty()) return way;
    return std::make_shared<AppApi>(credentials.app_id, credentials.app_secret, std::move(way));
}

}  // namespace

Result<std::shared_ptr<const Verifier>> verifier_for(std::string_view source_type, Intake intake,
                                                     const Credentials& credentials) {
    const bool hooks = intake == Intake::Hooks;
    const auto& all = uses();
    const auto use = std::find_if(all.begin(), all.end(), [&](const Use& candidate) {
        return candidate.source_type == source_type && candidate.hooks == hooks;
    });
    if (use == all.end())
        return Error{Error::Kind::Invalid, "sources of type " + std::string(source_type) + " have no such intake"};
    const auto& secrets = hooks ? credentials.hook_tokens : credentials.secrets;
    if (std::all_of(secrets.begin(), secrets.end(), [](const Secret& secret) { return secret.empty(); }))
        return Error{Error::Kind::Invalid, "there is no secret to know the sender by"};
    std::vector<FirstPresent::Way> ways;
    for (const auto name : use->schemes) {
        for (const auto& scheme : kSchemes)
            if (scheme.name == name) ways.push_back({scheme.header, way_of(scheme, secrets, credentials, hooks)});
    }
    return std::shared_ptr<const Verifier>(std::make_shared<FirstPresent>(std::move(ways)));
}

std::shared_ptr<const Verifier> accept_unverified() {
    class Everyone final : public Verifier {
        Result<Proof> verify(const InboundRequest&, TimePoint) const override { return Proof{}; }
    };
    return std::make_shared<Everyone>();
}

}  // namespace orbridge
