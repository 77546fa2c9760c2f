#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "bridge/core/clock.h"
#include "bridge/core/event.h"
#include "bridge/core/ids.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// What is to be done with one delivery of an event that may have been caused by a script of ours.
struct LoopVerdict {
    bool echo = false;   ///< recognised by who acted, or by a marker
    bool cut = false;    ///< not to be delivered
    bool limit = false;  ///< cut because there were too many
    std::string reason;
};

/// Tells events that our own scripts cause by writing back. Times are passed in. One thread at a time. What it
/// remembers is bounded, and lost with the process: a loop is then counted anew.
class LoopGuard {
public:
    /// Whether this is the id of an event or delivery of ours.
    using IsOurs = std::function<bool(const std::string& id)>;

    explicit LoopGuard(std::size_t subjects_max = 50'000) : subjects_max_(subjects_max) {}

    /// Changes nothing: the event may turn out to be a duplicate.
    LoopVerdict judge(const LoopSettings& rules, const Event& event, const TargetId& target, TimePoint now,
                      const IsOurs& is_ours) const;
    /// The delivery was stored.
    void count(const LoopSettings& rules, const Event& event, const TargetId& target, TimePoint now);

private:
    struct Seen {
        std::string key;
        std::deque<TimePoint> at;  ///< no more than the limit asks for
        std::string marker;        ///< the last one: an object keeps it when people go on to edit it
    };
    const Seen* find(const Event& event, const TargetId& target) const;
    Seen& touch(const Event& event, const TargetId& target);
    std::string echo(const LoopSettings& rules, const Event& event, const Seen* seen, const IsOurs& is_ours) const;

    const std::size_t subjects_max_;
    std::list<Seen> seen_;  ///< the one used last in front
    std::unordered_map<std::string, std::list<Seen>::iterator> by_key_;
};

}  // namespace orbridge
