#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bridge/core/guarded.h"
#include "bridge/core/ids.h"
#include "bridge/core/log.h"
#include "bridge/normalize/normalizer.h"
#include "bridge/poll/poller.h"
#include "bridge/receive/respond.h"
#include "bridge/receive/source_limits.h"
#include "bridge/record/metrics.h"
#include "bridge/record/rate_limit.h"
#include "bridge/route/loop_guard.h"
#include "bridge/route/router.h"
#include "bridge/store/store.h"
#include "bridge/verify/verifier.h"

namespace orbridge {

/// A source as the accept path sees it. Immutable.
struct SourcePlan {
    SourceId id;
    std::string type;
    std::string mapping;                    ///< as SourceSettings::mapping
    std::shared_ptr<const Verifier> push;   ///< /ingest/{source}; null: nothing is pushed by this source
    std::shared_ptr<const Verifier> hooks;  ///< /engine/…; null: this source has no hooks intake
    bool enabled = true;
    RateLimit limit{};  ///< of what is pushed and believed
    int accepted_status = 202;
    bool snapshots = false;  ///< what its subjects are is kept
};

/// Everything of the configuration that decides what becomes of a request. Replaced whole on reload.
struct IngestPlan {
    std::map<std::string, SourcePlan> sources;  ///< by id
    Normalizer normalizer;
    Router router;
};

/// An event made ready for the store, and where it will go.
struct Prepared {
    NewEvent event;
    std::vector<const LoopSettings*> loops;  ///< one for each of the event's deliveries; the router's
    std::string rule;                        ///< empty: unmapped
    StateFound state;                        ///< Normalized::state
    bool ends = false;
};

/// receive → verify → normalize → route → store → answer. Safe from any thread. What says `later` does not block; the
/// rest blocks for the commit.
class Ingest {
public:
    using PlanNow = std::function<std::shared_ptr<const IngestPlan>()>;
    /// Who wants an event besides the routes' targets.
    using Subscribers = std::function<std::vector<Match>(const Event&)>;
    /// Told after a commit which targets have something new.
    using Wake = std::function<void(const std::vector<TargetId>&)>;

    Ingest(PlanNow plan, Store& store, const Names& names, IdMaker& ids, const Clock& clock, Metrics& metrics, Log& log,
           Wake wake, Subscribers subscribers = {});

    /// Of each source and intake: how long ago the last thing that it told since the start had happened then.
    using Lags = std::map<std::pair<std::string, Intake>, milliseconds>;
    Lags lags() const {
        return lags_.with([](const Lags& lags) { return lags; });
    }

    /// Asked before each event: while it says true, new ones are answered 503 and duplicates still 200. To be
    /// set before the first request.
    void refuse_new_when(std::function<bool()> full) { full_ = std::move(full); }

    /// Told why a request was refused, for the source's status. To be set before the first request.
    void when_refused(std::function<void(const SourceId&, const std::string& reason)> told) {
        refused_ = std::move(told);
    }

    /// Told after each event that may have changed its subject's snapshot. To be set before the first request.
    void when_changed(std::function<void(const SourceId&, const std::string& subject)> changed) {
        changed_ = std::move(changed);
    }

    /// `POST /ingest/{source}`: 202 {id}, 200 duplicate, 400, 401, 404, 410, 429, 503.
    Answer push(const std::string& source, const InboundRequest& request);
    /// The same, answered once the commit is done or has failed. Everything that answers must end before this does.
    void push_later(const std::string& source, const InboundRequest& request, const Respond& respond);
    /// `GET /ingest/{source}`: 200 with what the sender asked back, 403, 404, 405, 410.
    Answer challenge(const std::string& source, const InboundRequest& request);
    /// A schema hook: OpenRegister thinks it runs a Windmill flow. 200 {"status":"approved"} once stored.
    Answer hook(const std::string& workspace, const InboundRequest& request);
    void hook_later(const std::string& workspace, const InboundRequest& request, const Respond& respond);

    /// What polling found, through the same mapping, stored with the bookmark, if there is one, in one transaction.
    /// Unavailable: nothing was stored. Invalid: the source is not there, or something is no JSON.
    Result<std::vector<Accepted>> observe(const SourceId& source, const std::vector<Observed>& found,
                                          TimePoint read_after, const std::optional<Bookmark>& bookmark);

    struct Backfilled {
        std::uint64_t events = 0;             ///< new ones
        std::vector<std::string> problems{};  ///< of what is no event
    };
    /// Tells of what was there before. Unavailable: some of it may be stored; the same may be told again.
    Result<Backfilled> backfill(const SourceId& source, const std::vector<Observed>& existing);

    /// Runs an unmapped event through the mappings of now. Conflict: still unmapped.
    Status remap(const Event& event);

private:
    void guard_against_loops(Prepared& prepared);
    void count_for_loops(const Prepared& prepared);
    bool is_ours(const std::string& id);
    struct Batch;
    struct Pending;
    using Begun = std::variant<Answer, std::unique_ptr<Pending>>;
    Begun begin_push(const std::string& source, const InboundRequest& request);
    Begun begin_hook(const std::string& workspace, const InboundRequest& request);
    Begun begin(const std::shared_ptr<const IngestPlan>& plan, const SourcePlan& source, Intake intake,
                const VerifiedRequest& request);
    Answer end(Pending& pending, const Result<std::vector<Accepted>>& accepted);
    Answer answer(Begun begun);
    void answer_later(Begun begun, const Respond& respond);
    Batch ready(std::vector<Prepared> all, Arrival arrival);
    void tell(Batch& batch, const Result<std::vector<Accepted>>& accepted);
    void record(const Prepared& prepared, const Accepted& accepted);
    void note_lag(const Event& event);
    std::optional<Answer> over_limit(const SourcePlan& source, TimePoint now);
    Answer refuse(const SourceId& source, Intake intake, const Error& error);
    Answer refuse_for_now(const SourceId& source);

    Result<NormalizeOutcome> normalize(const IngestPlan& plan, const std::string& mapping,
                                       const VerifiedRequest& request) const;
    void add_subscribers(NewEvent& event);

    PlanNow plan_;
    Store& store_;
    const Names& names_;
    IdMaker& ids_;
    const Clock& clock_;
    Metrics& metrics_;
    Log& log_;
    Wake wake_;
    Guarded<LoopGuard> loops_;
    Guarded<SourceLimits> limits_;
    Guarded<Lags> lags_;
    Subscribers subscribers_;
    std::function<bool()> full_ = [] { return false; };
    std::function<void(const SourceId&, const std::string&)> refused_ = [](const SourceId&, const std::string&) {};
    std::function<void(const SourceId&, const std::string&)> changed_ = [](const SourceId&, const std::string&) {};
};

/// Pure: gives ids and deliveries to what the mappings made. Used by Ingest and by `orbridge map`.
std::vector<Prepared> prepare(NormalizeOutcome outcome, const Router& router, const VerifiedRequest& request,
                              IdMaker& ids, bool backfilled = false);

}  // namespace orbridge
