#include <algorithm>

#include "bridge/store/memory_queries.h"
#include "bridge/store/memory_store.h"

// The part of the store in memory that hands deliveries out, takes back what came of them, and follows jobs.
namespace orbridge {
namespace {

constexpr std::size_t kAnswerBytesMax = 20'000;

}  // namespace

Result<ClaimBatch> MemoryStore::claim(const TargetId& target, TimePoint now, milliseconds hold, int limit) {
    return state_.with([&](State& state) -> Result<ClaimBatch> {
        ClaimBatch batch;
        const auto earliest = [&](TimePoint at) { batch.next_due = std::min(batch.next_due.value_or(at), at); };
        for (const auto& [due, place] : state.claimable[target]) {
            const auto& delivery = state.deliveries.at(place);
            if (delivery.token != 0 && delivery.until > now) {
                earliest(delivery.until);
                continue;
            }
            if (due > now || static_cast<int>(batch.claims.size()) >= limit) {
                earliest(due);
                break;
            }
            batch.claims.push_back(hand_out(state, place, now + hold));
        }
        return batch;
    });
}

Claim MemoryStore::hand_out(State& state, const Place& place, TimePoint until) {
    auto& delivery = state.deliveries.at(place);
    delivery.token = ++state.last_token;
    delivery.until = until;
    const auto& asked = delivery.asked;
    return {{asked.id, asked.target, state.events.at(place.first).event, delivery.attempts_made, delivery.unclear,
             asked.replayed, asked.mark, state.events.at(place.first).difference, delivery.progress},
            asked.route,
            delivery.token,
            until};
}

MemoryStore::StoredDelivery* MemoryStore::held(State& state, const Claim& claim, TimePoint now) {
    const auto known = state.delivery_ids.find(claim.delivery.id);
    if (known == state.delivery_ids.end() || claim.token == 0) return nullptr;
    auto& delivery = state.deliveries.at(known->second);
    const bool lost = delivery.token != claim.token || delivery.until <= now;
    return lost || delivery.state != DeliveryState::Pending ? nullptr : &delivery;
}

Result<std::vector<bool>> MemoryStore::settle(const std::vector<Settle>& settles, TimePoint now) {
    return state_.with([&](State& state) -> Result<std::vector<bool>> {
        std::vector<bool> recorded;
        for (const auto& settle : settles) {
            auto* delivery = held(state, settle.claim, now);
            recorded.push_back(delivery != nullptr);
            if (delivery != nullptr) record(state, *delivery, settle, now);
        }
        return recorded;
    });
}

void MemoryStore::record(State& state, StoredDelivery& delivery, const Settle& settle, TimePoint now) const {
    delivery.token = 0;
    if (settle.progress) delivery.progress = *settle.progress;
    if (settle.run) {
        auto run = *settle.run;
        run.delivery = delivery.asked.id.value;
        keep_run(state, run);
    }
    delivery.unclear = settle.unclear;
    auto attempt = settle.attempt;
    attempt.number = ++delivery.attempts_made;
    attempt.answer = attempt.answer.substr(0, kAnswerBytesMax);
    delivery.attempts.push_back(attempt);
    const auto& id = delivery.asked.id;
    const auto& target = delivery.asked.target;
    if (settle.follow_job) state.jobs.emplace(id, FollowedJob{id, target, settle.reference, "waiting", "", 0, now});
    std::visit(Overloaded{[&](const Finished&) {
                              delivery.reference = settle.reference;
                              end(state, delivery, DeliveryState::Delivered, "", now);
                          },
                          [&](const Dead& dead) {
                              delivery.reference = settle.reference;
                              end(state, delivery, DeliveryState::Dead, dead.reason, now);
                          },
                          [&](const RetryAt& retry) {
                              const auto place = state.delivery_ids.at(id);
                              const auto open = state.open.find({target, delivery.asked.order_key});
                              if (settle.gives_way && open != state.open.end() && place < *open->second.rbegin()) {
                                  return end(state, delivery, DeliveryState::Cancelled,
                                             superseded_by(state, *open->second.rbegin()), now);
                              }
                              state.claimable[target].erase({delivery.due_at, place});
                              delivery.due_at = retry.due;
                              delivery.reason = attempt.reason;
                              state.claimable[target].insert({delivery.due_at, place});
                          }},
               settle.settlement);
}

void MemoryStore::end(State& state, StoredDelivery& delivery, DeliveryState as, const std::string& reason,
                      TimePoint now) {
    const auto place = state.delivery_ids.at(delivery.asked.id);
    const auto& target = delivery.asked.target;
    state.claimable[target].erase({delivery.due_at, place});
    const bool was_waiting = std::exchange(delivery.waiting, false);
    delivery.state = as;
    delivery.ended_at = now;
    delivery.reason = reason;
    delivery.token = 0;
    if (delivery.asked.order_key.empty()) return;
    const auto key = state.open.find({target, delivery.asked.order_key});
    key->second.erase(place);
    if (key->second.empty()) {
        state.open.erase(key);
    } else if (!was_waiting) {
        auto& next = state.deliveries.at(*key->second.begin());
        next.waiting = false;
        state.claimable[target].insert({next.due_at, *key->second.begin()});
    }
}

void MemoryStore::release(const std::vector<Claim>& claims) {
    state_.with([&](State& state) {
        for (const auto& claim : claims)
            if (auto* delivery = held(state, claim, TimePoint::min())) delivery->token = 0;
    });
}

Result<std::vector<std::pair<TargetId, TimePoint>>> MemoryStore::pending_targets() {
    return state_.with([](State& state) -> Result<std::vector<std::pair<TargetId, TimePoint>>> {
        std::vector<std::pair<TargetId, TimePoint>> targets;
        for (const auto& [target, due] : state.claimable)
            if (!due.empty()) targets.emplace_back(target, due.begin()->first);
        return targets;
    });
}

Result<std::uint64_t> MemoryStore::end_pending(const std::optional<TargetId>& target,
                                               const std::optional<DeliveryId>& wanted, DeliveryState as,
                                               const std::string& reason, TimePoint now) {
    return state_.with([&](State& state) -> Result<std::uint64_t> {
        std::uint64_t ended = 0;
        if (!target && !wanted) return ended;
        for (auto& [place, delivery] : state.deliveries) {
            if (delivery.state != DeliveryState::Pending) continue;
            if (target && delivery.asked.target != *target) continue;
            if (wanted && delivery.asked.id != *wanted) continue;
            end(state, delivery, as, reason, now);
            ++ended;
        }
        return ended;
    });
}

// ---- jobs followed

Result<std::vector<FollowedJob>> MemoryStore::jobs_due(TimePoint now, int limit) {
    return state_.with([&](State& state) -> Result<std::vector<FollowedJob>> {
        std::vector<FollowedJob> due;
        for (const auto& [id, job] : state.jobs)
            if (!job_ended(job) && job.next_check_at <= now) due.push_back(job);
        std::stable_sort(due.begin(), due.end(),
                         [](const auto& a, const auto& b) { return a.next_check_at < b.next_check_at; });
        if (due.size() > static_cast<std::size_t>(std::max(0, limit))) due.resize(static_cast<std::size_t>(limit));
        return due;
    });
}

Result<std::optional<TimePoint>> MemoryStore::next_job_check() {
    return state_.with([](State& state) -> Result<std::optional<TimePoint>> {
        std::optional<TimePoint> next;
        for (const auto& [id, job] : state.jobs)
            if (!job_ended(job)) next = std::min(next.value_or(job.next_check_at), job.next_check_at);
        return next;
    });
}

Status MemoryStore::record_job(const FollowedJob& job) {
    return state_.with([&](State& state) -> Status {
        if (state.delivery_ids.count(job.delivery) == 0) return no_delivery(job.delivery);
        auto& kept = state.jobs[job.delivery] = job;
        const auto& event = state.events.at(state.delivery_ids.at(job.delivery).first).event;
        if (event.state == EventState::Erased) kept.result.clear();
        if (event.state == EventState::Erased && !job_ended(kept)) kept.state = "lost";
        return Ok{};
    });
}

Result<std::optional<FollowedJob>> MemoryStore::job_of(const DeliveryId& delivery) {
    return state_.with([&](State& state) -> Result<std::optional<FollowedJob>> {
        const auto found = state.jobs.find(delivery);
        return found == state.jobs.end() ? std::nullopt : std::optional(found->second);
    });
}

}  // namespace orbridge
