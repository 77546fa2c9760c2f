#include <algorithm>
#include <utility>

#include "bridge/deliver/dispatcher.h"

/// The part of the dispatcher that has to do with its lanes' gates: what is ordered from outside, remembered over
/// restarts, logged and shown.
namespace orbridge {
namespace {

std::string note_of(const TargetId& id) { return "target.gate/" + id.value; }

}  // namespace

// ---- from other threads ---------------------------------------------------------------------------

void Dispatcher::pause(const TargetId& target, std::string reason) {
    order({Order::What::Pause, target, std::move(reason)});
}

void Dispatcher::resume(const TargetId& target) { order({Order::What::Resume, target}); }

void Dispatcher::start_slowly(const std::vector<TargetId>& targets) {
    for (const auto& target : targets) order({Order::What::StartSlowly, target});
}

void Dispatcher::order(Order order) {
    inbox_.with([&](Inbox& inbox) { inbox.orders.push_back(std::move(order)); });
    transport_.wake();
}

std::map<TargetId, TargetView> Dispatcher::views() const {
    return shown_.with([](const auto& all) {
        std::map<TargetId, TargetView> views;
        for (const auto& [id, shown] : all)
            views[id] = {shown->gate.with([](const GateState& gate) { return gate; }), shown->in_flight};
        return views;
    });
}

std::optional<TargetView> Dispatcher::view(const TargetId& target) const {
    const auto shown = shown_.with([&](const auto& all) -> std::shared_ptr<Shown> {
        const auto found = all.find(target);
        return found == all.end() ? nullptr : found->second;
    });
    if (!shown) return std::nullopt;
    return TargetView{shown->gate.with([](const GateState& gate) { return gate; }), shown->in_flight};
}

// ---- on the driving thread ------------------------------------------------------------------------

void Dispatcher::obey(const Order& order, TimePoint now) {
    const auto found = lanes_.find(order.target);
    if (found == lanes_.end()) return;
    auto& lane = *found->second;
    if (lane.recipe && !lane.restored) return postponed_.push_back(order);  // what is read would undo it
    Gate::Change change;
    switch (order.what) {
        case Order::What::Pause: change.breaker = lane.gate.pause(order.reason); break;
        case Order::What::Resume: change.breaker = lane.gate.resume(now); break;
        case Order::What::StartSlowly: lane.gate.start_slowly(); break;
    }
    change.looks = true;
    gate_changed(lane, change, now);
    queue(lane, now);
}

/// Before anything is sent to them. False: the store could not be asked.
bool Dispatcher::restore_lanes(TimePoint now) {
    for (auto& [id, lane] : lanes_) {
        if (!lane->recipe || lane->restored) continue;
        if (!restore(*lane)) {
            blocked_until_ = now + settings_.store_pause;
            return false;
        }
        show(*lane, now);
        queue(*lane, now);
    }
    all_restored_ = true;
    for (const auto& order : std::exchange(postponed_, {})) obey(order, now);
    return true;
}

bool Dispatcher::restore(Lane& lane) {
    const auto unavailable = [this](const Error& error) {
        log_.error("dispatcher.store_unavailable", {{"reason", error.message}});
        return false;
    };
    const auto note = store_.note(note_of(lane.id));
    if (!note) return unavailable(note.error());
    // Before the first attempt, so that the next start knows that the limit may have been used up.
    if (!*note && lane.limited) {
        if (const auto kept = store_.set_note(note_of(lane.id), lane.gate.save()); !kept)
            return unavailable(kept.error());
    }
    lane.restored = true;
    if (!*note) return true;
    lane.gate.restore(**note);
    if (lane.gate.state({}).paused) log_gate(lane, "target.breaker", clock_.now());
    return true;
}

void Dispatcher::keep(const Lane& lane) {
    if (!of_family(lane)) recorder_.keep(note_of(lane.id), lane.gate.save());
}

void Dispatcher::show(Lane& lane, TimePoint now) {
    if (!lane.shown) {
        lane.shown = std::make_shared<Shown>();
        lane.shown->in_flight = lane.in_flight;
        shown_.with([&](auto& all) { all[lane.id] = lane.shown; });
    }
    lane.shown->gate.with([&](GateState& gate) { gate = lane.gate.state(now); });
}

void Dispatcher::hide(Lane& lane) {
    if (!std::exchange(lane.shown, nullptr)) return;
    shown_.with([&](auto& all) { all.erase(lane.id); });
}

void Dispatcher::gate_changed(Lane& lane, const Gate::Change& change, TimePoint now) {
    if (change.breaker) log_gate(lane, "target.breaker", now);
    if (change.waits) log_gate(lane, "target.retry_after", now);
    if (change.breaker || change.waits) keep(lane);
    if (change.looks && lane.recipe) show(lane, now);
}

void Dispatcher::log_gate(const Lane& lane, std::string_view message, TimePoint now) {
    const auto state = lane.gate.state(now);
    const auto breaker = state.breaker(now);
    const auto until = breaker == Breaker::State::Open ? state.open_until : state.wait_until;
    const bool waits = until && now < *until;
    const Log::Fields fields = {
        {"target", lane.id},
        {"state", to_text(breaker)},
        {"until", waits ? to_iso8601(*until) : std::string()},
        {"failing_since", state.failing_since ? to_iso8601(*state.failing_since) : std::string()},
        {"reason", state.reason}};
    if (breaker == Breaker::State::Paused) {
        log_.error(message, fields);
    } else if (breaker == Breaker::State::Open || waits) {
        log_.warn(message, fields);
    } else {
        log_.info(message, fields);
    }
}

}  // namespace orbridge
