#pragma once

#include <utility>
#include <vector>

#include "bridge/api/status.h"
#include "bridge/core/http.h"
#include "bridge/healths.h"
#include "bridge/plan.h"
#include "bridge/receive/ingest.h"
#include "bridge/sources.h"
#include "bridge/store/backlog.h"
#include "bridge/subscribers.h"

namespace orbridge {

/// What the daemon tells of itself: whether it is ready, its status, its metrics. Safe from any thread. Everything
/// given to it must outlive it.
class Overview {
public:
    struct Tools {
        Store& store;
        Metrics& metrics;
        Recorder& recorder;
        Backlog& backlog;
        Subscribers& subscribers;
        Dispatcher& dispatcher;
        Ingest& ingest;
        Sources& sources;
        Healths& healths;
        const Clock& clock;
        PlanNow plan;
    };
    /// Made when the daemon starts: it tells since when it runs.
    explicit Overview(Tools tools) : tools_(std::move(tools)), started_at_(tools_.clock.now()) {}

    Answer readiness();
    Answer scrape();
    /// What GET /api/v1/status answers: one object.
    void write_status(JsonWriter& json);

private:
    std::vector<ReadyCheck> ready_checks();
    void add_health(StatusParts& parts);

    const Tools tools_;
    const TimePoint started_at_;
};

}  // namespace orbridge
