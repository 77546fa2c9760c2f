#include "bridge/api/targets.h"

#include <algorithm>

namespace orbridge {
namespace {

void optional_time(JsonWriter& json, std::string_view name, const std::optional<TimePoint>& time) {
    if (time) json.member(name, to_iso8601(*time));
}

}  // namespace

void write_health(JsonWriter& json, const Health& health, const std::optional<TimePoint>& next_run) {
    optional_time(json, "last_success", health.last_success);
    if (health.last_error) {
        json.key("last_error").object().member("at", to_iso8601(*health.last_error));
        json.member("message", health.error).end();
    }
    json.member("consecutive_failures", health.failures);
    optional_time(json, "next_run", next_run);
}

std::optional<TimePoint> next_attempt(const TargetView& view, const std::optional<TimePoint>& due, TimePoint now) {
    if (!due || (*due <= now && view.in_flight > 0)) return std::nullopt;
    const auto hold = view.gate.hold(now);
    if (hold && !hold->until) return std::nullopt;
    return std::max({*due, now, hold ? *hold->until : now});
}

void write_hold(JsonWriter& json, const Hold& hold) {
    json.object().member("by", to_text(hold.by));
    optional_time(json, "until", hold.until);
    if (!hold.reason.empty()) json.member("reason", hold.reason);
    json.end();
}

void write_target(JsonWriter& json, const TargetView& view, TimePoint now) {
    const auto& gate = view.gate;
    const auto state = gate.breaker(now);
    json.member("state", to_text(state));
    if (state == Breaker::State::Open) optional_time(json, "open_until", gate.open_until);
    if (!gate.reason.empty()) json.member("reason", gate.reason);
    optional_time(json, "failing_since", gate.failing_since);
    json.member("in_flight", view.in_flight).member("in_flight_max", gate.in_flight_max);
    if (gate.allowance > 0 && gate.allowance < gate.in_flight_max) json.member("starting_slowly_with", gate.allowance);
    json.member("breaker", gate.has_breaker ? "on" : "off");
    if (gate.rate.requests > 0) {
        json.key("rate").object().member("requests", gate.rate.requests);
        json.member("per_ms", static_cast<std::int64_t>(gate.rate.per.count())).end();
    }
    if (const auto hold = gate.hold(now)) {
        json.key("deferred");
        write_hold(json, *hold);
    }
}

std::optional<Hold> hold_of(const DeliveryRow& row, const std::optional<TargetView>& view, TimePoint now) {
    if (row.state != DeliveryState::Pending || row.in_flight || !view) return std::nullopt;
    auto hold = view->gate.hold(now);
    const bool over_before_due = hold && hold->until && row.due_at && *hold->until <= *row.due_at;
    const bool due_later = hold && hold->by == Hold::By::Probe && row.due_at && *row.due_at > now;
    return over_before_due || due_later ? std::nullopt : hold;
}

}  // namespace orbridge
