#include "bridge/api/rows.h"

namespace orbridge {
namespace {

void optional_time(JsonWriter& json, std::string_view name, const std::optional<TimePoint>& time) {
    if (time) json.member(name, to_iso8601(*time));
}

void optional_text(JsonWriter& json, std::string_view name, const std::string& text) {
    if (!text.empty()) json.member(name, text);
}

const char* shown(EventState state) {
    switch (state) {
        case EventState::Mapped: return "mapped";
        case EventState::Unmapped: return "unmapped";
        case EventState::Erased: break;
    }
    return "erased";
}

void write_members(JsonWriter& json, const Event& event) {
    json.member("id", event.id.value).member("sequence", event.sequence);
    json.member("source", event.source.value).member("intake", to_text(event.intake));
    json.member("state", shown(event.state));
    if (event.backfilled) json.member("backfilled", true);
    json.member("class", event.event_class).member("channel", event.channel).member("event_name", event.event_name);
    optional_text(json, "subject", event.subject);
    json.member("occurred_at", to_iso8601(event.occurred_at)).member("received_at", to_iso8601(event.received_at));
}

}  // namespace

void write_event(JsonWriter& json, const Event& event) {
    json.object();
    write_members(json, event);
    json.end();
}

void write_whole_event(JsonWriter& json, const Event& event, const Headers& kept,
                       const std::optional<Difference>& difference) {
    json.object();
    write_members(json, event);
    json.member_raw("payload", event.payload.empty() ? "null" : event.payload);
    if (difference) {
        if (!difference->before.empty()) json.member_raw("old_object", difference->before);
        json.member_raw("changed", difference->changed);
    }
    if (!kept.empty()) {
        json.key("headers").object();
        for (const auto& header : kept) json.member(header.name, header.value);
        json.end();
    }
    json.end();
}

void write_delivery(JsonWriter& json, const DeliveryRow& row) {
    json.object().member("id", row.id.value).member("event", row.event.value).member("target", row.target.value);
    optional_text(json, "route", row.route);
    json.member("state", to_text(row.state));
    if (row.state == DeliveryState::Pending) {
        json.member("in_flight", row.in_flight).member("waiting_for_order", row.waiting_for_order);
        if (!row.in_flight && !row.waiting_for_order) optional_time(json, "due_at", row.due_at);
    }
    json.member("attempts", row.attempts_made);
    if (row.replayed) json.member("replayed", true);
    if (row.unclear) json.member("unclear", true);
    json.member("created_at", to_iso8601(row.created_at));
    optional_time(json, "ended_at", row.ended_at);
    optional_text(json, "reason", row.reason);
    optional_text(json, "reference", row.reference);
    json.member("class", row.event_class).member("channel", row.channel).member("event_name", row.event_name);
    optional_text(json, "subject", row.subject);
    json.end();
}

void write_attempt(JsonWriter& json, const Attempt& attempt) {
    json.object().member("number", attempt.number).member("started_at", to_iso8601(attempt.started_at));
    json.member("duration_ms", static_cast<std::int64_t>(attempt.duration.count()));
    if (attempt.status != 0) json.member("status", attempt.status);
    json.member("outcome", attempt.outcome);
    optional_text(json, "task", attempt.task);
    optional_text(json, "step", attempt.step);
    optional_text(json, "message", attempt.message);
    optional_text(json, "reason", attempt.reason);
    optional_text(json, "answer", attempt.answer);
    json.end();
}

void write_job(JsonWriter& json, const FollowedJob& job) {
    json.object().member("job", job.job).member("state", job.state).member("checks", job.checks);
    if (!job.result.empty()) json.member("result", job.result);
    json.end();
}

void write_run(JsonWriter& json, const RunRow& run) {
    json.object().member("number", run.number).member("at", to_iso8601(run.at)).member("target", run.target);
    json.member("task", run.task);
    optional_text(json, "step", run.step);
    json.member("who", run.who);
    optional_text(json, "delivery", run.delivery);
    json.member_raw("params", run.params.empty() ? "null" : run.params);
    json.member("success", run.success).member("message", run.message);
    json.member("seconds", static_cast<double>(run.duration.count()) / 1000).end();
}

void write_audit(JsonWriter& json, const AuditRow& row) {
    json.object().member("number", row.number).member("at", to_iso8601(row.at)).member("who", row.who);
    json.member("what", row.what);
    optional_text(json, "subject", row.subject);
    json.member_raw("detail", row.detail).end();
}

void write_counts(JsonWriter& json, const StoreCounts& counts) {
    json.object().member("events", counts.events).member("unmapped", counts.unmapped);
    json.key("targets").object();
    for (const auto& [target, each] : counts.targets) {
        json.key(target.value).object();
        json.member("pending", each.pending).member("delivered", each.delivered).member("dead", each.dead);
        json.member("expired", each.expired).member("cancelled", each.cancelled);
        optional_time(json, "oldest_pending", each.oldest_pending);
        json.end();
    }
    json.end().end();
}

void write_verdicts(JsonWriter& json, const std::vector<RouteVerdict>& verdicts) {
    json.array();
    for (const auto& verdict : verdicts) {
        json.object().member("route", verdict.route).member("target", verdict.target.value);
        json.member("matched", verdict.matched).member("reason", verdict.reason).end();
    }
    json.end();
}

}  // namespace orbridge
