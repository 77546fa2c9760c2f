#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "tests/sim/process.h"
#include "tests/sim/scenario.h"
#include "tests/sim/world.h"

namespace orbridge::sim {

struct Played {
    std::optional<Violation> violation;
    std::deque<std::string> trace;
    std::uint64_t fingerprint = 0;
    std::size_t steps = 0;
};

/// Plays a scenario to its end, and then on, without faults, until everything has come to its own end.
class Simulation {
public:
    Simulation(const Scenario& scenario, std::shared_ptr<const MappingSet> mappings, Bug bug, Trace::Kind tracing);
    ~Simulation();

    /// For a fault at a chosen place, before run().
    World& world() { return world_; }
    Played run();

private:
    void plan();
    bool settled() const;
    void start();
    void end_life();
    void guarded(const std::function<void()>& work);

    void act(const Action& action);
    void tell(const Telling& telling, int tries);
    void tell_again(const Telling& telling, int tries);
    void stop();
    void remove(int target);
    void restore();
    void pause(int target);
    void resume(int target);
    void resume_all();
    TargetId target_at(int number) const;
    void replay(const Action& action);
    void cancel();
    void calm();

    const Scenario& scenario_;
    std::shared_ptr<const MappingSet> mappings_;
    World world_;
    std::set<TargetId> configured_;
    std::unique_ptr<Process> process_;
    bool crashed_ = false;
    bool over_ = false;  ///< the scenario; what follows is peace
};

}  // namespace orbridge::sim
