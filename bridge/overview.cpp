#include "bridge/overview.h"

#include <string>
#include <utility>

namespace orbridge {

std::vector<ReadyCheck> Overview::ready_checks() {
    const auto writable = tools_.store.probe();
    std::vector<ReadyCheck> checks;
    checks.push_back({"store", writable.has_value(), writable ? "" : writable.error().message});
    const auto unrecorded = tools_.recorder.backlog();
    const bool recording = unrecorded < DispatcherSettings{}.backlog_max;
    checks.push_back(
        {"recorder", recording, recording ? "" : std::to_string(unrecorded) + " attempts wait to be stored"});
    checks.push_back({"backlog", !tools_.backlog.full(), tools_.backlog.detail()});
    return checks;
}

void Overview::write_status(JsonWriter& json) {
    const auto current = tools_.plan();
    StatusParts parts(current->settings);
    parts.now = tools_.clock.now();
    parts.started_at = started_at_;
    parts.checks = ready_checks();
    parts.reports = tools_.sources.registrations();
    parts.polls = tools_.sources.polls();
    parts.lags = tools_.ingest.lags();
    if (auto counts = tools_.store.counts()) parts.counts = with_hooks_together(std::move(*counts));
    add_health(parts);
    orbridge::write_status(json, parts);
}

void Overview::add_health(StatusParts& parts) {
    parts.targets = tools_.dispatcher.views();
    if (auto heard = tools_.store.intakes_heard()) parts.heard = std::move(*heard);
    parts.target_health = tools_.healths.targets();
    parts.source_health = tools_.healths.sources();
    if (const auto due = tools_.store.pending_targets()) parts.due = {due->begin(), due->end()};
}

Answer Overview::readiness() {
    const auto checks = ready_checks();
    JsonWriter json;
    write_ready(json, checks);
    return {.status = all_ok(checks) ? 200 : 503, .body = json.text()};
}

Answer Overview::scrape() {
    Metrics::Scrape told{.now = tools_.clock.now(),
                         .counts = {},
                         .heard = {},
                         .registrations = {},
                         .subscriptions = {},
                         .breakers = {},
                         .polls = {},
                         .backlog = {}};
    if (auto counts = tools_.store.counts()) told.counts = with_hooks_together(std::move(*counts));
    told.subscriptions = tools_.subscribers.gauges();
    const auto current = tools_.plan();
    StatusParts parts(current->settings);
    parts.now = told.now;
    parts.polls = tools_.sources.polls();
    add_health(parts);
    told.heard = parts.heard;
    told.target_health = target_health_gauges(parts);
    told.source_health = source_health_gauges(parts);
    told.registrations = registration_gauges(tools_.sources.registrations());
    told.breakers = breaker_gauges(current->settings, parts.targets, told.now);
    told.polls = poll_gauges(parts.polls);
    for (const auto& share : tools_.backlog.shares()) told.backlog.emplace_back(share.limit, share.ratio);
    return {.status = 200, .body = tools_.metrics.render(told), .content_type = "text/plain; version=0.0.4"};
}

}  // namespace orbridge
