#include "tests/sim/simulation.h"

#include <utility>

#include "bridge/core/json.h"

namespace orbridge::sim {
namespace {

constexpr std::size_t kStepsMax = 200'000;
constexpr milliseconds kEnd{std::chrono::hours{24 * 90}};
constexpr int kTriesMax = 6;
/// For what a source or an operator has not finished when the scenario ends.
constexpr milliseconds kGrace{90'000};
/// A start takes its targets up gently.
constexpr milliseconds kStart{5'000};

std::vector<EventId> events_in(const Answer& answer) {
    std::vector<EventId> events;
    const auto document = JsonDocument::parse(answer.body);
    if (!document) return events;
    if (const auto id = (*document)->root()["id"].string()) events.push_back({std::string(*id)});
    return events;
}

Terms terms_of(const TargetConfig& target) {
    const bool windmill = target.kind == OtherSide::Kind::Windmill;
    Terms terms;
    terms.schedule = target.retry.schedule;
    terms.jitter = target.retry.jitter;
    terms.in_flight_max = target.in_flight_max;
    terms.asks = terms.single = windmill;
    terms.ordered = windmill || target.lease;
    terms.steady = target.steady;
    if (target.breaker)
        terms.gate = {.failures_in_a_row = target.breaker->failures_in_a_row, .open_least = target.breaker->open_least};
    terms.gate.requests = target.rate.requests;
    terms.gate.per = target.rate.per;
    terms.coalesces = target.latest_only;
    terms.loop_limit = target.loop_limit;
    if (target.lease) terms.lease_end = VirtualClock::kStart + *target.lease;
    return terms;
}

std::set<TargetId> all_targets(const Config& config) {
    std::set<TargetId> all;
    for (const auto& target : config.targets)
        if (!target.lease) all.insert(target.id);
    return all;
}

}  // namespace

Simulation::Simulation(const Scenario& scenario, std::shared_ptr<const MappingSet> mappings, Bug bug,
                       Trace::Kind tracing)
    : scenario_(scenario),
      mappings_(std::move(mappings)),
      world_(scenario.seed, scenario.config, bug, tracing),
      configured_(all_targets(scenario.config)) {
    for (const auto& target : scenario.config.targets) {
        world_.ledger.set_terms(target.id, terms_of(target));
        world_.transport.add(target.id, target.kind, target.manner);
    }
    world_.ledger.set_backlog_max(static_cast<std::uint64_t>(scenario.config.backlog_max));
    if (bug == Bug::OneAtATime) world_.transport.one_at_a_time();
    plan();
}

Simulation::~Simulation() = default;

void Simulation::plan() {
    for (const auto& action : scenario_.actions) world_.agenda.at(action.at, [this, action] { act(action); });
    world_.agenda.at(scenario_.length + kGrace, [this] { calm(); });
}

Played Simulation::run() {
    start();
    Played outcome;
    while (!world_.ledger.violation() && !world_.agenda.empty()) {
        if (++outcome.steps > kStepsMax || world_.clock.elapsed() > kEnd) break;
        world_.agenda.run_next();
        if (crashed_) end_life();
        if (over_ && settled()) break;
    }
    world_.faults.calm();
    if (!world_.ledger.violation()) world_.ledger.check_end(world_.store);
    outcome.violation = world_.ledger.violation();
    outcome.trace = world_.trace.lines();
    outcome.fingerprint = world_.trace.fingerprint();
    return outcome;
}

bool Simulation::settled() const {
    return process_ && process_->idle() && world_.ledger.open() == 0 && world_.transport.quiet();
}

// ---- the process ----------------------------------------------------------------------------------

void Simulation::guarded(const std::function<void()>& work) {
    try {
        work();
    } catch (const Crash&) {
        crashed_ = true;
    }
}

void Simulation::start() {
    if (process_) return;
    world_.trace.say("started");
    world_.ledger.disturb(kStart);
    process_ = std::make_unique<Process>(world_, configured_, mappings_,
                                         [this](const std::function<void()>& work) { guarded(work); });
    if (over_) world_.agenda.in(seconds{1}, [this] { resume_all(); });
}

void Simulation::end_life() {
    crashed_ = false;
    if (!process_) return;
    process_.reset();
    world_.store.restarted();
    world_.ledger.died();
    const auto down = world_.some(100, 5'000);
    world_.ledger.disturb(down);
    world_.agenda.in(down, [this] { start(); });
}

void Simulation::stop() {
    if (!process_) return;
    const auto before = world_.clock.elapsed();
    guarded([this] { process_->stop(); });
    world_.ledger.disturb(world_.clock.elapsed() - before);
    crashed_ = true;
}

// ---- what happens to it ---------------------------------------------------------------------------

void Simulation::act(const Action& action) {
    using Kind = Action::Kind;
    if (over_) return;
    if (action.kind != Kind::Tell) world_.trace.say("ACTION", static_cast<int>(action.kind), action.number);
    switch (action.kind) {
        case Kind::Tell: return tell(scenario_.tellings.at(static_cast<std::size_t>(action.number)), 1);
        case Kind::Crash:
            return world_.faults.strike_next(world_.chance(50) ? Strike::CrashBefore : Strike::CrashAfter);
        case Kind::Kill: crashed_ = true; return;
        case Kind::Stop: return stop();
        case Kind::StepClock:
            if (action.by < milliseconds{0}) world_.ledger.set_back(-action.by);
            return world_.clock.step(action.by);
        case Kind::Trouble: return world_.faults.set_trouble(action.number);
        case Kind::Remove: return remove(action.number);
        case Kind::Restore: return restore();
        case Kind::ReplayDead:
        case Kind::ReplayTarget:
        case Kind::ReplayEvent: return replay(action);
        case Kind::Cancel: return cancel();
        case Kind::Pause: return pause(action.number);
        case Kind::Resume: return resume(action.number);
    }
}

/// A source that gets no answer, or is told that nothing was stored, mostly tries again, and then gives up.
void Simulation::tell_again(const Telling& telling, int tries) {
    if (tries < kTriesMax && world_.chance(85))
        world_.agenda.in(world_.some(500, 5'000), [this, telling, tries] { tell(telling, tries + 1); });
}

void Simulation::tell(const Telling& telling, int tries) {
    if (!process_) return tell_again(telling, tries);
    const auto& verb = scenario_.changes.at(static_cast<std::size_t>(telling.change)).verb;
    world_.ledger.telling(telling.change, expected_targets(world_, configured_, verb));
    std::optional<Answer> answer;
    guarded([&] {
        const auto request = request_for(scenario_, telling);
        answer = telling.form == Telling::Form::Hook ? process_->hook(request) : process_->push(request);
    });
    if (!answer) return tell_again(telling, tries);
    const bool hook = telling.form == Telling::Form::Hook;
    world_.ledger.answered(telling.change, answer->status, events_in(*answer), hook);
    if (answer->status / 100 != 2) tell_again(telling, tries);
}

void Simulation::remove(int target) {
    const auto gone = target_at(target);
    configured_.erase(gone);
    if (scenario_.config.targets.at(0).id == gone) world_.ledger.disturb(scenario_.length + kGrace);
    if (process_) process_->configure(configured_);
}

void Simulation::replay(const Action& action) {
    if (!process_) return;
    ReplayOrder order;
    const auto events = world_.ledger.events();
    if (action.kind == Action::Kind::ReplayDead) order.state = DeliveryState::Dead;
    if (action.kind == Action::Kind::ReplayTarget) order.target = target_at(action.number).value;
    if (action.kind == Action::Kind::ReplayEvent) {
        if (events.empty()) return;
        order.event = events[world_.random.bits() % events.size()].value;
    }
    guarded([&] {
        const auto report = process_->replay(order);
        world_.trace.say("replay of", report ? std::to_string(report->total) : report.error().message);
    });
}

void Simulation::cancel() {
    const auto open = world_.ledger.open_deliveries();
    if (!process_ || open.empty()) return;
    guarded([&] { process_->cancel(open[world_.random.bits() % open.size()]); });
}

TargetId Simulation::target_at(int number) const {
    const auto& targets = scenario_.config.targets;
    return targets.at(static_cast<std::size_t>(number) % targets.size()).id;
}

void Simulation::pause(int target) {
    if (!process_) return;
    const auto id = target_at(target);
    process_->pause(id);
    world_.ledger.paused(id);
}

void Simulation::resume(int target) {
    if (!process_) return;
    const auto id = target_at(target);
    world_.ledger.resumed(id);
    process_->resume(id);
}

/// From here on nothing goes wrong.
void Simulation::calm() {
    world_.trace.say("calm");
    over_ = true;
    world_.faults.calm();
    world_.transport.calm();
    restore();
    resume_all();
}

/// As whoever looks after it would do: a pause may outlive an order to end it that no store has kept.
void Simulation::resume_all() {
    for (int i = 0; i < static_cast<int>(scenario_.config.targets.size()); ++i) resume(i);
}

void Simulation::restore() {
    const auto all = all_targets(scenario_.config);
    if (std::exchange(configured_, all) != all && process_) process_->configure(configured_);
}

}  // namespace orbridge::sim
