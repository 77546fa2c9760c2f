#include <algorithm>

#include "bridge/store/keys.h"
#include "bridge/store/memory_queries.h"
#include "bridge/store/memory_store.h"

// The part of the store in memory that answers questions.
namespace orbridge {
namespace {

TimePoint created_at(const DeliveryId& id) {
    const auto key = pack_uuid(id.value);
    return key ? time_of_uuid(key->view()) : TimePoint{};
}

bool matches(const EventQuery& query, const Event& event) {
    return (!query.state || *query.state == event.state) && wants(query.source, event.source.value) &&
           wants(query.channel, event.channel) && wants(query.subject, event.subject) &&
           within(event.received_at, query.since, query.until) &&
           (query.before_sequence == 0 || event.sequence < query.before_sequence) &&
           event.sequence > query.after_sequence;
}

bool matches(const DeliveryQuery& query, const DeliveryRow& row) {
    return (!query.state || *query.state == row.state) && wants(query.target, row.target.value) &&
           wants(query.event, row.event.value) && within(row.created_at, query.since, query.until) &&
           (query.before_id.empty() || row.id.value < query.before_id) && row.id.value > query.after_id;
}

}  // namespace

Result<Event> MemoryStore::event(const EventId& id) {
    return state_.with([&](State& state) -> Result<Event> {
        const auto known = state.event_ids.find(id);
        if (known == state.event_ids.end()) return no_event(id);
        return state.events.at(known->second).event;
    });
}

Result<std::vector<Event>> MemoryStore::events(const EventQuery& query) {
    return state_.with([&](State& state) -> Result<std::vector<Event>> {
        std::vector<Event> found;
        for (const auto& [sequence, stored] : state.events)
            if (matches(query, stored.event)) found.push_back(stored.event);
        if (!query.oldest_first) std::reverse(found.begin(), found.end());
        if (static_cast<int>(found.size()) > query.limit)
            found.resize(static_cast<std::size_t>(std::max(0, query.limit)));
        return found;
    });
}

DeliveryRow MemoryStore::row_of(const State& state, const Place& place, const StoredDelivery& delivery) {
    const auto& event = state.events.at(place.first).event;
    DeliveryRow row;
    row.id = delivery.asked.id;
    row.event = event.id;
    row.target = delivery.asked.target;
    row.route = delivery.asked.route;
    row.state = delivery.state;
    row.in_flight = delivery.token != 0;
    row.waiting_for_order = delivery.waiting;
    row.attempts_made = delivery.attempts_made;
    row.unclear = delivery.unclear;
    row.replayed = delivery.asked.replayed;
    row.created_at = created_at(row.id);
    if (row.state == DeliveryState::Pending) row.due_at = delivery.due_at;
    row.ended_at = delivery.ended_at;
    row.reason = delivery.reason;
    row.reference = delivery.reference;
    row.event_class = event.event_class;
    row.channel = event.channel;
    row.event_name = event.event_name;
    row.subject = event.subject;
    return row;
}

Result<DeliveryRow> MemoryStore::delivery(const DeliveryId& id) {
    return state_.with([&](State& state) -> Result<DeliveryRow> {
        const auto known = state.delivery_ids.find(id);
        if (known == state.delivery_ids.end()) return no_delivery(id);
        return row_of(state, known->second, state.deliveries.at(known->second));
    });
}

Result<std::vector<DeliveryRow>> MemoryStore::deliveries(const DeliveryQuery& query) {
    for (const auto* id : {&query.before_id, &query.after_id})
        if (!id->empty() && !is_uuid(*id)) return Error{Error::Kind::Invalid, "no delivery id: " + *id};
    return state_.with([&](State& state) -> Result<std::vector<DeliveryRow>> {
        std::vector<DeliveryRow> found;
        for (const auto& [id, place] : state.delivery_ids) {
            auto row = row_of(state, place, state.deliveries.at(place));
            if (matches(query, row)) found.push_back(std::move(row));
        }
        if (!query.oldest_first) std::reverse(found.begin(), found.end());
        if (static_cast<int>(found.size()) > query.limit)
            found.resize(static_cast<std::size_t>(std::max(0, query.limit)));
        return found;
    });
}

Result<std::vector<Attempt>> MemoryStore::attempts(const DeliveryId& id) {
    return state_.with([&](State& state) -> Result<std::vector<Attempt>> {
        const auto known = state.delivery_ids.find(id);
        if (known == state.delivery_ids.end()) return std::vector<Attempt>{};
        return state.deliveries.at(known->second).attempts;
    });
}

std::uint64_t MemoryStore::pending() const {
    return state_.with([](const State& state) {
        const auto open = [](const auto& each) { return each.second.state == DeliveryState::Pending; };
        return static_cast<std::uint64_t>(std::count_if(state.deliveries.begin(), state.deliveries.end(), open));
    });
}

std::uint64_t MemoryStore::pending_for(const TargetId& target) const {
    return state_.with([&](const State& state) {
        const auto open = [&](const auto& each) {
            return each.second.state == DeliveryState::Pending && each.second.asked.target == target;
        };
        return static_cast<std::uint64_t>(std::count_if(state.deliveries.begin(), state.deliveries.end(), open));
    });
}

Result<StoreCounts> MemoryStore::counts() {
    return state_.with([](State& state) -> Result<StoreCounts> {
        StoreCounts counts;
        counts.events = state.events.size();
        for (const auto& [sequence, stored] : state.events)
            if (stored.event.state == EventState::Unmapped) ++counts.unmapped;
        for (const auto& [place, delivery] : state.deliveries) {
            auto& row = counts.targets[delivery.asked.target];
            const auto created = created_at(delivery.asked.id);
            switch (delivery.state) {
                case DeliveryState::Pending:
                    ++row.pending;
                    row.oldest_pending = std::min(row.oldest_pending.value_or(created), created);
                    break;
                case DeliveryState::Delivered: ++row.delivered; break;
                case DeliveryState::Dead: ++row.dead; break;
                case DeliveryState::Expired: ++row.expired; break;
                case DeliveryState::Cancelled: ++row.cancelled; break;
            }
        }
        return counts;
    });
}

Result<std::vector<IntakeHeard>> MemoryStore::intakes_heard() {
    return state_.with([](State& state) -> Result<std::vector<IntakeHeard>> {
        std::vector<IntakeHeard> rows;
        for (const auto& [key, row] : state.heard) rows.push_back(row);
        return rows;
    });
}

Result<std::optional<std::string>> MemoryStore::note(const std::string& key) {
    return state_.with([&](State& state) -> Result<std::optional<std::string>> {
        const auto found = state.notes.find(key);
        return found == state.notes.end() ? std::nullopt : std::optional(found->second);
    });
}

Status MemoryStore::set_note(const std::string& key, const std::string& value) {
    state_.with([&](State& state) { state.notes[key] = value; });
    return Ok{};
}

}  // namespace orbridge
