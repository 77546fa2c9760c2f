#pragma once

#include <functional>
#include <optional>
#include <string>

#include "bridge/api/replay_jobs.h"
#include "bridge/core/http.h"
#include "bridge/core/log.h"
#include "bridge/deliver/dispatcher.h"
#include "bridge/record/audit_trail.h"

namespace orbridge {

/// The part of the admin API that is about replays. Safe from any thread; everything given to it must outlive it.
class ReplaysApi {
public:
    struct Parts {
        Replay& replay;
        ReplayJobs& jobs;
        Dispatcher& dispatcher;
        const Clock& clock;
        AuditTrail& audit;
        /// Nothing if the caller may, else the 401.
        std::function<std::optional<Answer>(const InboundRequest&)> refuse;
    };
    explicit ReplaysApi(Parts parts) : parts_(std::move(parts)) {}

    /// Waits a moment for small ones: 200 if it has ended by then, else 202.
    Answer start(const InboundRequest& request);
    Answer list(const InboundRequest& request) const;
    Answer show(const InboundRequest& request, const std::string& id) const;
    Answer cancel(const InboundRequest& request, const std::string& id);

private:
    Answer count(const ReplayOrder& order);
    void begin_gently(const ReplayOrder& order);
    void note(const ReplayJob& job);

    Parts parts_;
};

}  // namespace orbridge
