#include "bridge/api/targets.h"

#include <algorithm>

namespace orbridge {
namespace {

void optional_time(JsonWriter& json, std::string_view name, const std::optional<TimePoint>& time) {
    if (time) json.member(name, to_iso8601(*time));
}

Deferral deferral_by(const Hold& hold) { return {to_text(hold.by), hold.until, hold.reason, sentence(hold)}; }

/// As many are under way as may be: the target's cap, or less while it begins slowly.
std::optional<Deferral> deferral_by_cap(const TargetView& view) {
    const auto& gate = view.gate;
    if (gate.allowance <= 0 || view.in_flight < gate.allowance) return std::nullopt;
    auto sentence = "what is under way: " + std::to_string(view.in_flight) + " of at most " +
                    std::to_string(gate.allowance) + " at a time";
    if (gate.allowance < gate.in_flight_max) sentence += " while the target begins slowly";
    return Deferral{"in_flight", std::nullopt, "", std::move(sentence)};
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

void write_deferral(JsonWriter& json, const Deferral& deferral) {
    json.object().member("by", deferral.by);
    optional_time(json, "until", deferral.until);
    if (!deferral.reason.empty()) json.member("reason", deferral.reason);
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
        write_deferral(json, deferral_by(*hold));
    }
}

std::optional<Deferral> deferral_of(const DeliveryRow& row, const std::optional<TargetView>& view, TimePoint now) {
    if (row.state != DeliveryState::Pending || row.in_flight) return std::nullopt;
    if (!view) {
        if (is_hook(row.target)) return std::nullopt;  // those are there while they have something to do
        return Deferral{"not_configured", std::nullopt, "", "the target, which is not in the configuration"};
    }
    const bool due_later = row.due_at && *row.due_at > now;
    const auto hold = view->gate.hold(now);
    if (!hold) return due_later || row.waiting_for_order ? std::nullopt : deferral_by_cap(*view);
    const bool over_before_due = hold->until && row.due_at && *hold->until <= *row.due_at;
    if (over_before_due || (hold->by == Hold::By::Probe && due_later)) return std::nullopt;
    return deferral_by(*hold);
}

}  // namespace orbridge
