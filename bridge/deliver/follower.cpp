#include "bridge/deliver/follower.h"

#include <algorithm>
#include <utility>

namespace orbridge {
namespace {

constexpr milliseconds kIdle{24 * 3'600'000};

bool has_ended(const FollowedJob& job) { return job.state != "waiting" && job.state != "running"; }

}  // namespace

Follower::Follower(Store& store, Transport& transport, const Clock& clock, Log& log, FollowerSettings settings)
    : store_(store), transport_(transport), clock_(clock), log_(log), settings_(settings) {}

void Follower::set_targets(Recipes recipes) {
    shared_.with([&](Shared& shared) { shared.recipes = std::move(recipes); });
}

milliseconds Follower::step() {
    if (!store_checked()) return settings_.store_pause;
    const auto now = clock_.now();
    if (!ask_due(now)) return settings_.store_pause;
    return pause(now);
}

/// False: the store has failed. Nothing is lost by it, as the job is still due.
bool Follower::store_checked() {
    auto jobs = shared_.with([](Shared& shared) { return std::exchange(shared.checked, {}); });
    bool well = true;
    for (auto& job : jobs) {
        in_flight_.erase(job.delivery);
        schedule(job);
        const auto status = store_.record_job(job);
        if (!status && status.error().kind == Error::Kind::NotFound) continue;  // its delivery was pruned
        if (!status) {
            log_.error("follower.store_unavailable", {{"reason", status.error().message}});
            well = false;
            continue;
        }
        if (!has_ended(job)) continue;
        log_.info("job.ended", {{"delivery", job.delivery},
                                {"target", job.target},
                                {"job", job.job},
                                {"state", job.state},
                                {"checks", job.checks}});
        if (ended_) ended_(job);
    }
    return well;
}

void Follower::schedule(FollowedJob& job) const {
    if (has_ended(job)) return;
    if (age_at(job.checks) >= settings_.give_up_after) {
        job.state = "lost";
        return;
    }
    // It has ended, and how is asked next (see the recipe): no reason to wait.
    job.next_check_at = clock_.now() + (job.result.empty() ? gap_after(job.checks) : settings_.gap_least);
}

milliseconds Follower::gap_after(int checks) const {
    const int doublings = std::clamp(checks - 1, 0, 30);
    return std::min(settings_.gap_least * (std::int64_t{1} << doublings), settings_.gap_most);
}

/// How long a job has been followed, from the number of checks: the sum of the gaps.
milliseconds Follower::age_at(int checks) const {
    milliseconds age{0};
    for (int i = 1; i <= checks; ++i) {
        const auto gap = gap_after(i);
        if (gap == settings_.gap_most) return age + gap * (checks - i + 1);
        age += gap;
    }
    return age;
}

bool Follower::ask_due(TimePoint now) {
    // Those in flight are still due as far as the store knows.
    const int room = settings_.in_flight_max - static_cast<int>(in_flight_.size());
    if (room <= 0) return true;
    auto jobs = store_.jobs_due(now, settings_.in_flight_max);
    if (!jobs) {
        log_.error("follower.store_unavailable", {{"reason", jobs.error().message}});
        return false;
    }
    for (auto& job : *jobs) {
        if (static_cast<int>(in_flight_.size()) < settings_.in_flight_max && in_flight_.insert(job.delivery).second)
            ask(std::move(job));
    }
    return true;
}

void Follower::ask(FollowedJob job) {
    const auto recipe = shared_.with([&](const Shared& shared) {
        const auto found = shared.recipes.find(job.target);
        return found == shared.recipes.end() ? nullptr : found->second;
    });
    auto request = recipe ? recipe->follow_request(job) : std::nullopt;
    if (!request) {  // not wanted any more, or not now: it stays, and is given up in the end
        ++job.checks;
        return checked(std::move(job));
    }
    transport_.send(*std::move(request), [this, recipe, job = std::move(job)](const Transport::Finished& finished) {
        auto moved = job;
        if (const auto* response = std::get_if<HttpResponse>(&finished.exchange)) {
            moved = recipe->followed(std::move(moved), *response);
        } else {
            ++moved.checks;
        }
        checked(std::move(moved));
    });
}

void Follower::checked(FollowedJob job) {
    shared_.with([&](Shared& shared) { shared.checked.push_back(std::move(job)); });
    if (wake_) wake_();
}

milliseconds Follower::pause(TimePoint now) {
    const bool more = shared_.with([](const Shared& shared) { return !shared.checked.empty(); });
    if (more) return milliseconds{0};
    // Answers wake it; only with all answered is the store's next time the one that counts.
    if (!in_flight_.empty()) return std::min(kIdle, settings_.gap_least);
    const auto next = store_.next_job_check();
    if (!next) return settings_.store_pause;
    if (!*next) return kIdle;
    return std::clamp(**next - now, milliseconds{0}, kIdle);
}

}  // namespace orbridge
