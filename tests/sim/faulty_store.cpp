#include "tests/sim/faulty_store.h"

namespace orbridge::sim {
namespace {

/// The longest the bridge rests after a failure, and what it then takes up again.
constexpr milliseconds kRest{12'000};
/// What a claim that the store made and nobody heard of is kept for.
constexpr milliseconds kUnheard{16 * 60'000};

Error away() { return {Error::Kind::Unavailable, "the store is away"}; }

}  // namespace

template <class R, class Work>
R FaultyStore::call(std::string_view method, Work&& work) {
    const auto strike = faults_.strike(method);
    const auto delay = faults_.delay();
    clock_.run_to(clock_.elapsed() + delay);
    ledger_.disturb(delay);
    if (strike != Strike::None) ledger_.disturb(method == "claim" && strike == Strike::After ? kUnheard : kRest);
    if (strike == Strike::CrashBefore) throw Crash{};
    if (strike == Strike::Before) return away();
    R result = std::forward<Work>(work)();
    if (strike == Strike::CrashAfter) throw Crash{};
    if (strike == Strike::After) return away();
    return result;
}

Result<std::vector<Accepted>> FaultyStore::accept(const Arrival& arrival) {
    std::vector<const NewEvent*> stored;
    auto heard = call<Result<std::vector<Accepted>>>("accept", [&] {
        auto accepted = MemoryStore::accept(arrival);
        for (std::size_t i = 0; accepted && i < accepted->size(); ++i) {
            if ((*accepted)[i].duplicate) continue;
            stored.push_back(&arrival.events[i]);
            ledger_.stored(arrival.events[i]);
            tell_superseded(arrival.events[i].deliveries);
        }
        return accepted;
    });
    for (const auto* event : stored)
        if (!heard) ledger_.unheard(event->event.id);
    return heard;
}

bool FaultyStore::is_cancelled(const DeliveryId& id) {
    const auto row = MemoryStore::delivery(id);
    return row && row->state == DeliveryState::Cancelled;
}

void FaultyStore::tell_superseded(const std::vector<NewDelivery>& added) {
    for (const auto& delivery : added) {
        if (!delivery.cut.empty()) continue;
        const bool over = is_cancelled(delivery.id);
        ledger_.born(delivery.id, over);
        if (over) continue;
        for (const auto& waiting : ledger_.waiting_before(delivery.id))
            ledger_.met_newer(waiting, is_cancelled(waiting));
    }
}

void FaultyStore::tell_end(const Settle& settle) {
    ledger_.settled(settle);
    const auto& id = settle.claim.delivery.id;
    if (std::holds_alternative<RetryAt>(settle.settlement)) ledger_.failed(id, is_cancelled(id));
}

Status FaultyStore::add_deliveries(const EventId& id, const std::vector<NewDelivery>& deliveries) {
    return call<Status>("add_deliveries", [&] {
        auto fresh = deliveries;
        std::erase_if(fresh, [this](const auto& one) { return MemoryStore::delivery(one.id).has_value(); });
        auto status = MemoryStore::add_deliveries(id, deliveries);
        if (!status) return status;
        ledger_.added(id, fresh);
        tell_superseded(fresh);
        return status;
    });
}

Result<ClaimBatch> FaultyStore::claim(const TargetId& target, TimePoint now, milliseconds hold, int limit) {
    return call<Result<ClaimBatch>>("claim", [&] {
        auto batch = MemoryStore::claim(target, now, hold, limit);
        if (batch) ledger_.handed(*batch);
        return batch;
    });
}

Result<std::vector<bool>> FaultyStore::settle(const std::vector<Settle>& settles, TimePoint now) {
    return call<Result<std::vector<bool>>>("settle", [&] {
        auto recorded = MemoryStore::settle(settles, now);
        for (std::size_t i = 0; recorded && i < settles.size(); ++i)
            if ((*recorded)[i]) tell_end(settles[i]);
        return recorded;
    });
}

void FaultyStore::release(const std::vector<Claim>& claims) {
    MemoryStore::release(claims);
    ledger_.released(claims);
}

Result<std::vector<std::pair<TargetId, TimePoint>>> FaultyStore::pending_targets() {
    return call<Result<std::vector<std::pair<TargetId, TimePoint>>>>("pending_targets",
                                                                     [&] { return MemoryStore::pending_targets(); });
}

Result<std::uint64_t> FaultyStore::end_pending(const std::optional<TargetId>& target,
                                               const std::optional<DeliveryId>& delivery, DeliveryState as,
                                               const std::string& reason, TimePoint now) {
    return call<Result<std::uint64_t>>("end_pending", [&] {
        auto ended = MemoryStore::end_pending(target, delivery, as, reason, now);
        if (ended && delivery) ledger_.cancelled(*delivery, as);
        if (ended && target) ledger_.cancelled_all(*target, as);
        return ended;
    });
}

Result<Event> FaultyStore::event(const EventId& id) {
    return call<Result<Event>>("event", [&] { return MemoryStore::event(id); });
}

Result<std::vector<DeliveryRow>> FaultyStore::deliveries(const DeliveryQuery& query) {
    return call<Result<std::vector<DeliveryRow>>>("deliveries", [&] { return MemoryStore::deliveries(query); });
}

Result<std::optional<std::string>> FaultyStore::note(const std::string& key) {
    return call<Result<std::optional<std::string>>>("note", [&] { return MemoryStore::note(key); });
}

Status FaultyStore::set_note(const std::string& key, const std::string& value) {
    return call<Status>("set_note", [&] { return MemoryStore::set_note(key, value); });
}

}  // namespace orbridge::sim
