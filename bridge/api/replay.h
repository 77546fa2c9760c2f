#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bridge/core/ids.h"
#include "bridge/route/router.h"
#include "bridge/store/store.h"

namespace orbridge {

/// What to deliver again, or for the first time. Empty fields mean "any"; at least one must be set.
struct ReplayOrder {
    std::string event, target;
    std::string subject, channel;        ///< of the event
    std::optional<DeliveryState> state;  ///< of the deliveries to repeat: dead, delivered, …
    bool unmapped = false;               ///< instead: unmapped events, through the mappings of now
    std::optional<TimePoint> since, until;
    /// Instead: what is at this source and no event ever told of; `since` and `until` are then the state's own time.
    std::string backfill{};
};

/// How what was there before becomes events.
struct Backfilling {
    /// NotFound, Invalid: nothing of this source can be backfilled. Unavailable: not yet, and why.
    std::function<Status(const SourceId&)> ready;
    struct Told {
        std::uint64_t events = 0;
        std::vector<std::string> problems{};  ///< of those that cannot become events
    };
    /// Makes them events. Unavailable: go on again, nothing is made twice.
    std::function<Result<Told>(const SourceId&, const std::vector<UntoldSubject>&)> tell;
};

/// Which replay it is: its deliveries' ids follow from that, so that none is made twice however often a part of it
/// is repeated. It finds nothing that came after `at`.
struct ReplayId {
    std::string id;
    TimePoint at{};
};

/// How far it has come.
struct ReplayState {
    std::string after_delivery;     ///< the last one looked at
    std::uint64_t after_event = 0;  ///< its sequence, for unmapped ones
    std::string after_subject{};    ///< of a backfill
    bool done = false;
    std::uint64_t matched = 0;
    std::uint64_t replayed = 0;
    std::vector<std::string> problems;  ///< the first 20
};

/// Delivers again what has ended, oldest first, or tells what was there before, by subject. Each repeated delivery is a
/// new one with a new id, so that Windmill runs it again. Safe from any thread; everything given to it must outlive it.
class Replay {
public:
    using Remap = std::function<Status(const Event&)>;
    using RouterNow = std::function<std::shared_ptr<const Router>()>;
    using Wake = std::function<void(const std::vector<TargetId>&)>;
    /// Whether a target is configured: a replay to one that is not would wait for ever.
    using HasTarget = std::function<bool(const TargetId&)>;

    Replay(Store& store, Remap remap, RouterNow router, HasTarget has_target, Wake wake, Backfilling backfilling = {});

    /// Invalid: what is wrong with it.
    Status check(const ReplayOrder& order) const;
    /// How many it would deliver again; counts no further than `most`.
    Result<std::uint64_t> count(const ReplayOrder& order, const ReplayId& replay, std::uint64_t most);
    /// Of a backfill: how many are left behind `state`.
    Result<std::uint64_t> left(const ReplayOrder& order, const ReplayState& state);
    /// Goes on from `state`, making at most `most` deliveries. On an error nothing is lost: go on again.
    Status advance(const ReplayOrder& order, const ReplayId& replay, ReplayState& state, int most);

private:
    Status backfill_some(const ReplayOrder& order, ReplayState& state, int most);
    Status remap_some(const ReplayOrder& order, const ReplayId& replay, ReplayState& state, int most);
    Status repeat_event(const ReplayOrder& order, const ReplayId& replay, ReplayState& state);
    Status repeat_some(const ReplayOrder& order, const ReplayId& replay, ReplayState& state, int most);
    Status repeat(const ReplayId& replay, const DeliveryRow& row);
    std::vector<Match> targets_of(const ReplayOrder& order, const Event& event) const;
    Status again(const ReplayId& replay, const EventId& event, const std::string& subject, const Match& to);

    Store& store_;
    Remap remap_;
    RouterNow router_;
    HasTarget has_target_;
    Wake wake_;
    Backfilling backfilling_;
};

}  // namespace orbridge
