#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bridge/core/guarded.h"
#include "bridge/core/log.h"
#include "bridge/settings/settings.h"
#include "bridge/store/store.h"

namespace orbridge {

/// Whether there is room for something new. It has no thread: it looks when it is asked, at the deliveries
/// each time, at the disk at most once a second. At a limit it stays full until there is some air again, so
/// that it does not flicker. Safe from any thread.
class Backlog {
public:
    /// Store, clock and log must outlive it.
    Backlog(Store& store, const Clock& clock, Log& log, const BacklogSettings& limits);
    void set_limits(const BacklogSettings& limits);

    /// True: nothing new is to be accepted.
    bool full();

    struct Share {
        std::string limit;  ///< `deliveries`, `bytes`, `disk`
        double ratio = 0;   ///< 1 is the limit
    };
    std::vector<Share> shares();
    /// What is near or at its limit, in words; empty if nothing is.
    std::string detail();

private:
    enum class Level { Fine, High, Full };
    struct State {
        BacklogSettings limits;
        std::optional<TimePoint> looked_at;
        StoreSpace space;
        Level level = Level::Fine;
    };
    void look();
    std::vector<Share> shares_of(const State& state) const;
    Level judge(State& state);
    void tell(const State& state, Level before, Level after) const;

    Store& store_;
    const Clock& clock_;
    Log& log_;
    Guarded<State> state_;
};

}  // namespace orbridge
