#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

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
    bool dry_run = false;
    int limit = 10'000;  ///< at most so many in one call
};

struct ReplayReport {
    std::uint64_t matched = 0;
    std::uint64_t replayed = 0;
    bool more = false;  ///< the limit cut it: call again
    std::vector<std::string> problems;
};

/// Each repeated delivery is a new one with a new id, so that Windmill runs it again.
class Replay {
public:
    using Remap = std::function<Status(const Event&)>;
    using RouterNow = std::function<std::shared_ptr<const Router>()>;
    using Wake = std::function<void(const std::vector<TargetId>&)>;
    /// Whether a target is configured: a replay to one that is not would wait for ever.
    using HasTarget = std::function<bool(const TargetId&)>;

    Replay(Store& store, IdMaker& ids, const Clock& clock, Remap remap, RouterNow router, HasTarget has_target,
           Wake wake);
    Result<ReplayReport> run(const ReplayOrder& order);

private:
    Result<ReplayReport> replay_unmapped(const ReplayOrder& order);
    Result<ReplayReport> replay_event(const ReplayOrder& order);
    Result<ReplayReport> replay_deliveries(const ReplayOrder& order);
    Status again(const EventId& event, const TargetId& target, const std::string& route, const std::string& order_key);

    Store& store_;
    IdMaker& ids_;
    const Clock& clock_;
    Remap remap_;
    RouterNow router_;
    HasTarget has_target_;
    Wake wake_;
};

}  // namespace orbridge
