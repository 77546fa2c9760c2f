#include "tests/support/delivery_fakes.h"

#include <algorithm>

namespace orbridge::test {

std::size_t DeliveryStore::count(const std::string& state) const {
    return static_cast<std::size_t>(
        std::count_if(rows_.begin(), rows_.end(), [&](const Row& row) { return row.state == state; }));
}

bool DeliveryStore::waits_for_order(const Row& row) const {
    if (row.order_key.empty()) return false;
    for (const auto& other : rows_) {
        if (&other == &row) return false;
        const bool same = other.delivery.target == row.delivery.target && other.order_key == row.order_key;
        if (same && other.state == "pending") return true;
    }
    return false;
}

Result<ClaimBatch> DeliveryStore::claim(const TargetId& target, TimePoint now, milliseconds hold, int limit) {
    if (failing) return away();
    ++claims;
    claimed.emplace_back(target.value, limit);
    ClaimBatch batch;
    for (auto& row : rows_) {
        if (row.delivery.target != target || row.state != "pending" || row.token != 0 || waits_for_order(row)) continue;
        if (row.due <= now && static_cast<int>(batch.claims.size()) < limit) {
            row.token = ++last_token_;
            batch.claims.push_back({row.delivery, "route", row.token, now + hold});
        } else {
            batch.next_due = std::min(batch.next_due.value_or(row.due), row.due);
        }
    }
    return batch;
}

DeliveryStore::Row* DeliveryStore::held(const Claim& claim) {
    const auto found = std::find_if(rows_.begin(), rows_.end(),
                                    [&](const Row& row) { return claim.token != 0 && row.token == claim.token; });
    return found == rows_.end() ? nullptr : &*found;
}

Result<std::vector<bool>> DeliveryStore::settle(const std::vector<Settle>& settles, TimePoint now) {
    if (failing) return away();
    batches.push_back(settles.size());
    const auto poison = [](const Settle& settle) { return settle.attempt.reason == "HTTP 499"; };
    if (refusing && std::any_of(settles.begin(), settles.end(), poison)) return Error{Error::Kind::Invalid, "no"};
    std::vector<bool> recorded;
    for (const auto& settle : settles) {
        auto* row = held(settle.claim);
        recorded.push_back(row != nullptr);
        if (row == nullptr) continue;
        row->token = 0;
        row->attempts.push_back(settle.attempt);
        row->reference = settle.reference;
        row->follow = settle.follow_job;
        row->delivery.unclear = settle.unclear;
        row->delivery.attempts_made += 1;
        if (settle.progress) row->delivery.progress = *settle.progress;
        if (settle.run) row->runs.push_back(*settle.run);
        std::visit(
            Overloaded{[&](const Finished&) { row->state = "delivered"; }, [&](const Dead&) { row->state = "dead"; },
                       [&](const RetryAt& retry) { row->due = retry.due; }},
            settle.settlement);
        if (settle.follow_job)
            jobs[row->delivery.id] = {.delivery = row->delivery.id,
                                      .target = row->delivery.target,
                                      .job = settle.reference,
                                      .state = "waiting",
                                      .result = {},
                                      .checks = 0,
                                      .next_check_at = now};
    }
    if (std::exchange(losing_answer, false)) return away();
    return recorded;
}

void DeliveryStore::release(const std::vector<Claim>& given) {
    for (const auto& claim : given)
        if (auto* row = held(claim)) row->token = 0;
}

Result<std::uint64_t> DeliveryStore::end_pending(const std::optional<TargetId>& target,
                                                 const std::optional<DeliveryId>& delivery, DeliveryState as,
                                                 const std::string& reason, TimePoint) {
    if (failing) return away();
    std::uint64_t ended = 0;
    for (auto& row : rows_) {
        if (row.state != "pending" || (target && row.delivery.target != *target)) continue;
        if (delivery && row.delivery.id != *delivery) continue;
        row.state = as == DeliveryState::Expired ? "expired" : "cancelled";
        row.reference = reason;
        row.token = 0;
        ++ended;
    }
    return ended;
}

Result<std::vector<std::pair<TargetId, TimePoint>>> DeliveryStore::pending_targets() {
    if (failing) return away();
    std::map<TargetId, TimePoint> found;
    for (const auto& row : rows_)
        if (row.state == "pending") found.emplace(row.delivery.target, row.due);
    return std::vector<std::pair<TargetId, TimePoint>>(found.begin(), found.end());
}

namespace {

bool is_open(const FollowedJob& job) { return job.state == "waiting" || job.state == "running"; }

}  // namespace

Result<std::vector<FollowedJob>> DeliveryStore::jobs_due(TimePoint now, int limit) {
    if (failing) return away();
    std::vector<FollowedJob> due;
    for (const auto& [id, job] : jobs)
        if (is_open(job) && job.next_check_at <= now && static_cast<int>(due.size()) < limit) due.push_back(job);
    return due;
}

Result<std::optional<TimePoint>> DeliveryStore::next_job_check() {
    if (failing) return away();
    std::optional<TimePoint> next;
    for (const auto& [id, job] : jobs)
        if (is_open(job)) next = std::min(next.value_or(job.next_check_at), job.next_check_at);
    return next;
}

Status DeliveryStore::record_job(const FollowedJob& job) {
    if (failing) return away();
    jobs[job.delivery] = job;
    return Ok{};
}

Result<std::optional<std::string>> DeliveryStore::note(const std::string& key) {
    if (failing) return away();
    const auto found = notes.find(key);
    return found == notes.end() ? std::optional<std::string>() : std::optional(found->second);
}

Status DeliveryStore::set_note(const std::string& key, const std::string& value) {
    if (failing) return away();
    notes[key] = value;
    return Ok{};
}

}  // namespace orbridge::test
