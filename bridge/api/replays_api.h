#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "bridge/api/replay_jobs.h"
#include "bridge/core/http.h"
#include "bridge/core/log.h"
#include "bridge/deliver/dispatcher.h"
#include "bridge/record/audit_trail.h"

namespace orbridge {

/// The part of the admin API that is about replays and backfills, which are jobs of one kind. Safe from any thread;
/// everything given to it must outlive it.
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

    enum class Kind { Replay, Backfill };

    /// Waits a moment for small ones: 200 if it has ended by then, else 202.
    Answer start(const InboundRequest& request);
    Answer start_backfill(const InboundRequest& request);
    Answer list(const InboundRequest& request, Kind kind = Kind::Replay) const;
    Answer show(const InboundRequest& request, const std::string& id, Kind kind = Kind::Replay) const;
    Answer cancel(const InboundRequest& request, const std::string& id, Kind kind = Kind::Replay);

private:
    using Read = std::variant<ReplayOrder, Answer> (*)(const Json&);
    Answer begin(const InboundRequest& request, Read read);
    std::optional<ReplayJob> find(const std::string& id, Kind kind) const;
    Answer count(const ReplayOrder& order);
    void begin_gently(const ReplayOrder& order);
    void note(const ReplayJob& job);

    Parts parts_;
};

}  // namespace orbridge
