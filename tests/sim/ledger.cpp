#include "tests/sim/ledger.h"

#include <algorithm>

namespace orbridge::sim {
namespace {

/// For a queue of one subject's deliveries, each answered within a quarter of a second.
constexpr milliseconds kPrompt{20'000};
constexpr milliseconds kTwinWindow{120'000};
/// Far longer than any trouble lasts: a hold that runs out by itself is one that nobody ended.
constexpr milliseconds kHoldLeast{600'000};
constexpr milliseconds kLongestWait{std::chrono::hours{24}};
constexpr milliseconds kLoopWindow{60'000};
const std::string kGateNote = "target.gate/";

}  // namespace

void Ledger::complain(const std::string& checker, const std::string& text) {
    trace_.say("VIOLATION", checker + ":", text);
    if (!violation_) violation_ = Violation{checker, text};
}

Ledger::Known* Ledger::find(const DeliveryId& id) {
    const auto found = deliveries_.find(id);
    return found == deliveries_.end() ? nullptr : found->second.get();
}

// ---- what was stored ------------------------------------------------------------------------------

void Ledger::telling(int change, std::set<TargetId> targets) {
    telling_ = change;
    telling_to_ = std::move(targets);
}

void Ledger::stored(const NewEvent& event) {
    trace_.say("stored", event.event.id.value, event.event.subject, "change", telling_);
    events_.emplace(event.event.id, events_.size() + 1);
    subjects_[event.event.id] = event.event.subject;
    if (backlog_max_ != 0 && open_ >= backlog_max_)
        complain("backlog", "event " + event.event.id.value + " was accepted although the backlog is full");
    check_routed(event);
    check_single(event);
    check_loops(event);
    added(event.event.id, event.deliveries);
}

void Ledger::check_routed(const NewEvent& event) {
    std::set<TargetId> targets;
    for (const auto& delivery : event.deliveries) targets.insert(delivery.target);
    if (targets != telling_to_ || targets.size() != event.deliveries.size())
        complain("settled", "event " + event.event.id.value + " has not one delivery for each target that matches");
}

/// Deliveries of a subject that come too often are cut, and no others are.
void Ledger::check_loops(const NewEvent& event) {
    for (const auto& delivery : event.deliveries) {
        const auto limit = static_cast<std::size_t>(terms_[delivery.target].loop_limit);
        auto& told = told_[{delivery.target, event.event.subject}];
        const auto since = event.event.received_at - kLoopWindow;
        while (!told.empty() && told.front().at <= since) told.pop_front();
        const bool too_many = limit != 0 && told.size() >= limit;
        if (delivery.cut.empty() == too_many && (too_many || !stepped_back_))
            complain("loop", delivery.id.value + (too_many ? " was let through" : " was cut") + ", the " +
                                 std::to_string(told.size() + 1) + ". of its subject in a minute");
        if (delivery.cut.empty()) told.push_back({event.event.id, event.event.received_at});
    }
}

void Ledger::unheard(const EventId& event) {
    for (auto& [key, told] : told_)
        told.erase(std::remove_if(told.begin(), told.end(), [&](const Told& one) { return one.event == event; }),
                   told.end());
}

void Ledger::check_single(const NewEvent& event) {
    auto& seen = changes_[telling_].seen;
    for (const auto& [intake, at] : seen) {
        const bool apart = std::chrono::abs(event.event.received_at - at) > kTwinWindow && intake != event.event.intake;
        if (!apart) complain("once", "change " + std::to_string(telling_) + " became two events");
    }
    seen.emplace_back(event.event.intake, event.event.received_at);
}

Ledger::Known& Ledger::keep(const EventId& event, const NewDelivery& asked) {
    auto& entry = deliveries_[asked.id];
    if (entry) complain("duplicates", "two deliveries have the id " + asked.id.value);
    entry = std::make_unique<Known>();
    entry->id = asked.id;
    entry->event = event;
    entry->target = asked.target;
    if (terms_[asked.target].ordered) entry->order_key = subjects_[event];
    entry->place = {events_[event], numbers_[event]++};
    entry->replayed = asked.replayed;
    entry->cut = !asked.cut.empty();
    entry->stored_at = clock_.elapsed();
    entry->excused = disturbance_;
    return *entry;
}

void Ledger::added(const EventId& event, const std::vector<NewDelivery>& deliveries) {
    for (const auto& asked : deliveries) {
        // A replay's deliveries are due when it was ordered.
        if (asked.replayed && !replayed_.insert({event, asked.target, asked.due_at}).second)
            complain("duplicates", "a replay made " + asked.id.value + " although it had made one for the same event");
        auto& known = keep(event, asked);
        known.open = asked.cut.empty();
        if (known.open) ++open_;
        trace_.say("added", asked.id.value, asked.target.value, known.order_key, asked.replayed ? "replayed" : "");
        if (!known.order_key.empty()) queues_[{asked.target, known.order_key}].deliveries.push_back(&known);
    }
}

void Ledger::answered(int change, int status, const std::vector<EventId>& events, bool nameless) {
    trace_.say("answered", "change", change, "with", status);
    for (const auto& event : events)
        if (events_.count(event) == 0) complain("lost", "event " + event.value + " was accepted but never stored");
    if (status / 100 != 2) return;
    if (!nameless && events.empty()) complain("lost", "an answer accepts, but names no event");
    if (changes_.count(change) == 0)
        complain("lost", "change " + std::to_string(change) + " was accepted but never stored");
}

// ---- claims ---------------------------------------------------------------------------------------

void Ledger::claimed(const ClaimBatch& batch, TimePoint now, int limit) {
    if (static_cast<int>(batch.claims.size()) > limit) complain("limits", "more was handed out than asked for");
    check_gate(batch, now);
    for (const auto& claim : batch.claims) {
        trace_.say("claimed", claim.delivery.id.value, claim.delivery.target.value, "attempts",
                   claim.delivery.attempts_made);
        auto* known = find(claim.delivery.id);
        if (known == nullptr || !known->open) {
            complain("holders", "handed out what is not pending: " + claim.delivery.id.value);
            continue;
        }
        check_claim(*known, claim, now);
        known->token = claim.token;
        known->until = claim.until;
        known->claimed_at = clock_.elapsed();
        known->probe = gates_[known->target].open();
        known->asked = false;
        known->sends = 0;
        known->end.reset();
    }
}

void Ledger::check_claim(Known& delivery, const Claim& claim, TimePoint now) {
    const auto& id = delivery.id.value;
    if (delivery.token != 0 && delivery.until > now) complain("holders", "two hold " + id);
    if (delivery.token != 0) delivery.overlapping = delivery.doubt = true;
    if (delivery.token != 0 && delivery.end && clock_.elapsed() - delivery.claimed_at > kHoldLeast)
        complain("settled", "the end of an attempt was never recorded: " + id);
    if (now < delivery.not_before)
        complain("early", id + " was due " + to_iso8601(delivery.not_before) + ", now is " + to_iso8601(now));
    if (claim.delivery.attempts_made != delivery.recorded)
        complain("attempts", id + " was given out with a wrong number of attempts");
    check_order(delivery);
}

void Ledger::check_gate(const ClaimBatch& batch, TimePoint now) {
    if (batch.claims.empty()) return;
    const auto& target = batch.claims.front().delivery.target;
    const auto probes = std::count_if(deliveries_.begin(), deliveries_.end(), [&](const auto& entry) {
        return entry.second->target == target && entry.second->probe && entry.second->token != 0 && !entry.second->end;
    });
    const auto count = static_cast<int>(batch.claims.size());
    if (const auto broken = gates_[target].claimed(count, static_cast<int>(probes), now, clock_.elapsed()))
        complain(broken->checker, target.value + ' ' + broken->text);
}

void Ledger::handed(const ClaimBatch& batch) {
    for (const auto& claim : batch.claims)
        if (auto* known = find(claim.delivery.id)) known->handed_until = claim.until;
}

bool Ledger::has_newer(const Known& delivery) {
    const auto& queue = queues_[{delivery.target, delivery.order_key}].deliveries;
    return std::any_of(queue.begin(), queue.end(),
                       [&](const Known* other) { return other->open && other->place > delivery.place; });
}

void Ledger::born(const DeliveryId& delivery, bool over) {
    const auto* known = find(delivery);
    if (known == nullptr) return;
    const bool old = terms_[known->target].coalesces && has_newer(*known);
    if (old && !over) complain("coalesce", delivery.value + " is of an old state and goes out all the same");
    if (over && !old) complain("coalesce", delivery.value + " was over when it was stored, and nobody asked for it");
    if (over) cancelled(delivery, DeliveryState::Cancelled);
}

void Ledger::failed(const DeliveryId& delivery, bool ended) {
    const auto* known = find(delivery);
    if (known == nullptr) return;
    const bool old = terms_[known->target].coalesces && has_newer(*known);
    if (old && !ended) complain("coalesce", delivery.value + " is tried again although a newer state waits");
    if (ended && !old) complain("coalesce", delivery.value + " was dropped, and nobody asked for it");
    if (ended) cancelled(delivery, DeliveryState::Cancelled);
}

std::vector<DeliveryId> Ledger::waiting_before(const DeliveryId& delivery) {
    std::vector<DeliveryId> waiting;
    const auto* newer = find(delivery);
    if (newer == nullptr) return waiting;
    for (const auto* other : queues_[{newer->target, newer->order_key}].deliveries)
        if (other->open && other->place < newer->place) waiting.push_back(other->id);
    return waiting;
}

void Ledger::met_newer(const DeliveryId& delivery, bool ended) {
    auto* known = find(delivery);
    if (known == nullptr) return;
    const bool handed = known->handed_until != TimePoint{};
    const bool held = known->handed_until > clock_.now();
    const bool gives_way = terms_[known->target].coalesces;
    if (!ended && !handed && gives_way)
        complain("coalesce", delivery.value + " goes on waiting although a newer state came");
    if (!ended) return;
    if (!gives_way) complain("coalesce", delivery.value + " was dropped, and nobody asked for it");
    if (held) complain("coalesce", delivery.value + " was dropped out of somebody's hands");
    cancelled(delivery, DeliveryState::Cancelled);
}

void Ledger::noted(const std::string& key, const std::string& value) {
    if (key.rfind(kGateNote, 0) == 0) gates_[{key.substr(kGateNote.size())}].noted(value);
}

void Ledger::paused(const TargetId& target) {
    trace_.say("paused", target.value);
    gates_[target].paused(clock_.elapsed());
}

void Ledger::resumed(const TargetId& target) {
    trace_.say("resumed", target.value);
    gates_[target].resumed();
}

void Ledger::check_order(const Known& delivery) {
    if (delivery.order_key.empty()) return;
    for (const auto* other : queues_[{delivery.target, delivery.order_key}].deliveries) {
        if (other == &delivery || !other->open) continue;
        const bool held = other->token != 0 && other->until > clock_.now();
        const bool before = !delivery.replayed && !other->replayed && other->place < delivery.place;
        if (held || before) complain("order", delivery.id.value + " was started before the end of " + other->id.value);
    }
}

void Ledger::released(const std::vector<Claim>& claims) {
    for (const auto& claim : claims) {
        auto* known = find(claim.delivery.id);
        if (known == nullptr || known->token != claim.token) continue;
        known->token = 0;
        known->handed_until = {};
    }
}

void Ledger::died() {
    trace_.say("died");
    for (auto& [id, known] : deliveries_) {
        if (known->in_transit || known->token != 0) known->doubt = true;
        known->token = 0;
        known->handed_until = {};
        known->in_transit = false;
        known->overlapping = false;
    }
    told_.clear();
    for (auto& [target, gate] : gates_) gate.died();
    in_flight_.clear();
    in_flight_total_ = 0;
}

// ---- attempts -------------------------------------------------------------------------------------

void Ledger::sent(const TargetId& target, const DeliveryId& delivery, bool inquiry) {
    trace_.say(inquiry ? "asks about" : "sends", delivery.value, "to", target.value);
    if (++in_flight_[target] > terms_[target].in_flight_max) complain("limits", target.value + " is asked too much");
    const auto& lease_end = terms_[target].lease_end;  // subscribers have room of their own
    if (!lease_end && ++in_flight_total_ > in_flight_max_) complain("limits", "too much is in flight");
    if (lease_end && clock_.now() >= *lease_end)
        complain("lease", "sent after the end of the lease: " + delivery.value);
    auto* known = find(delivery);
    if (known == nullptr || known->target != target)
        return complain("duplicates", "sent under an id that no delivery has: " + delivery.value);
    known->in_transit = true;
    if (known->token == 0 && !known->cancelled)
        complain("holders", "sent by somebody who does not hold " + delivery.value);
    if (inquiry) {
        known->asked = true;
        return;
    }
    if (++known->sends > 1 && !known->overlapping)
        complain("attempts", "sent twice under one claim: " + delivery.value);
    if (known->unclear && terms_[target].asks && !known->asked)
        complain("unclear", "sent again without asking first: " + delivery.value);
}

void Ledger::ended(const TargetId& target, const DeliveryId& delivery, const ExchangeEnd& end) {
    trace_.say("ended", delivery.value, end.arrived ? "arrived" : end.unclear ? "unclear" : "");
    --in_flight_[target];
    if (!terms_[target].lease_end) --in_flight_total_;
    keep_gate(target, end);
    auto* known = find(delivery);
    if (known == nullptr) return;
    known->in_transit = false;
    if (end.unclear && !end.inquiry) known->doubt = true;
    known->end = end;
    known->ended_at = clock_.now();
}

void Ledger::keep_gate(const TargetId& target, const ExchangeEnd& end) {
    auto& gate = gates_[target];
    if (end.failed) gate.failed(clock_.now());
    if (end.arrived) gate.fine();
    if (end.final_no) gate.answered();
}

void Ledger::acted(const TargetId& target, const DeliveryId& delivery) {
    trace_.say("acted", delivery.value, target.value);
    auto* known = find(delivery);
    if (known == nullptr) return complain("duplicates", "acted upon an id that no delivery has: " + delivery.value);
    if (++known->acted == 1) return check_prompt(*known);
    if (terms_[target].single) complain("duplicates", "acted twice upon " + delivery.value);
    if (!known->doubt) complain("duplicates", "sent again without need: " + delivery.value);
}

void Ledger::disturb(milliseconds by) {
    if (by == milliseconds{0}) return;
    disturbance_ += by;
    disturbed_until_ = std::max(disturbed_until_, clock_.elapsed() + by);
}

void Ledger::set_back(milliseconds by) {
    const auto until = clock_.elapsed() + by;
    for (auto& [id, known] : deliveries_) {
        if (!known->open) continue;
        known->excused -= by;
        auto& queue = queues_[{known->target, known->order_key}];
        queue.held_until = std::max(queue.held_until, until);
    }
    for (auto& [target, gate] : gates_) gate.set_back();
    told_.clear();
    stepped_back_ = true;
}

milliseconds Ledger::latest(const Known& delivery) const {
    const auto own = delivery.stored_at + (disturbance_ - delivery.excused);
    const auto queue = queues_.find({delivery.target, delivery.order_key});
    const auto held = queue == queues_.end() ? milliseconds{0} : queue->second.held_until;
    return std::max({own, held, disturbed_until_}) + kPrompt;
}

void Ledger::check_prompt(const Known& delivery) {
    if (!terms_[delivery.target].steady || clock_.elapsed() <= latest(delivery)) return;
    const auto took = clock_.elapsed() - delivery.stored_at;
    const auto allowed = latest(delivery) - delivery.stored_at;
    complain("starved", delivery.id.value + " took " + std::to_string(took.count()) + " ms, allowed are " +
                            std::to_string(allowed.count()));
}

// ---- ends -----------------------------------------------------------------------------------------

TimePoint Ledger::earliest_next(const Known& delivery) const {
    const auto& terms = terms_.at(delivery.target);
    const auto step = terms.schedule.at(static_cast<std::size_t>(delivery.recorded) - 1);
    const auto least = milliseconds(static_cast<std::int64_t>(static_cast<double>(step.count()) * (1 - terms.jitter)));
    return delivery.ended_at + std::min(std::max(least, delivery.end->least_wait), kLongestWait);
}

void Ledger::settled(const Settle& settle) {
    auto* known = find(settle.claim.delivery.id);
    trace_.say("settled", settle.claim.delivery.id.value, settle.attempt.outcome, settle.attempt.reason);
    if (known == nullptr) return complain("holders", "settled what is not known");
    if (!known->open || known->token == 0 || known->token != settle.claim.token)
        return complain("holders", "settled by somebody who does not hold " + known->id.value);
    known->token = 0;
    known->handed_until = {};
    ++known->recorded;
    check_settlement(*known, settle);
    if (!std::holds_alternative<RetryAt>(settle.settlement)) return close(*known);
    if (!known->end || known->overlapping) {  // whose end it is cannot be told
        known->unclear = false;
        return;
    }
    known->unclear = known->end->unclear || (known->unclear && known->end->inquiry);
    if (known->recorded <= static_cast<int>(terms_[known->target].schedule.size()))
        known->not_before = earliest_next(*known);
}

void Ledger::check_settlement(const Known& delivery, const Settle& settle) {
    const auto& id = delivery.id.value;
    const auto most = static_cast<int>(terms_[delivery.target].schedule.size()) + 1;
    const bool again = std::holds_alternative<RetryAt>(settle.settlement);
    if (delivery.recorded > most || (again && delivery.recorded == most))
        complain("attempts", id + " is tried more often than its policy allows");
    if (std::holds_alternative<Finished>(settle.settlement) && delivery.acted == 0)
        complain("settled", id + " is called delivered, but never arrived");
    const bool refused = delivery.end && delivery.end->final_no;
    if (std::holds_alternative<Dead>(settle.settlement) && !refused && delivery.recorded < most &&
        !delivery.overlapping)
        complain("settled", id + " was given up without reason");
}

void Ledger::close(Known& delivery) {
    delivery.open = false;
    delivery.token = 0;
    --open_;
}

void Ledger::cancelled_all(const TargetId& target, DeliveryState as) {
    for (const auto& [id, known] : deliveries_)
        if (known->target == target) cancelled(id, as);
}

void Ledger::cancelled(const DeliveryId& delivery, DeliveryState as) {
    auto* known = find(delivery);
    if (known == nullptr || !known->open) return;
    trace_.say(to_text(as), delivery.value);
    const auto& lease_end = terms_[known->target].lease_end;
    if (as == DeliveryState::Expired && (!lease_end || clock_.now() < *lease_end))
        complain("lease", delivery.value + " expired though nothing had ended");
    known->cancelled = true;
    close(*known);
}

void Ledger::logged(const std::string& line, const std::string& secret) {
    if (line.find(secret) != std::string::npos) complain("secrets", "a secret is in the log");
    trace_.add("    " + line);
}

// ---- at the end -----------------------------------------------------------------------------------

void Ledger::check_end(Store& store) {
    for (const auto& [event, place] : events_)
        if (!store.event(event)) complain("lost", "event " + event.value + " is gone");
    for (const auto& [id, known] : deliveries_) {
        if (known->open) complain("settled", id.value + " to " + known->target.value + " never came to an end");
        const auto attempts = store.attempts(id);
        check_row(*known, store.delivery(id), attempts ? attempts->size() : 0);
    }
}

void Ledger::check_row(const Known& delivery, const Result<DeliveryRow>& row, std::size_t attempts) {
    const auto& id = delivery.id.value;
    if (!row) return complain("lost", "delivery " + id + " is gone");
    if (row->attempts_made != delivery.recorded || attempts != static_cast<std::size_t>(delivery.recorded))
        complain("attempts", id + " has attempts in its history that were not made");
    if (row->state == DeliveryState::Delivered && delivery.acted == 0)
        complain("settled", id + " is called delivered, but never arrived");
    if (row->state == DeliveryState::Pending && !delivery.open) complain("settled", id + " is pending again");
}

std::vector<EventId> Ledger::events() const {
    std::vector<EventId> all;
    for (const auto& [event, place] : events_) all.push_back(event);
    return all;
}

std::vector<DeliveryId> Ledger::open_deliveries() const {
    std::vector<DeliveryId> all;
    for (const auto& [id, known] : deliveries_)
        if (known->open) all.push_back(id);
    return all;
}

}  // namespace orbridge::sim
