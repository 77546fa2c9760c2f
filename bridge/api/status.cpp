#include "bridge/api/status.h"

#include <algorithm>

#include "bridge/api/rows.h"
#include "bridge/api/targets.h"
#include "bridge/core/http.h"

namespace orbridge {
namespace {

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
    json.key(name).array();
    for (const auto& text : texts) json.value(text);
    json.end();
}

void write_report(JsonWriter& json, const RegistrarReport& report) {
    json.object().member("state", to_text(report.state));
    if (!report.message.empty()) json.member("message", report.message);
    json.key("as_configured").object();
    for (const auto& [intake, ok] : report.as_configured) json.member(to_text(intake), ok);
    json.end();
    json.key("registrations").array();
    for (const auto& each : report.registrations) {
        json.object().member("kind", to_text(each.kind)).member("class", each.event_class);
        json.member("id", each.remote_id).member("state", to_text(each.state));
        if (!each.detail.empty()) json.member("detail", each.detail);
        json.end();
    }
    json.end();
    write_texts(json, "cannot_arrive", report.cannot_arrive);
    write_texts(json, "notices", report.notices);
    if (report.checked_at) json.member("checked_at", to_iso8601(*report.checked_at));
    if (report.next_try) json.member("next_try", to_iso8601(*report.next_try));
    json.end();
}

void write_poll(JsonWriter& json, const PollReport& poll) {
    json.object();
    json.member("state", !poll.error.empty() ? "error" : poll.fetched_at ? "ok" : "pending");
    if (!poll.reads.empty()) json.member("reads", poll.reads);
    json.member("pushes", to_text(poll.pushes));
    if (poll.checked_at) json.member("checked_at", to_iso8601(*poll.checked_at));
    if (poll.fetched_at) json.member("fetched_at", to_iso8601(*poll.fetched_at));
    if (poll.next_poll) json.member("next_poll", to_iso8601(*poll.next_poll));
    if (!poll.error.empty()) json.member("error", poll.error).member("failures", poll.failures);
    json.member("recovered", poll.recovered).member("caught_up", poll.caught_up);
    json.member("duplicates", poll.duplicates).member("untold", poll.untold);
    write_texts(json, "cannot_tell", poll.cannot_tell);
    json.end();
}

std::optional<TimePoint> next_poll(const SourceId& source, const StatusParts& parts) {
    for (const auto& poll : parts.polls)
        if (poll.source == source) return poll.next_poll;
    return std::nullopt;
}

Health health_in(const std::map<std::string, Health>& all, const std::string& name) {
    const auto found = all.find(name);
    return found == all.end() ? Health{} : found->second;
}

std::optional<TimePoint> next_run(const TargetId& target, const StatusParts& parts) {
    const auto view = parts.targets.find(target);
    const auto due = parts.due.find(target);
    if (view == parts.targets.end() || due == parts.due.end()) return std::nullopt;
    return next_attempt(view->second, due->second, parts.now);
}

void write_source(JsonWriter& json, const SourceSettings& source, const StatusParts& parts) {
    json.object().member("type", source.type);
    if (!source.url.empty()) json.member("url", where(source.url));
    write_health(json, health_of(source.id, parts), next_poll(source.id, parts));
    json.key("heard").object();
    for (const auto& heard : parts.heard) {
        if (heard.source != source.id.value) continue;
        json.key(to_text(heard.intake)).object();
        json.member("last_at", to_iso8601(heard.last_at)).member("count", heard.count);
        if (const auto lag = parts.lags.find({heard.source, heard.intake}); lag != parts.lags.end())
            json.member("lag_ms", static_cast<std::int64_t>(lag->second.count()));
        json.end();
    }
    json.end();
    for (const auto& report : parts.reports) {
        if (report.source != source.id) continue;
        json.key("registrar");
        write_report(json, report);
    }
    for (const auto& poll : parts.polls) {
        if (poll.source != source.id) continue;
        json.key("poll");
        write_poll(json, poll);
    }
    json.end();
}

}  // namespace

