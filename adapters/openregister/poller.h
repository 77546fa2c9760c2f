#pragma once

#include <memory>
#include <optional>
#include <string>

#include "bridge/poll/poller.h"
#include "bridge/run/source_client.h"
#include "bridge/settings/settings.h"
#include "bridge/store/store.h"

namespace orbridge {

/// Polls one OpenRegister as its `poll` settings say. Store and clock must outlive it.
std::unique_ptr<Poller> make_openregister_poller(const SourceSettings& settings, const Exchanger& exchange,
                                                 Store& store, const Clock& clock);

/// What the webhook would have told of the creation of an object that is there: the same mapping reads it. Nothing: it
/// is no object, or its state says too little.
std::optional<std::string> openregister_existing(const UntoldSubject& object);

}  // namespace orbridge
