#include "bridge/record/gate.h"

#include <algorithm>

#include "bridge/core/json.h"
#include "bridge/core/result.h"

namespace orbridge {
namespace {

milliseconds wanted_wait(const Outcome& outcome) {
    const auto* retry = std::get_if<Retry>(&outcome);
    return retry != nullptr ? retry->at_least : milliseconds{0};
}

bool later(const std::optional<TimePoint>& time, TimePoint now) { return time && now < *time; }

}  // namespace

const char* to_text(Hold::By by) {
    switch (by) {
        case Hold::By::Paused: return "paused";
        case Hold::By::Breaker: return "breaker";
        case Hold::By::Probe: return "probe";
        case Hold::By::RetryAfter: return "retry_after";
        case Hold::By::RateLimit: return "rate_limit";
    }
    return "";
}

std::string sentence(const Hold& hold) {
    const auto until = hold.until ? " until " + to_iso8601(*hold.until) : std::string();
    const auto reason = hold.reason.empty() ? std::string() : ": " + hold.reason;
    switch (hold.by) {
        case Hold::By::Paused: return "the target being paused, until somebody resumes it" + reason;
        case Hold::By::Breaker: return "the breaker" + until + reason;
        case Hold::By::Probe: return "the breaker, which lets one delivery through as a probe" + reason;
        case Hold::By::RetryAfter: return "the target's own Retry-After" + until;
        case Hold::By::RateLimit: return "the rate limit" + until;
    }
    return {};
}

Breaker::State GateState::breaker(TimePoint now) const {
    if (paused) return Breaker::State::Paused;
    if (!open_until) return Breaker::State::Closed;
    return now < *open_until ? Breaker::State::Open : Breaker::State::HalfOpen;
}

std::optional<Hold> GateState::hold(TimePoint now) const {
    if (paused) return Hold{Hold::By::Paused, std::nullopt, reason};
    if (later(open_until, now)) return Hold{Hold::By::Breaker, open_until, reason};
    if (later(wait_until, now)) return Hold{Hold::By::RetryAfter, wait_until, ""};
    if (open_until) return Hold{Hold::By::Probe, std::nullopt, reason};
    if (later(next_token, now)) return Hold{Hold::By::RateLimit, next_token, ""};
    return std::nullopt;
}

void Gate::configure(const GatePolicy& policy) {
    if (policy.rate.requests != policy_.rate.requests || policy.rate.per != policy_.rate.per)
        bucket_ = TokenBucket(policy.rate);
    breaker_.set_policy(policy.breaker.value_or(BreakerPolicy{}));
    policy_ = policy;
}

int Gate::allowance(TimePoint now) const {
    if (policy_.breaker) return breaker_.allowance(now, policy_.in_flight_max);
    return breaker_.state(now) == Breaker::State::Paused ? 0 : policy_.in_flight_max;
}

int Gate::room(TimePoint now, int in_flight) {
    if (later(wait_until_, now)) return 0;
    const int room = std::max(0, allowance(now) - in_flight);
    return room == 0 ? 0 : std::min(room, bucket_.available(now));
}

std::optional<TimePoint> Gate::opens(TimePoint now, int in_flight) {
    std::optional<TimePoint> opening;
    if (allowance(now) <= in_flight) {
        opening = policy_.breaker ? breaker_.next_change(now) : std::nullopt;
        if (!opening) return std::nullopt;
    }
    if (later(wait_until_, now)) opening = std::max(opening.value_or(now), *wait_until_);
    if (const auto token = bucket_.next(now); token > now) {
        next_token_ = token;
        opening = std::max(opening.value_or(now), token);
    }
    return opening;
}

void Gate::started(int count, TimePoint now) {
    for (int i = 0; i < count; ++i) bucket_.take(now);
}

Gate::Change Gate::ended(const Outcome& outcome, bool answered, TimePoint now) {
    Change change;
    change.waits = change.looks = wait(wanted_wait(outcome), now);
    if (!policy_.breaker) return change;
    const auto open_until = breaker_.open_until();
    const auto allowed = allowance(now);
    const bool was_paused = breaker_.state(now) == Breaker::State::Paused;
    const auto failed = target_failed(outcome);
    if (failed && *failed) {
        breaker_.failed(now, std::get<Retry>(outcome).reason);
    } else if (failed) {
        breaker_.succeeded(now);
    } else if (answered && std::holds_alternative<Rejected>(outcome)) {
        breaker_.answered();
    }
    change.breaker =
        open_until != breaker_.open_until() || was_paused != (breaker_.state(now) == Breaker::State::Paused);
    change.looks |= change.breaker || breaker_.failing_since() || allowed != allowance(now);
    return change;
}

/// An answer that asks for patience speaks for the whole target. True if that is news.
bool Gate::wait(milliseconds at_least, TimePoint now) {
    if (at_least.count() <= 0) return false;
    const auto until = now + std::min(at_least, policy_.wait_max);
    const bool news = !later(wait_until_, now);
    wait_until_ = std::max(wait_until_.value_or(until), until);
    return news;
}

bool Gate::pause(std::string reason) {
    const bool news = breaker_.state({}) != Breaker::State::Paused;
    if (news) breaker_.pause(std::move(reason));
    return news;
}

bool Gate::resume(TimePoint now) {
    const bool news = breaker_.state(now) != Breaker::State::Closed || later(wait_until_, now);
    wait_until_.reset();
    if (!news) return false;
    if (policy_.breaker) {
        breaker_.resume(now);
    } else {
        breaker_ = Breaker();
    }
    return true;
}

GateState Gate::state(TimePoint now) const {
    GateState state;
    state.in_flight_max = policy_.in_flight_max;
    state.allowance = allowance(now);
    state.rate = policy_.rate;
    state.has_breaker = policy_.breaker.has_value();
    state.paused = breaker_.state(now) == Breaker::State::Paused;
    state.open_until = policy_.breaker ? breaker_.open_until() : std::nullopt;
    state.failing_since = breaker_.failing_since();
    state.wait_until = wait_until_;
    state.next_token = next_token_;
    if (state.paused || state.failing_since || state.open_until) state.reason = breaker_.last_reason();
    return state;
}

bool Gate::at_rest(TimePoint now) const {
    return breaker_.state(now) == Breaker::State::Closed && !breaker_.failing_since() && !later(wait_until_, now) &&
           policy_.rate.requests == 0;
}

std::string Gate::save() const {
    JsonWriter json;
    json.object().member_raw("breaker", breaker_.save());
    if (wait_until_) json.member("wait_until", static_cast<std::int64_t>(wait_until_->time_since_epoch().count()));
    json.end();
    return std::move(json).text();
}

void Gate::restore(std::string_view saved) {
    const auto document = JsonDocument::parse(saved);
    if (!document || !(*document)->root().is_object()) return;
    const auto root = (*document)->root();
    breaker_.restore(root["breaker"].raw());
    if (const auto until = root["wait_until"].integer()) wait_until_ = TimePoint{milliseconds{*until}};
    bucket_.empty();
}

}  // namespace orbridge
