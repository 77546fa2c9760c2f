#include "tests/sim/mutants.h"

#include <algorithm>

namespace orbridge::sim {

const std::vector<Mutant>& mutants() {
    static const std::vector<Mutant> all = {
        {Bug::AcceptWithoutStoring, "accept-without-storing", "says that an event is stored, and does not store it"},
        {Bug::ForgetDelivery, "forget-delivery", "stores an event without one of its deliveries"},
        {Bug::NoDuplicateCheck, "no-duplicate-check", "stores the same change again"},
        {Bug::OvertakeOnRetry, "overtake-on-retry", "a new event does not wait for one that is tried again"},
        {Bug::IgnoreOrder, "ignore-order", "deliveries of one subject do not wait for each other"},
        {Bug::TwoHolders, "two-holders", "hands one delivery to two"},
        {Bug::EarlyClaim, "early-claim", "hands out what is due in 20 seconds"},
        {Bug::LeakClaim, "leak-claim", "loses a claim between the store and whoever asked"},
        {Bug::MoreThanAsked, "more-than-asked", "hands out more than there is room for"},
        {Bug::ForgetTheRest, "forget-the-rest", "does not say that more is waiting"},
        {Bug::ForgetAtRestart, "forget-at-restart", "does not take up what a start finds in the store"},
        {Bug::LoseSettle, "lose-settle", "loses the end of an attempt between two calls"},
        {Bug::SettleTwice, "settle-twice", "records the end of an attempt twice"},
        {Bug::SettleLostClaim, "settle-lost-claim", "records for somebody whose hold has run out"},
        {Bug::IgnoreRetryAfter, "ignore-retry-after", "tries again after a second, whatever was asked for"},
        {Bug::LoseUnclear, "lose-unclear", "forgets that an attempt may have arrived"},
        {Bug::NeverGiveUp, "never-give-up", "tries more often than the policy allows"},
        {Bug::FailureIsSuccess, "failure-is-success", "takes HTTP 5xx for delivered"},
        {Bug::ForgetWake, "forget-wake", "does not tell the dispatcher of every new event"},
        {Bug::NewIdOnRetry, "new-id-on-retry", "gives a delivery another id when it is tried again"},
        {Bug::OneAtATime, "one-at-a-time", "makes one exchange after another, so that a hanging one stops all"},
        {Bug::IgnoreLease, "ignore-lease", "calls a subscriber whose lease has ended"},
        {Bug::IgnoreBreaker, "ignore-breaker", "asks a target that keeps failing as if it did not"},
        {Bug::IgnoreRate, "ignore-rate", "asks a target more often than its limit allows"},
        {Bug::IgnorePause, "ignore-pause", "goes on with a target that is paused"},
        {Bug::ForgetGate, "forget-gate", "does not keep what is known of a target over a restart"},
        {Bug::NeverCut, "never-cut", "lets a loop go on"},
        {Bug::KeepSuperseded, "keep-superseded", "delivers what a newer state has superseded"},
        {Bug::SupersedeAll, "supersede-all", "drops what waits, whether its route asks for it or not"},
        {Bug::IgnoreBacklog, "ignore-backlog", "accepts more than there is room for"},
        {Bug::ReplayTwice, "replay-twice", "a part of a replay is done again, and makes its deliveries again"},
        {Bug::ReplayOld, "replay-old", "a replay brings an old state although a newer one is under way"},
        {Bug::RetrySuperseded, "retry-superseded", "goes on trying what a newer state that waits has superseded"},
        {Bug::SecretInLog, "secret-in-log", "puts the token into a reason"},
    };
    return all;
}

const Mutant* find_mutant(const std::string& name) {
    const auto found =
        std::find_if(mutants().begin(), mutants().end(), [&](const Mutant& mutant) { return mutant.name == name; });
    return found == mutants().end() ? nullptr : &*found;
}

// ---- accept ---------------------------------------------------------------------------------------

NewEvent PlantedStore::spoiled(NewEvent event) {
    if (bug_ == Bug::ForgetDelivery && !event.deliveries.empty() && every(5)) event.deliveries.pop_back();
    if (bug_ == Bug::NoDuplicateCheck) event.dedup_key = event.twin_key = "";
    for (auto& delivery : event.deliveries) {
        if (bug_ == Bug::KeepSuperseded) delivery.latest_only = false;
        if (bug_ == Bug::SupersedeAll) delivery.latest_only = !delivery.order_key.empty();
        const bool overtakes =
            bug_ == Bug::OvertakeOnRetry && retrying_.count({delivery.target, delivery.order_key}) != 0;
        if (overtakes || bug_ == Bug::IgnoreOrder) delivery.order_key = "";
    }
    return event;
}

Result<std::vector<Accepted>> PlantedStore::accept(const Arrival& arrival) {
    if (bug_ == Bug::None) return FaultyStore::accept(arrival);
    if (bug_ == Bug::AcceptWithoutStoring && every(9)) {
        std::vector<Accepted> promised;
        for (const auto& event : arrival.events) promised.push_back({event.event.id, false});
        return promised;
    }
    auto changed = arrival;
    for (auto& event : changed.events) event = spoiled(std::move(event));
    return FaultyStore::accept(changed);
}

/// As if ids were made anew when a part of a replay is done again, instead of following from replay, event and target.
Status PlantedStore::add_deliveries(const EventId& id, const std::vector<NewDelivery>& deliveries) {
    auto changed = deliveries;
    for (auto& delivery : changed)
        if (bug_ == Bug::ReplayOld) delivery.latest_only = false;
    auto added = FaultyStore::add_deliveries(id, changed);
    if (bug_ != Bug::ReplayTwice || !added || !every(3)) return added;
    auto again = deliveries;
    for (auto& delivery : again) delivery.id = derived_delivery_id(delivery.due_at, delivery.id.value + " again");
    return FaultyStore::add_deliveries(id, again);
}

// ---- claim ----------------------------------------------------------------------------------------

Result<ClaimBatch> PlantedStore::claim(const TargetId& target, TimePoint now, milliseconds hold, int limit) {
    auto batch = spoiled_claim(target, now, hold, limit);
    if (batch) ledger_.claimed(*batch, now, limit);
    return batch;
}

Result<ClaimBatch> PlantedStore::spoiled_claim(const TargetId& target, TimePoint now, milliseconds hold, int limit) {
    if (bug_ == Bug::ForgetAtRestart && asked_since_start_.insert(target).second) return ClaimBatch{};
    if (bug_ == Bug::EarlyClaim) return FaultyStore::claim(target, now + seconds{20}, hold, limit);
    if (bug_ == Bug::MoreThanAsked) return FaultyStore::claim(target, now, hold, limit + 3);
    auto batch = FaultyStore::claim(target, now, hold, limit);
    if (!batch || bug_ == Bug::None) return batch;
    auto& claims = batch->claims;
    if (bug_ == Bug::LeakClaim && !claims.empty() && every(7)) claims.pop_back();
    if (bug_ == Bug::ForgetTheRest) batch->next_due.reset();
    const auto held = last_.find(target);
    if (bug_ == Bug::TwoHolders && held != last_.end() && static_cast<int>(claims.size()) < limit)
        claims.push_back(held->second);
    if (!claims.empty()) last_[target] = claims.front();
    return batch;
}

/// Told here, not where it is stored: what counts is what the bridge has reason to rely on.
Status PlantedStore::set_note(const std::string& key, const std::string& value) {
    const bool forgets = bug_ == Bug::ForgetGate && key.rfind("target.gate/", 0) == 0;
    auto kept = forgets ? Status(Ok{}) : FaultyStore::set_note(key, value);
    if (kept) ledger_.noted(key, value);
    return kept;
}

void PlantedStore::restarted() {
    MemoryStore::restart();
    asked_since_start_.clear();
    last_.clear();
}

// ---- settle ---------------------------------------------------------------------------------------

void PlantedStore::spoil(Settle& settle, TimePoint now) const {
    auto* retry = std::get_if<RetryAt>(&settle.settlement);
    if (bug_ == Bug::IgnoreRetryAfter && retry != nullptr) retry->due = std::min(retry->due, now + seconds{1});
    if (bug_ == Bug::LoseUnclear) settle.unclear = false;
    const bool gives_up = std::holds_alternative<Dead>(settle.settlement) && settle.attempt.outcome == "retry";
    if (bug_ == Bug::NeverGiveUp && gives_up) settle.settlement = RetryAt{now + seconds{60}};
    if (bug_ == Bug::FailureIsSuccess && retry != nullptr && settle.attempt.status >= 500)
        settle.settlement = Finished{};
}

/// Takes hold of it once more, as nobody should, and records the same end.
void PlantedStore::settle_again(const Settle& settle, TimePoint now) {
    const auto batch =
        MemoryStore::claim(settle.claim.delivery.target, now + std::chrono::hours{48}, seconds{60}, 1'000);
    if (!batch) return;
    for (const auto& claim : batch->claims) {
        auto again = settle;
        again.claim = claim;
        if (claim.delivery.id != settle.claim.delivery.id) {
            MemoryStore::release({claim});
        } else if (const auto recorded = FaultyStore::settle({again}, now); !recorded) {
            return;
        }
    }
}

void PlantedStore::note_retry(const Settle& settle) {
    const std::pair key(settle.claim.delivery.target, settle.claim.delivery.event.subject);
    if (std::holds_alternative<RetryAt>(settle.settlement)) {
        retrying_.insert(key);
    } else {
        retrying_.erase(key);
    }
    last_.erase(settle.claim.delivery.target);
}

Result<std::vector<bool>> PlantedStore::settle(const std::vector<Settle>& settles, TimePoint now) {
    if (bug_ == Bug::None) return FaultyStore::settle(settles, now);
    if (bug_ == Bug::LoseSettle && every(7)) return std::vector<bool>(settles.size(), true);
    auto changed = settles;
    for (auto& settle : changed) {
        spoil(settle, now);
        note_retry(settle);
    }
    auto recorded = FaultyStore::settle(changed, now);
    for (std::size_t i = 0; recorded && i < changed.size(); ++i) {
        const bool again = std::holds_alternative<RetryAt>(changed[i].settlement) && bug_ == Bug::SettleTwice;
        if (again || (bug_ == Bug::SettleLostClaim && !(*recorded)[i])) settle_again(changed[i], now);
    }
    return recorded;
}

// ---- recipes --------------------------------------------------------------------------------------

namespace {

class PlantedRecipe final : public Recipe {
public:
    PlantedRecipe(std::shared_ptr<const Recipe> recipe, Bug bug, std::string secret)
        : recipe_(std::move(recipe)), bug_(bug), secret_(std::move(secret)) {}

    Result<HttpRequest> request_for(const Delivery& delivery, const std::string& route) const override {
        auto changed = delivery;
        if (bug_ == Bug::NewIdOnRetry && delivery.attempts_made > 0)
            changed.id.value.back() = changed.id.value.back() == '0' ? '1' : '0';
        return recipe_->request_for(changed, route);
    }
    Outcome outcome_of(const Delivery& delivery, const HttpResponse& response) const override {
        auto outcome = recipe_->outcome_of(delivery, response);
        auto* retry = std::get_if<Retry>(&outcome);
        if (bug_ == Bug::SecretInLog && retry != nullptr) retry->reason += " (sent with " + secret_ + ")";
        return outcome;
    }
    std::optional<HttpRequest> inquiry_for(const Delivery& delivery) const override {
        return recipe_->inquiry_for(delivery);
    }
    Arrived arrived(const Delivery& delivery, const HttpResponse& response) const override {
        return recipe_->arrived(delivery, response);
    }

private:
    std::shared_ptr<const Recipe> recipe_;
    Bug bug_;
    std::string secret_;
};

}  // namespace

std::shared_ptr<const Recipe> planted(std::shared_ptr<const Recipe> recipe, Bug bug, std::string secret) {
    if (bug != Bug::NewIdOnRetry && bug != Bug::SecretInLog) return recipe;
    return std::make_shared<PlantedRecipe>(std::move(recipe), bug, std::move(secret));
}

}  // namespace orbridge::sim
