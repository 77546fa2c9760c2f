#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "bridge/api/replay_jobs.h"
#include "bridge/core/ids.h"
#include "bridge/core/log.h"
#include "bridge/deliver/dispatcher.h"
#include "bridge/deliver/recorder.h"
#include "bridge/receive/ingest.h"
#include "bridge/record/metrics.h"
#include "bridge/store/backlog.h"
#include "tests/sim/world.h"

namespace orbridge::sim {

/// One life of the bridge, connected as app_parts.cpp connects it. What app.cpp gives threads, this puts on the agenda.
/// Destroying it is the end of the process: nothing is finished.
class Process {
public:
    /// `guard` runs a step and deals with a Crash out of it.
    using Guard = std::function<void(const std::function<void()>&)>;
    Process(World& world, std::set<TargetId> configured, std::shared_ptr<const MappingSet> mappings, Guard guard);
    ~Process();

    Answer push(const InboundRequest& request) { return ingest_.push("cloud", request); }
    Answer hook(const InboundRequest& request) { return ingest_.hook("cloud", request); }
    Result<ReplayJob> replay(const ReplayOrder& order) { return replay_jobs_.start(order); }
    void cancel(const DeliveryId& delivery);
    void configure(std::set<TargetId> configured);
    void pause(const TargetId& target);
    void resume(const TargetId& target) { dispatcher_.resume(target); }
    const std::set<TargetId>& configured() const { return configured_; }
    /// An orderly stop, as far as it gets in its time.
    void stop();
    bool idle() const { return dispatcher_.in_flight() == 0 && recorder_.backlog() == 0 && !replaying(); }
    bool replaying() const;

private:
    struct Turn {  ///< when a step is to run next
        std::optional<milliseconds> at;
        std::uint64_t number = 0;
    };
    using Step = void (Process::*)();

    void schedule(Turn& turn, milliseconds wait, Step step);
    void run_dispatcher();
    void run_recorder();
    void load_replays();
    void run_replays();
    void wake(const std::vector<TargetId>& targets);
    bool loses_wake();

    World& world_;
    std::set<TargetId> configured_;
    std::shared_ptr<const MappingSet> mappings_;
    std::shared_ptr<const IngestPlan> plan_;
    Guard guard_;
    Metrics metrics_;
    Log log_;
    Names names_;
    IdMaker ids_;
    Recorder recorder_;
    Dispatcher dispatcher_;
    Backlog backlog_;
    Ingest ingest_;
    Replay replay_;
    ReplayJobs replay_jobs_;
    Turn dispatcher_turn_, recorder_turn_, replay_turn_;
    int wakes_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace orbridge::sim
