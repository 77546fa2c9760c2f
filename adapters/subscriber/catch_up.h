#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "bridge/core/guarded.h"
#include "bridge/core/ids.h"
#include "bridge/core/log.h"
#include "bridge/record/rate_limit.h"
#include "bridge/store/lease_book.h"
#include "bridge/store/store.h"

namespace orbridge {

class SubscriptionMatcher;

struct CatchUpLimits {
    RateLimit rate{1'000, milliseconds{1'000}};  ///< events looked at, for all together
    std::int64_t events_max = 100'000;           ///< further back nobody can go
    std::size_t subscribers_max = 1'000;         ///< that catch up at a time
};

/// Brings subscribers that came back late what they missed: from the store, first to last, a batch at a time. Goes
/// on where it was after a restart; an event is never added twice. Safe from any thread but step(), which one
/// thread drives. Everything given to it must outlive it.
class CatchUp {
public:
    /// The subscription as it is now, if it still has this registration and its lease runs.
    using Find = std::function<std::optional<Subscription>(std::uint64_t registration)>;
    using Wake = std::function<void(const std::vector<TargetId>&)>;

    CatchUp(Store& store, IdMaker& ids, const Clock& clock, Log& log, Find find, Wake wake);
    void set_limits(const CatchUpLimits& limits);

    /// Takes up what a stop has interrupted.
    Status load();
    /// The sequence after which a subscriber wants events. Invalid: there is no such event, or it lies too far back.
    Result<std::uint64_t> locate(const Since& since);
    /// Events after that one, received until the subscription was registered. Unavailable: not now.
    Status begin(const Subscription& subscription, std::uint64_t after);

    /// One batch for each. How long it may sleep.
    milliseconds step();

private:
    struct Task {
        std::uint64_t registration = 0;
        std::uint64_t after = 0;  ///< sequence of the last event looked at
    };
    struct Shared {
        std::vector<Task> tasks;
        CatchUpLimits limits;
        TokenBucket bucket{CatchUpLimits{}.rate};
    };
    Result<std::uint64_t> sequence_before(const Since& since);
    Result<std::uint64_t> last_sequence();
    Status save(const std::vector<Task>& tasks);
    bool advance(Task& task, const Subscription& subscription, int budget);
    Status offer(const Event& event, const Subscription& subscription, const SubscriptionMatcher& matcher);

    Store& store_;
    IdMaker& ids_;
    const Clock& clock_;
    Log& log_;
    Find find_;
    Wake wake_;
    Guarded<Shared> shared_;
};

}  // namespace orbridge
