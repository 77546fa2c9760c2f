#include "tests/sim/process.h"

#include <algorithm>
#include <utility>

namespace orbridge::sim {
namespace {

DispatcherSettings dispatcher_settings(const Config& config) {
    DispatcherSettings settings;
    settings.in_flight_max = config.in_flight_max;
    settings.backlog_max = 20;
    return settings;
}

BacklogSettings backlog_settings(const Config& config) {
    BacklogSettings settings;
    if (config.backlog_max > 0) settings.deliveries_max = config.backlog_max;
    return settings;
}

}  // namespace

Process::Process(World& world, std::set<TargetId> configured, std::shared_ptr<const MappingSet> mappings, Guard guard)
    : world_(world),
      configured_(std::move(configured)),
      mappings_(std::move(mappings)),
      guard_(std::move(guard)),
      log_(world.clock, world.trace.wanted() ? Log::Level::Info : Log::Level::Warning,
           [this](const std::string& line) { world_.ledger.logged(line, kToken); }),
      ids_(world.clock, world.random),
      recorder_(world.store, world.clock, log_),
      dispatcher_(world.store, world.transport, recorder_, world.clock, world.random, log_,
                  dispatcher_settings(world.config)),
      backlog_(world.store, world.clock, log_, backlog_settings(world.config)),
      ingest_([this] { return plan_; }, world.store, names_, ids_, world.clock, metrics_, log_,
              [this](const std::vector<TargetId>& targets) { wake(targets); },
              [this](const Event&) { return make_matches(world_); }),
      replay_(
          world.store, [this](const Event& event) { return ingest_.remap(event); },
          [this] { return std::shared_ptr<const Router>(plan_, &plan_->router); },
          [this](const TargetId& id) { return configured_.count(id) != 0; },
          [this](const std::vector<TargetId>& targets) { wake(targets); }),
      replay_jobs_(replay_, world.store, ids_, world.clock, log_) {
    replay_jobs_.when_work([this] { schedule(replay_turn_, milliseconds{1}, &Process::run_replays); });
    schedule(replay_turn_, milliseconds{0}, &Process::load_replays);
    recorder_.when_work([this] { schedule(recorder_turn_, world_.some(0, 20), &Process::run_recorder); });
    world_.transport.begin_life([this] { schedule(dispatcher_turn_, milliseconds{0}, &Process::run_dispatcher); });
    if (world_.bug != Bug::IgnoreBacklog) ingest_.refuse_new_when([this] { return backlog_.full(); });
    dispatcher_.set_family(make_family(world_));
    configure(configured_);
}

Process::~Process() {
    *alive_ = false;
    world_.transport.end_life();
}

void Process::configure(std::set<TargetId> configured) {
    configured_ = std::move(configured);
    plan_ = make_ingest_plan(world_, configured_, mappings_);
    dispatcher_.set_targets(make_delivery_targets(world_, configured_));
}

bool Process::loses_wake() { return world_.bug == Bug::ForgetWake && ++wakes_ % 4 == 0; }

void Process::wake(const std::vector<TargetId>& targets) {
    if (!loses_wake()) dispatcher_.wake(targets);
}

void Process::pause(const TargetId& target) {
    if (world_.bug != Bug::IgnorePause) dispatcher_.pause(target, "by hand");
}

void Process::cancel(const DeliveryId& delivery) {
    const auto row = world_.store.delivery(delivery);
    const auto ended = world_.store.cancel(std::nullopt, delivery, "cancelled", world_.clock.now());
    if (row && ended) dispatcher_.wake({row->target});
}

// ---- turns ----------------------------------------------------------------------------------------

/// The earliest wins; an entry of the agenda that is out of date does nothing.
void Process::schedule(Turn& turn, milliseconds wait, Step step) {
    const auto at = world_.clock.elapsed() + wait;
    if (turn.at && *turn.at <= at) return;
    turn.at = at;
    const auto number = ++turn.number;
    world_.agenda.at(at, [this, &turn, number, step, alive = alive_] {
        if (!*alive || turn.number != number) return;
        turn.at.reset();
        guard_([this, step] { (this->*step)(); });
    });
}

void Process::run_dispatcher() {
    world_.transport.poll(milliseconds{0});
    const auto pause = dispatcher_.step();
    if (pause == Transport::kNoEnd) return;
    schedule(dispatcher_turn_, std::max(pause, milliseconds{1}), &Process::run_dispatcher);
}

void Process::run_recorder() {
    const auto pause = recorder_.step();
    if (recorder_.backlog() > 0) schedule(recorder_turn_, pause, &Process::run_recorder);
}

/// A real start fails, and is tried again by whoever looks after the daemon, until the store can be read.
void Process::load_replays() {
    if (!replay_jobs_.load()) return schedule(replay_turn_, seconds{1}, &Process::load_replays);
    run_replays();
}

void Process::run_replays() {
    const auto pause = replay_jobs_.step();
    if (replaying()) schedule(replay_turn_, pause, &Process::run_replays);
}

bool Process::replaying() const {
    const auto all = replay_jobs_.all();
    return std::any_of(all.begin(), all.end(),
                       [](const ReplayJob& job) { return job.state == ReplayJob::State::Running; });
}

void Process::stop() {
    dispatcher_.finish();
    const auto until = world_.clock.elapsed() + seconds{10};
    while (recorder_.backlog() > 0 && world_.clock.elapsed() < until)
        world_.clock.run_to(world_.clock.elapsed() + recorder_.step());
}

}  // namespace orbridge::sim
