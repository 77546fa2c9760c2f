#include <algorithm>

#include "bridge/store/keys.h"
#include "bridge/store/memory_queries.h"
#include "bridge/store/memory_store.h"

// The part of the store in memory that takes events in and knows them again.
namespace orbridge {
namespace {

std::optional<Error> bad_id(const NewEvent& event) {
    if (!is_uuid(event.event.id.value)) return Error{Error::Kind::Invalid, "event id is not a UUID"};
    for (const auto& delivery : event.deliveries)
        if (!is_uuid(delivery.id.value)) return Error{Error::Kind::Invalid, "delivery id is not a UUID"};
    return std::nullopt;
}

/// What a dedup key is kept under. Not by the subject's own name, which may have to be forgotten.
std::pair<SourceId, std::string> dedup_of(const Event& event, const std::string& key) {
    return {event.source, erased_name(event.subject) + "\n" + key};
}

}  // namespace

Result<std::vector<Accepted>> MemoryStore::accept(const Arrival& arrival) {
    for (const auto& event : arrival.events)
        if (auto bad = bad_id(event)) return *bad;
    return state_.with([&](State& state) -> Result<std::vector<Accepted>> {
        for (const auto& event : arrival.events) {
            for (const auto& delivery : event.deliveries) {
                if (state.delivery_ids.count(delivery.id) != 0 && state.event_ids.count(event.event.id) == 0)
                    return Error{Error::Kind::Unavailable, "a delivery with the id " + delivery.id.value + " exists"};
            }
        }
        for (const auto& arrived : arrival.events) {
            const auto& event = arrived.event;
            if (event.backfilled) continue;  // nothing was heard just now
            auto& heard = state.heard[{event.source.value, event.intake}];
            heard = {event.source.value, event.intake, std::max(heard.last_at, event.received_at), heard.count + 1};
        }
        if (arrival.events.empty()) {
            store_rest(state, arrival);
            return std::vector<Accepted>{};
        }
        auto accepted = store(state, arrival);
        if (!accepted.empty()) store_rest(state, arrival);
        if (accepted.empty()) return Error{Error::Kind::Unavailable, "cannot store the event: it is new"};
        return accepted;
    });
}

/// None: something is new, and only what is known was wanted.
std::vector<Accepted> MemoryStore::store(State& state, const Arrival& arrival) const {
    const std::pair request(arrival.events.front().event.source, arrival.request_id);
    if (const auto known = state.requests.find(request); !arrival.request_id.empty() && known != state.requests.end())
        return std::vector<Accepted>(arrival.events.size(), Accepted{state.events.at(known->second).event.id, true});
    std::vector<Accepted> accepted;
    for (const auto& event : arrival.events) {
        const auto one = store_one(state, event, arrival.only_if_known);
        if (!one) return {};
        accepted.push_back(*one);
    }
    if (!arrival.request_id.empty() && !arrival.only_if_known)
        state.requests[request] = state.event_ids.at(accepted.front().id);
    return accepted;
}

std::optional<Accepted> MemoryStore::store_one(State& state, const NewEvent& event, bool only_if_known) const {
    if (event.event.backfilled) return store_backfilled(state, event, only_if_known);
    if (!event.leaves || event.event.subject.empty()) return store_unless_known(state, event, only_if_known);
    const std::pair place(event.event.source, event.event.subject);
    const auto found = state.snapshots.find(place);
    const auto before = found == state.snapshots.end() ? std::nullopt : std::optional(found->second);
    const bool late = event.event.sequence != 0;
    const auto verdict =
        late ? judge_late(before, *event.leaves, event.event) : judge(before, *event.leaves, event.event.intake);
    if (verdict.same) return Accepted{before->event.value.empty() ? event.event.id : before->event, true};
    auto as_stored = event;
    if (verdict.real) {
        as_stored.twin_key.clear();
        if (state.dedup.count(dedup_of(event.event, event.dedup_key)) != 0)
            as_stored.dedup_key = again_key(event.dedup_key, before->version);
    }
    auto accepted = store_unless_known(state, as_stored, only_if_known);
    const bool news = accepted && !accepted->duplicate && !verdict.keep;
    if (!news && (!accepted || before)) return accepted;
    auto& stored = state.events.at(state.event_ids.at(accepted->id));
    if (stored.event.state == EventState::Erased) return accepted;
    auto difference = leave_snapshot(state, before, event, accepted->id);
    if (news) stored.difference = std::move(difference);
    return accepted;
}

std::optional<Difference> MemoryStore::leave_snapshot(State& state, const std::optional<Snapshot>& before,
                                                      const NewEvent& event, const EventId& stored_as) const {
    auto update = following(before, before ? 0 : state.floors[event.event.source], *event.leaves, event.event,
                            stored_as, old_state_bytes_max_);
    state.snapshots[{event.event.source, event.event.subject}] = std::move(update.after);
    return std::move(update.difference);
}

std::optional<Accepted> MemoryStore::store_backfilled(State& state, const NewEvent& event, bool only_if_known) const {
    const auto found = state.snapshots.find({event.event.source, event.event.subject});
    auto known = found == state.snapshots.end() ? std::nullopt : std::optional(found->second);
    if (!known && event.leaves)
        known = first_sight(*event.leaves, state.floors[event.event.source], event.event.received_at);
    if (!is_untold(known)) return Accepted{known && !known->event.value.empty() ? known->event : event.event.id, true};
    auto accepted = store_unless_known(state, event, only_if_known);
    if (!accepted || state.events.at(state.event_ids.at(accepted->id)).event.state == EventState::Erased)
        return accepted;
    known->event = accepted->id;
    state.snapshots[{event.event.source, event.event.subject}] = *std::move(known);
    return accepted;
}

std::optional<Accepted> MemoryStore::store_unless_known(State& state, const NewEvent& event, bool only_if_known) const {
    if (const auto earlier = find_duplicate(state, event)) return Accepted{*earlier, true};
    if (only_if_known) return std::nullopt;
    store_new(state, event);
    return Accepted{event.event.id, false};
}

void MemoryStore::store_rest(State& state, const Arrival& arrival) {
    for (const auto& seen : arrival.seen) {
        state.snapshots.try_emplace({arrival.seen_at, seen.subject},
                                    first_sight(seen.state, state.floors[arrival.seen_at], arrival.seen_when));
    }
    if (arrival.bookmark) state.notes[arrival.bookmark->key] = arrival.bookmark->value;
}

void MemoryStore::store_new(State& state, const NewEvent& event) {
    const auto sequence = ++state.last_sequence;
    auto& stored = state.events[sequence];
    stored = {event.event, {}, event.twin_key, {event.event.intake}, 0, {}};
    stored.event.sequence = sequence;
    if (event.event.state == EventState::Unmapped) stored.headers = event.headers;
    state.event_ids[event.event.id] = sequence;
    if (!event.dedup_key.empty()) {
        const auto key = dedup_of(event.event, event.dedup_key);
        stored.dedup_keys.insert(key.second);
        state.dedup[key] = sequence;
    }
    add(state, stored, event.deliveries);
}

std::optional<EventId> MemoryStore::find_duplicate(State& state, const NewEvent& event) const {
    const auto& source = event.event.source;
    if (!event.dedup_key.empty()) {
        const auto same = state.dedup.find(dedup_of(event.event, event.dedup_key));
        if (same != state.dedup.end()) return state.events.at(same->second).event.id;
    }
    if (state.event_ids.count(event.event.id) != 0) return event.event.id;
    if (event.twin_key.empty()) return std::nullopt;
    for (auto& [sequence, earlier] : state.events) {
        const auto apart = std::chrono::abs(event.event.received_at - earlier.event.received_at);
        const bool about_same = earlier.event.source == source && earlier.event.subject == event.event.subject;
        if (earlier.twin_key != event.twin_key || !about_same || apart > twin_window_) continue;
        // Polling sees whole objects, as webhooks do: only what schema hooks tell it cannot know again by itself.
        const auto intakes = std::pair(event.event.intake, earlier.event.intake);
        const bool polled = intakes.first == Intake::Poll || intakes.second == Intake::Poll;
        const bool hooked = intakes.first == Intake::Hooks || intakes.second == Intake::Hooks;
        if (polled && !hooked) continue;
        if (!earlier.seen.insert(event.event.intake).second) continue;
        if (!event.dedup_key.empty()) {
            const auto key = dedup_of(event.event, event.dedup_key);
            earlier.dedup_keys.insert(key.second);
            state.dedup[key] = sequence;
        }
        return earlier.event.id;
    }
    return std::nullopt;
}

void MemoryStore::add(State& state, StoredEvent& to, const std::vector<NewDelivery>& deliveries) {
    for (const auto& asked : deliveries) {
        const Place place{to.event.sequence, to.deliveries++};
        auto cut = asked.cut;
        if (asked.latest_only && cut.empty()) cut = supersede(state, asked, place);
        auto& delivery = state.deliveries[place];
        delivery.asked = asked;
        delivery.due_at = asked.due_at;
        state.delivery_ids[asked.id] = place;
        if (!cut.empty()) {
            delivery.state = DeliveryState::Cancelled;
            delivery.ended_at = asked.due_at;
            delivery.reason = std::move(cut);
            continue;
        }
        if (!asked.order_key.empty()) {
            auto& open = state.open[{asked.target, asked.order_key}];
            delivery.waiting = !open.empty();
            open.insert(place);
        }
        if (!delivery.waiting) state.claimable[asked.target].insert({asked.due_at, place});
    }
}

std::string MemoryStore::superseded_by(const State& state, const Place& younger) {
    return "superseded by " + state.events.at(younger.first).event.id.value;
}

/// Ends what is older and waits. Not empty: why the new one itself is over.
std::string MemoryStore::supersede(State& state, const NewDelivery& by, const Place& at) {
    const auto open = state.open.find({by.target, by.order_key});
    if (by.order_key.empty() || open == state.open.end()) return {};
    const auto places = open->second;
    if (at < *places.rbegin()) return superseded_by(state, *places.rbegin());
    for (auto place = places.rbegin(); place != places.rend(); ++place) {  // the last first: none is promoted
        auto& delivery = state.deliveries.at(*place);
        if (delivery.token == 0) end(state, delivery, DeliveryState::Cancelled, superseded_by(state, at), by.due_at);
    }
    return {};
}

Status MemoryStore::remap(const EventId& id, const std::vector<NewEvent>& mapped) {
    return state_.with([&](State& state) -> Status {
        const auto known = state.event_ids.find(id);
        if (known == state.event_ids.end()) return no_event(id);
        auto& stored = state.events.at(known->second);
        if (stored.event.state != EventState::Unmapped)
            return Error{Error::Kind::Conflict, "the event is mapped already"};
        bool has_form = false;
        for (const auto& event : mapped) {
            if (has_form) {
                store_one(state, event, false);
                continue;
            }
            const auto same = state.dedup.find(dedup_of(event.event, event.dedup_key));
            if (!event.dedup_key.empty() && same != state.dedup.end() && same->second != known->second) continue;
            give_form(state, stored, event);
            has_form = true;
        }
        if (has_form) return Ok{};
        return Error{Error::Kind::Conflict, "the same event is stored already"};
    });
}

void MemoryStore::give_form(State& state, StoredEvent& stored, const NewEvent& mapped) const {
    const auto& source = stored.event.source;
    if (!mapped.dedup_key.empty()) {
        for (const auto& key : stored.dedup_keys) state.dedup.erase({source, key});
        const auto key = dedup_of(mapped.event, mapped.dedup_key);
        stored.dedup_keys = {key.second};
        state.dedup[key] = stored.event.sequence;
    }
    auto event = mapped.event;
    event.id = stored.event.id;
    event.sequence = stored.event.sequence;
    event.source = stored.event.source;
    event.intake = stored.event.intake;
    event.received_at = stored.event.received_at;
    event.state = EventState::Mapped;
    stored.event = event;
    stored.twin_key = mapped.twin_key;
    stored.headers.clear();
    add(state, stored, mapped.deliveries);
    if (!mapped.leaves || event.subject.empty()) return;
    const auto found = state.snapshots.find({source, event.subject});
    const auto before = found == state.snapshots.end() ? std::nullopt : std::optional(found->second);
    if (judge_late(before, *mapped.leaves, event).keep) return;
    stored.difference = leave_snapshot(state, before, mapped, event.id);
}

Result<Headers> MemoryStore::kept_headers(const EventId& id) {
    return state_.with([&](State& state) -> Result<Headers> {
        const auto known = state.event_ids.find(id);
        return known == state.event_ids.end() ? Headers{} : state.events.at(known->second).headers;
    });
}

Status MemoryStore::add_deliveries(const EventId& id, const std::vector<NewDelivery>& deliveries) {
    return state_.with([&](State& state) -> Status {
        const auto known = state.event_ids.find(id);
        if (known == state.event_ids.end()) return no_event(id);
        if (state.events.at(known->second).event.state == EventState::Erased)
            return Error{Error::Kind::NotFound, "the event " + id.value + " was erased"};
        auto unknown = deliveries;
        std::erase_if(unknown, [&](const NewDelivery& one) { return state.delivery_ids.count(one.id) != 0; });
        add(state, state.events.at(known->second), unknown);
        return Ok{};
    });
}

}  // namespace orbridge
