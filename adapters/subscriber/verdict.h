#pragma once

#include <optional>
#include <string>

#include "bridge/core/event.h"
#include "bridge/store/subscription.h"

namespace orbridge {

/// Why a subscription as it is now does not take the event; nothing if it does. Pure, and for people who ask: the
/// accept path has the SubscriptionMatcher, which this asks too.
std::optional<std::string> refusal_of(const Subscription& subscription, const Event& event);

}  // namespace orbridge
