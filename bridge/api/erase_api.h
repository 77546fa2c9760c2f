#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "bridge/api/replay_jobs.h"
#include "bridge/core/clock.h"
#include "bridge/core/http.h"
#include "bridge/core/log.h"
#include "bridge/record/audit_trail.h"
#include "bridge/store/store.h"

namespace orbridge {

/// The part of the admin API that makes a subject forgotten. Safe from any thread; everything given to it must
/// outlive it.
class EraseApi {
public:
    struct Parts {
        Store& store;
        const Clock& clock;
        Log& log;
        AuditTrail& audit;
        ReplayJobs& replays;
        std::function<void(const std::vector<TargetId>&)> wake;
        /// Nothing if the caller may, else the 401.
        std::function<std::optional<Answer>(const InboundRequest&)> refuse;
    };
    explicit EraseApi(Parts parts) : parts_(std::move(parts)) {}

    /// `POST /api/v1/erase` with {subject, source?, text?, dry_run?}: 200 with what went, or would go.
    Answer erase(const InboundRequest& request);

private:
    Parts parts_;
};

}  // namespace orbridge
