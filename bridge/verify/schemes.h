#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "bridge/core/secret.h"
#include "bridge/verify/verifier.h"

namespace orbridge {

/// What a source and we share. Several of a kind: all are good, for rotation.
struct Credentials {
    std::vector<Secret> secrets;      ///< of push intakes
    std::vector<Secret> hook_tokens;  ///< bearer tokens OpenRegister uses towards /engine
    std::string app_id{};             ///< as an ExApp: what AppAPI shows, besides the secret, with each event
    Secret app_secret{};
};

/// How senders prove themselves, by source type and intake:
///
/// | intake            | accepted                                                                      |
/// |-------------------|-------------------------------------------------------------------------------|
/// | hooks             | `Authorization: Bearer <hook token>`                                          |
/// | any other         | `X-Webhook-Signature`, else `X-Orbridge-Secret`, else `Authorization: Bearer` |
///
/// As an ExApp the last two are believed only of AppAPI: with its two headers besides.
/// The first of these headers that is there decides alone: a wrong signature is not mended by a right token.
/// `nextcloud` sources have no signature, so for them the header `X-Webhook-Signature` means nothing.
/// None of them there: Unauthorized.
/// Invalid: unknown source type, or nothing is shared, so that nobody could be believed.
Result<std::shared_ptr<const Verifier>> verifier_for(std::string_view source_type, Intake intake,
                                                     const Credentials& credentials);

/// `verify: none`, which must be written: believes everyone.
std::shared_ptr<const Verifier> accept_unverified();

}  // namespace orbridge