Health health_of(const SourceId& source, const StatusParts& parts) {
    auto health = health_in(parts.source_health, source.value);
    for (const auto& heard : parts.heard) {
        if (heard.source != source.value) continue;
        health.last_success = std::max(health.last_success.value_or(heard.last_at), heard.last_at);
    }
    if (health.last_error && health.last_success && *health.last_success > *health.last_error) health.failures = 0;
    return health;
}

std::vector<Metrics::Health> target_health_gauges(const StatusParts& parts) {
    std::vector<Metrics::Health> gauges;
    gauges.reserve(parts.settings.targets.size());
    for (const auto& target : parts.settings.targets) {
        const auto health = health_in(parts.target_health, target.id.value);
        gauges.push_back(
            {target.id.value, health.last_success, health.last_error, next_run(target.id, parts), health.failures});
    }
    return gauges;
}

std::vector<Metrics::Health> source_health_gauges(const StatusParts& parts) {
    std::vector<Metrics::Health> gauges;
    gauges.reserve(parts.settings.sources.size());
    for (const auto& source : parts.settings.sources) {
        const auto health = health_of(source.id, parts);
        gauges.push_back(
            {source.id.value, health.last_success, health.last_error, next_poll(source.id, parts), health.failures});
    }
    return gauges;
}

bool all_ok(const std::vector<ReadyCheck>& checks) {
    return std::all_of(checks.begin(), checks.end(), [](const ReadyCheck& check) { return check.ok; });
}

std::vector<Metrics::Registration> registration_gauges(const std::vector<RegistrarReport>& reports) {
    std::vector<Metrics::Registration> gauges;
    for (const auto& report : reports) {
        for (const auto& [intake, ok] : report.as_configured)
            gauges.push_back({report.source.value, to_text(intake), ok});
    }
    return gauges;
}

std::vector<Metrics::Breaker> breaker_gauges(const Settings& settings, const std::map<TargetId, TargetView>& views,
                                             TimePoint now) {
    std::vector<Metrics::Breaker> gauges;
    for (const auto& target : settings.targets) {
        const auto view = views.find(target.id);
        if (view == views.end()) continue;
        const auto& [gate, in_flight] = view->second;
        gauges.push_back({target.id, gate.breaker(now), in_flight});
    }
    return gauges;
}

std::vector<Metrics::Poll> poll_gauges(const std::vector<PollReport>& reports) {
    std::vector<Metrics::Poll> gauges;
    gauges.reserve(reports.size());
    for (const auto& report : reports) {
        gauges.push_back({report.source.value, report.checked_at, report.fetched_at, report.next_poll, report.failures,
                          report.recovered, report.duplicates, report.untold, report.cannot_tell.size(),
                          report.pushes == PushState::Silent});
    }
    return gauges;
}

void write_ready(JsonWriter& json, const std::vector<ReadyCheck>& checks) {
    json.object().member("ready", all_ok(checks)).key("checks").object();
    for (const auto& check : checks) {
        json.key(check.name).object().member("ok", check.ok);
        if (!check.detail.empty()) json.member("detail", check.detail);
        json.end();
    }
    json.end().end();
}

void write_status(JsonWriter& json, const StatusParts& parts) {
    json.object().member("version", ORBRIDGE_VERSION);
    json.member("now", to_iso8601(parts.now)).member("started_at", to_iso8601(parts.started_at));
    json.key("readiness");
    write_ready(json, parts.checks);
    json.key("store");
    write_counts(json, parts.counts);
    json.key("sources").object();
    for (const auto& source : parts.settings.sources) {
        json.key(source.id.value);
        write_source(json, source, parts);
    }
    json.end().key("targets").object();
    for (const auto& target : parts.settings.targets) {
        json.key(target.id.value).object().member("adapter", target.adapter);
        write_health(json, health_in(parts.target_health, target.id.value), next_run(target.id, parts));
        const auto view = parts.targets.find(target.id);
        if (view != parts.targets.end()) write_target(json, view->second, parts.now);
        json.end();
    }
    json.end().end();
}

}  // namespace orbridge
