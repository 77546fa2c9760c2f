#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
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
    std::int64_t waiting_max = 1'000;            ///< callbacks that wait for one before it gets more
    milliseconds kept{std::chrono::days{30}};    ///< how long the store keeps events
    bool backfilled = true;                      ///< also events that tell what was there before
};

/// Brings subscribers that came back late what they missed: from the store, first to last, a batch at a time. Goes
/// on where it was after a restart; an event is never added twice.
///
/// Order: while one is behind, what comes in is not given to it as it comes but found in the store in its turn.
/// Only when nothing is left there is it given events directly again, and for a while after that the store is still
/// looked through for those that were coming in at that very moment.
///
/// Safe from any thread but step(), which one thread drives. Everything given to it must outlive it.
class CatchUp {
public:
    /// The subscription as it is now, if it still has this registration and callbacks may go to it.
    using Find = std::function<std::optional<Subscription>(std::uint64_t registration)>;
    using Wake = std::function<void(const std::vector<TargetId>&)>;

    CatchUp(Store& store, IdMaker& ids, const Clock& clock, Log& log, Find find, Wake wake);
    void set_limits(const CatchUpLimits& limits);

    /// Takes up what a stop has interrupted.
    Status load();
    /// The sequence after which a subscriber wants events. Invalid: there is no such event, or it lies too far back.
    /// Unavailable: too many are catching up.
    Result<std::uint64_t> locate(const Since& since);
    /// Events after that one. Unavailable: it could not be noted.
    Status begin(const Subscription& subscription, std::uint64_t after);
    /// Is what comes in now for this one to be found in the store later? Asked for every event: cheap.
    bool behind(std::uint64_t registration) const;

    /// One batch for each. How long it may sleep.
    milliseconds step();

private:
    struct Task {
        std::uint64_t registration = 0;
        std::uint64_t after = 0;              ///< sequence of the last event looked at
        std::optional<TimePoint> up_to_date;  ///< since when it is given events directly
    };
    struct Shared {
        std::vector<Task> tasks;
        CatchUpLimits limits;
        TokenBucket bucket{CatchUpLimits{}.rate};
    };
    struct Progress {
        int looked_at = 0;
        bool done = false;
    };
    Result<std::uint64_t> sequence_before(const Since& since);
    Result<std::uint64_t> last_sequence();
    Status save();
    std::vector<bool> advance_all(std::vector<Task>& tasks, const CatchUpLimits& limits);
    Progress advance(Task& task, const Subscription& subscription, bool backfilled, int budget);
    Status offer(const Event& event, const Subscription& subscription, const SubscriptionMatcher& matcher);
    void put_back(std::vector<Task> tasks, const std::vector<bool>& done);
    void count_behind(const Shared& shared);

    Store& store_;
    IdMaker& ids_;
    const Clock& clock_;
    Log& log_;
    Find find_;
    Wake wake_;
    std::mutex saving_;  ///< one change of what is noted at a time; taken before shared_
    std::string saved_;  ///< under saving_
    Guarded<Shared> shared_;
    std::atomic<std::size_t> behind_{0};  ///< how many are
    std::size_t turn_ = 0;                ///< step()'s: who comes first
};

}  // namespace orbridge
