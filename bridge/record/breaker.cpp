#include "bridge/record/breaker.h"

#include <algorithm>

#include "bridge/core/json.h"
#include "bridge/core/result.h"

namespace orbridge {
namespace {

constexpr int kRecentMax = 1'000;  // more would only make the share finer

std::optional<TimePoint> time_of(const Json& value) {
    const auto ms = value.integer();
    return ms ? std::optional(TimePoint{milliseconds{*ms}}) : std::nullopt;
}

void write_time(JsonWriter& json, std::string_view name, const std::optional<TimePoint>& time) {
    if (time) json.member(name, static_cast<std::int64_t>(time->time_since_epoch().count()));
}

}  // namespace

const char* to_text(Breaker::State state) {
    switch (state) {
        case Breaker::State::Closed: return "closed";
        case Breaker::State::Open: return "open";
        case Breaker::State::HalfOpen: return "half-open";
        case Breaker::State::Paused: return "paused";
    }
    return "";
}

std::optional<bool> target_failed(const Outcome& outcome) {
    return std::visit(Overloaded{[](const Delivered&) { return std::optional(false); },
                                 [](const Advanced&) { return std::optional(false); },
                                 [](const Rejected&) { return std::optional<bool>(); },
                                 [](const Retry& retry) {
                                     return retry.why == Retry::Why::RateLimited ? std::nullopt : std::optional(true);
                                 }},
                      outcome);
}

Breaker::State Breaker::state(TimePoint now) const {
    if (paused_) return State::Paused;
    if (!open_until_) return State::Closed;
    // Longer than ever meant: the clock was set back.
    return now < *open_until_ && *open_until_ - now <= policy_.open_most ? State::Open : State::HalfOpen;
}

int Breaker::allowance(TimePoint now, int cap) const {
    switch (state(now)) {
        case State::Closed: return slow_limit_ == 0 ? cap : std::min(cap, slow_limit_);
        case State::HalfOpen: return 1;
        default: return 0;
    }
}

std::optional<TimePoint> Breaker::next_change(TimePoint now) const {
    return state(now) == State::Open ? open_until_ : std::nullopt;
}

void Breaker::forget_old(TimePoint now) {
    while (!recent_.empty() && (recent_.front().at + policy_.window < now || recent_.size() > kRecentMax))
        recent_.pop_front();
}

bool Breaker::too_many() const {
    if (in_a_row_ >= policy_.failures_in_a_row) return true;
    const auto count = static_cast<int>(recent_.size());
    if (count < policy_.share_least) return false;
    const auto failed = std::count_if(recent_.begin(), recent_.end(), [](const Ended& e) { return e.failed; });
    return static_cast<double>(failed) >= policy_.failure_share * count;
}

void Breaker::close() {
    in_a_row_ = 0;
    failing_since_.reset();
    if (!open_until_) return;
    open_until_.reset();
    opened_in_a_row_ = 0;
    recent_.clear();
    slow_limit_ = 1;
}

void Breaker::grow() {
    if (slow_limit_ > 0) slow_limit_ = slow_limit_ >= 512 ? 0 : slow_limit_ * 2;
}

void Breaker::succeeded(TimePoint now) {
    close();
    recent_.push_back({now, false});
    forget_old(now);
    grow();
}

void Breaker::answered() {
    if (open_until_) close();
    grow();
}

void Breaker::failed(TimePoint now, std::string reason) {
    reason_ = std::move(reason);
    ++in_a_row_;
    if (!failing_since_) failing_since_ = now;
    recent_.push_back({now, true});
    forget_old(now);
    const bool was_closed = !open_until_;
    if (!was_closed && now - *failing_since_ >= policy_.pause_after) paused_ = true;
    // What was in flight when it opened may fail too; only a probe's failure opens it anew.
    if (was_closed ? !too_many() : state(now) == State::Open) return;
    const auto doubled = policy_.open_least * (1LL << std::min(opened_in_a_row_, 16));
    open_until_ = now + std::min<milliseconds>(doubled, policy_.open_most);
    ++opened_in_a_row_;
}

void Breaker::pause(std::string reason) {
    paused_ = true;
    reason_ = std::move(reason);
}

void Breaker::resume(TimePoint now) {
    paused_ = false;
    failing_since_.reset();
    in_a_row_ = 0;
    recent_.clear();
    opened_in_a_row_ = 0;
    open_until_ = now;  // half-open: one probe first
}

std::string Breaker::save() const {
    JsonWriter json;
    json.object().member("in_a_row", in_a_row_).member("opened_in_a_row", opened_in_a_row_).member("paused", paused_);
    write_time(json, "open_until", open_until_);
    write_time(json, "failing_since", failing_since_);
    json.member("reason", reason_).end();
    return std::move(json).text();
}

void Breaker::restore(std::string_view saved) {
    const auto document = JsonDocument::parse(saved);
    if (!document || !(*document)->root().is_object()) return;
    const auto root = (*document)->root();
    in_a_row_ = static_cast<int>(root["in_a_row"].integer().value_or(0));
    opened_in_a_row_ = static_cast<int>(root["opened_in_a_row"].integer().value_or(0));
    paused_ = root["paused"].boolean().value_or(false);
    open_until_ = time_of(root["open_until"]);
    failing_since_ = time_of(root["failing_since"]);
    reason_ = root["reason"].string().value_or("");
}

}  // namespace orbridge
