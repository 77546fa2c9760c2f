#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace orbridge::sim {

/// One telling of a change of an object, through one intake in one format.
struct Telling {
    enum class Form { Standard, CloudEvent, Hook } form = Form::Standard;
    int change = 0;
    milliseconds at{0};
};

struct Change {
    int subject = 0;
    std::string verb;  ///< Created, Updated, Deleted
};

struct Action {
    enum class Kind {
        Tell,       ///< `number` is the telling
        Crash,      ///< at the next call of the store
        Kill,       ///< at once
        Stop,       ///< orderly, and started again
        StepClock,  ///< by `by`
        Trouble,    ///< the store fails so often: `number` of a thousand calls
        Remove,     ///< target `number` from the configuration
        Restore,    ///< all targets
        ReplayDead,
        ReplayTarget,  ///< target `number`
        ReplayEvent,
        Pause,  ///< target `number`
        Resume,
        Cancel,
    } kind = Kind::Tell;
    milliseconds at{0};
    int number = 0;
    milliseconds by{0};
};

/// What will happen to the bridge. All of it comes from the seed.
struct Scenario {
    std::uint64_t seed = 0;
    Config config;
    std::vector<Change> changes;
    std::vector<Telling> tellings;
    std::vector<Action> actions;
    milliseconds length{0};  ///< after which nothing goes wrong any more
};

Scenario make_scenario(std::uint64_t seed);
/// A short one without any fault of its own, for faults at chosen places.
Scenario small_scenario();

/// The request that tells it.
InboundRequest request_for(const Scenario& scenario, const Telling& telling);

}  // namespace orbridge::sim
