#pragma once

#include <memory>
#include <string>

#include "adapters/openregister/api_client.h"
#include "bridge/run/registrar.h"
#include "bridge/run/remembered.h"
#include "bridge/run/source_client.h"
#include "bridge/settings/settings.h"
#include "bridge/store/store.h"

namespace orbridge {

/// Everything one source has registered, by whichever of the three ways its `register` asks for:
///
/// - a list of `listeners`, `webhooks`, `hooks`: these, and a way given up since is taken back;
/// - `auto`, type nextcloud: listeners;
/// - `auto`, type openregister: listeners are tried, once a day; as long as Nextcloud refuses them
///   (all OpenRegister releases to date) webhooks, and hooks if `schemas` or `hook_token` is given;
/// - `off`: nothing is registered and nothing is removed; names are still fetched.
///
/// The store must outlive it.
std::unique_ptr<Registrar> make_source_registrar(const SourceSettings& settings, const std::string& public_url,
                                                 const Exchanger& exchange, Store& store);

}  // namespace orbridge
