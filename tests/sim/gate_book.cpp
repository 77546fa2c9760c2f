#include "tests/sim/gate_book.h"

#include <algorithm>

#include "bridge/core/json.h"

namespace orbridge::sim {
namespace {

/// An order reaches the dispatcher at its next step.
constexpr milliseconds kObeys{50};

}  // namespace

void GateBook::forget_failures() {
    in_a_row_ = 0;
    closed_until_.reset();
}

void GateBook::failed(TimePoint now) {
    if (terms_.failures_in_a_row == 0) return;
    const bool was_open = closed_until_.has_value();
    if (!was_open && ++in_a_row_ < terms_.failures_in_a_row) return;
    // What began before it opened may end in its time, and says nothing new.
    if (!was_open || now >= *closed_until_) closed_until_ = now + terms_.open_least;
}

void GateBook::set_back() {
    forget_failures();
    tokens_.reset();
}

void GateBook::fine() { forget_failures(); }

void GateBook::answered() {
    if (closed_until_) forget_failures();
}

void GateBook::paused(milliseconds elapsed) {
    if (!paused_at_) paused_at_ = elapsed;
}

void GateBook::resumed() {
    paused_at_.reset();
    pause_kept_ = false;
    forget_failures();
}

void GateBook::noted(std::string_view value) {
    const auto document = JsonDocument::parse(value);
    if (!document) return;
    const auto breaker = (*document)->root()["breaker"];
    pause_kept_ = breaker["paused"].boolean().value_or(false);
    const auto until = breaker["open_until"].integer();
    kept_until_ = until ? std::optional(TimePoint{milliseconds{*until}}) : std::nullopt;
}

void GateBook::died() {
    in_a_row_ = 0;
    if (!pause_kept_) paused_at_.reset();
    if (closed_until_ && (!kept_until_ || *kept_until_ < *closed_until_)) closed_until_.reset();
}

bool GateBook::within_rate(int count, TimePoint now) {
    if (terms_.requests == 0) return true;
    if (!tokens_) tokens_ = terms_.requests;
    const auto passed = std::max(milliseconds{0}, now - filled_at_);
    const auto refilled =
        static_cast<double>(passed.count()) * terms_.requests / static_cast<double>(terms_.per.count());
    tokens_ = std::min<double>(terms_.requests, *tokens_ + refilled) - count;
    filled_at_ = now;
    return *tokens_ > -0.01;
}

std::optional<GateBook::Broken> GateBook::claimed(int count, int probes, TimePoint now, milliseconds elapsed) {
    if (count == 0) return std::nullopt;
    if (paused_at_ && elapsed > *paused_at_ + kObeys) return Broken{"paused", "is asked although it is paused"};
    if (closed_until_ && now < *closed_until_)
        return Broken{"breaker", "is asked before " + to_iso8601(*closed_until_) + " although it keeps failing"};
    if (closed_until_ && count + probes > 1) return Broken{"breaker", "gets more than one probe at a time"};
    if (!within_rate(count, now)) return Broken{"rate", "is asked more often than its limit allows"};
    return std::nullopt;
}

}  // namespace orbridge::sim
