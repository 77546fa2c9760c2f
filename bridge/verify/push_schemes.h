#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/verify/push_proof.h"
#include "bridge/verify/verifier.h"

namespace orbridge {

/// One way for senders of `type: push` to prove themselves: a value of `verify`.
struct PushScheme {
    enum class Secrets { None, Required, OrPublicKeys };
    std::string_view name;
    Secrets secrets = Secrets::Required;
    bool timed = false;          ///< `tolerance` means something (of `hmac` only with a timestamp)
    bool verify_token = false;   ///< so does `verify_token`
    bool own_form = false;       ///< so does `signature`
    std::string_view mapping{};  ///< that reads its requests if the source names none; empty: it must name one
    /// Of a stored event: 202, but 200 where the sender is documented to take nothing else for good.
    int accepted_status = 202;
    Result<std::shared_ptr<const Verifier>> (*make)(const PushProof& proof) = nullptr;
    /// Of those that put one HMAC into a header.
    SignatureForm (*form)(const PushProof& proof) = nullptr;
};

const std::vector<PushScheme>& push_schemes();
/// Null: there is none of this name.
const PushScheme* find_push_scheme(std::string_view name);

/// Invalid: the scheme is unknown, or what it needs is missing or of the wrong form.
Result<std::shared_ptr<const Verifier>> verifier_for(const PushProof& proof);

}  // namespace orbridge
