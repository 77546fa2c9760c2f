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

/// What to deliver again. Empty fields mean "any"; at least one must be set.
struct ReplayOrder {
    std::string event, target;
    std::string subject, channel;        ///< of the event
    std::optional<DeliveryState> state;  ///< of the deliveries to repeat: dead, delivered, …
    bool unmapped = false;               ///< instead: unmapped events, through the mappings of now
    std::optional<TimePoint> since, until;
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
    bool done = false;
    std::uint64_t matched = 0;
    std::uint64_t replayed = 0;
    std::vector<std::string> problems;  ///< the first 20
};

/// Delivers again what has ended, oldest first. Each repeated delivery is a new one with a new id, so that Windmill
/// runs it again. Safe from any thread; everything given to it must outlive it.
class Replay {
public:
    using Remap = std::function<Status(const Event&)>;
    using RouterNow = std::function<std::shared_ptr<const Router>()>;
    using Wake = std::function<void(const std::vector<TargetId>&)>;
    /// Whether a target is configured: a replay to one that is not would wait for ever.
    using HasTarget = std::function<bool(const TargetId&)>;

    Replay(Store& store, Remap remap, RouterNow router, HasTarget has_target, Wake wake);

    /// Invalid: what is wrong with it.
    Status check(const ReplayOrder& order) const;
    /// How many it would deliver again; counts no further than `most`.
    Result<std::uint64_t> count(const ReplayOrder& order, const ReplayId& replay, std::uint64_t most);
    /// Goes on from `state`, making at most `most` deliveries. On an error nothing is lost: go on again.
    Status advance(const ReplayOrder& order, const ReplayId& replay, ReplayState& state, int most);

private:
    Status remap_some(const ReplayOrder& order, const ReplayId& replay, ReplayState& state, int most);
    Status repeat_event(const ReplayOrder& order, const ReplayId& replay, ReplayState& state);
    Status repeat_some(const ReplayOrder& order, const ReplayId& replay, ReplayState& state, int most);
    Status repeat(const ReplayId& replay, const DeliveryRow& row);
    std::vector<Match> targets_of(const ReplayOrder& order, const Event& event) const;
    Status again(const ReplayId& replay, const EventId& event, const TargetId& target, const std::string& route,
                 const std::string& order_key);

    Store& store_;
    Remap remap_;
    RouterNow router_;
    HasTarget has_target_;
    Wake wake_;
};

}  // namespace orbridge
