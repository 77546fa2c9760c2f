#include "bridge/store/memory_store.h"

// The part that keeps house; the others stand in memory_*.cpp.
namespace orbridge {

void MemoryStore::restart() {
    state_.with([](State& state) {
        for (auto& [place, delivery] : state.deliveries) delivery.token = 0;
    });
}

Result<std::uint64_t> MemoryStore::prune(const RetentionPolicy& policy, TimePoint now, int limit) {
    return state_.with([&](State& state) -> Result<std::uint64_t> {
        std::vector<std::uint64_t> old;
        for (const auto& [sequence, stored] : state.events) {
            if (static_cast<int>(old.size()) >= limit) break;
            if (removable(state, stored, policy, now)) old.push_back(sequence);
        }
        for (const auto sequence : old) remove(state, sequence);
        return std::uint64_t{old.size()};
    });
}

bool MemoryStore::removable(const State& state, const StoredEvent& stored, const RetentionPolicy& policy,
                            TimePoint now) {
    if (stored.event.received_at >= now - policy.finished) return false;
    for (int number = 0; number < stored.deliveries; ++number) {
        const auto& delivery = state.deliveries.at({stored.event.sequence, number});
        const auto kept_for = delivery.state == DeliveryState::Dead ? policy.dead : policy.finished;
        if (!delivery.ended_at || *delivery.ended_at >= now - kept_for) return false;
    }
    return true;
}

void MemoryStore::remove(State& state, std::uint64_t sequence) {
    const auto& stored = state.events.at(sequence);
    for (int number = 0; number < stored.deliveries; ++number) {
        const auto found = state.deliveries.find({sequence, number});
        state.jobs.erase(found->second.asked.id);
        std::erase_if(state.runs, [&](const RunRow& run) { return run.delivery == found->second.asked.id.value; });
        state.delivery_ids.erase(found->second.asked.id);
        state.deliveries.erase(found);
    }
    for (const auto& key : stored.dedup_keys) state.dedup.erase({stored.event.source, key});
    std::erase_if(state.requests, [&](const auto& request) { return request.second == sequence; });
    state.event_ids.erase(stored.event.id);
    state.events.erase(sequence);
}

}  // namespace orbridge
