#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bridge/core/json.h"
#include "bridge/deliver/dispatcher.h"
#include "bridge/poll/source_poll.h"
#include "bridge/record/health.h"
#include "bridge/record/metrics.h"
#include "bridge/run/registrar.h"
#include "bridge/settings/settings.h"
#include "bridge/store/store.h"

namespace orbridge {

/// One thing /readyz looks at.
struct ReadyCheck {
    std::string name;
    bool ok = true;
    std::string detail;
};

struct StatusParts {
    explicit StatusParts(const Settings& of) : settings(of) {}
    TimePoint now{}, started_at{};
    std::vector<ReadyCheck> checks;
    const Settings& settings;
    StoreCounts counts;
    std::vector<IntakeHeard> heard;
    std::map<std::pair<std::string, Intake>, milliseconds> lags;  ///< by source and intake, of the last event
    std::vector<RegistrarReport> reports;
    std::vector<PollReport> polls;
    std::map<TargetId, TargetView> targets;
    std::map<TargetId, TimePoint> due;  ///< of what is pending for them, the first
    std::map<std::string, Health> target_health, source_health;
};

/// What is known of a source's health: what it was refused or could not be asked, and what was heard of it.
Health health_of(const SourceId& source, const StatusParts& parts);
/// One gauge a configured target, and one a source.
std::vector<Metrics::Health> target_health_gauges(const StatusParts& parts);
std::vector<Metrics::Health> source_health_gauges(const StatusParts& parts);

/// What GET /api/v1/status answers: one object.
void write_status(JsonWriter& json, const StatusParts& parts);
/// `{"ready":…,"checks":{name:{ok,detail}}}`
void write_ready(JsonWriter& json, const std::vector<ReadyCheck>& checks);
/// One gauge a source and intake it registers for.
std::vector<Metrics::Registration> registration_gauges(const std::vector<RegistrarReport>& reports);
/// One gauge a configured target.
std::vector<Metrics::Breaker> breaker_gauges(const Settings& settings, const std::map<TargetId, TargetView>& views,
                                             TimePoint now);
/// What /metrics shows of polling a source.
std::vector<Metrics::Poll> poll_gauges(const std::vector<PollReport>& reports);
bool all_ok(const std::vector<ReadyCheck>& checks);

}  // namespace orbridge
