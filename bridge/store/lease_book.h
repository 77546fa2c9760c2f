#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/result.h"
#include "bridge/store/subscription.h"

namespace orbridge {

/// Which subscriptions are meant: by hook, by url (byte for byte), or, with neither, all.
struct LeaseSelector {
    std::optional<std::string> hook, url;
};

/// From when on a subscriber that comes back wants what it missed.
struct Since {
    TimePoint time{};
    std::string event;  ///< instead: the last one it has
};

/// The subscriptions whose lease runs, and the changes that the lease API makes to them. A change is durable and
/// in effect when its call returns. Unavailable: it could not be stored, and nothing was changed. Safe from any thread.
class LeaseBook {
public:
    virtual ~LeaseBook() = default;

    /// In order of registration.
    virtual std::vector<Subscription> find(const LeaseSelector& which, TimePoint now) const = 0;
    /// In place of one with the same hook, whose waiting deliveries end. `registration` is ignored. Invalid: it
    /// comes too late, or is too new, to be told what it missed. Unavailable that says so: it is registered, but will
    /// not be told what it missed.
    virtual Status add(Subscription subscription, const std::optional<Since>& since) = 0;
    /// Gives them all the same lease. Their hooks, in order of registration; none if nothing is meant.
    virtual Result<std::vector<std::string>> renew(const LeaseSelector& which, TimePoint now, TimePoint lease_end) = 0;
    /// No callback of theirs starts any more, and their waiting deliveries end.
    virtual Result<std::vector<std::string>> remove(const LeaseSelector& which, TimePoint now) = 0;
};

}  // namespace orbridge
