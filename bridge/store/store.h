#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/delivery.h"
#include "bridge/core/event.h"
#include "bridge/core/http.h"
#include "bridge/core/ids.h"
#include "bridge/core/result.h"
#include "bridge/store/audit.h"
#include "bridge/store/credential.h"
#include "bridge/store/run.h"
#include "bridge/store/snapshot.h"
#include "bridge/store/subscription.h"

namespace orbridge {

struct NewDelivery {
    DeliveryId id;
    TargetId target;
    std::string route;  ///< name of the route that asked for it
    /// Deliveries to one target with equal keys go out one after another, in the order of their events: a
    /// replay waits for the one that is under way and goes before those of younger events. Empty: free.
    std::string order_key;
    TimePoint due_at{};
    bool replayed = false;
    /// Ends those of the same target and order key that are older, wait and are in nobody's hands, attempted before or
    /// not, as Cancelled, `superseded by <event>`. Ends so itself if one of a younger event has not ended: then what is
    /// replayed, or mapped late, is an old state. Needs an order key.
    bool latest_only = false;
    std::string mark{};  ///< becomes Delivery::mark
    std::string cut{};   ///< not empty: stored as Cancelled for this reason, never to be handed out
};

struct NewEvent {
    Event event;  ///< `sequence`: 0; else it came some time ago, and is only now understood
    std::string dedup_key;
    std::string twin_key;  ///< see Normalized::twin_key
    std::vector<NewDelivery> deliveries;
    /// What a later mapping may need of the request besides its body. Kept with an unmapped event only.
    Headers headers{};
    /// Becomes its subject's snapshot, and may show that the event tells nothing new: judge(). Nothing: no snapshot
    /// is kept of this source.
    std::optional<SubjectState> leaves{};
};

/// What a subject is, though no event told of it.
struct SeenSubject {
    std::string subject;
    SubjectState state;
};

/// A subject that was seen, is there, and of which no event was ever told.
struct UntoldSubject {
    std::string subject;
    Snapshot snapshot;
};

struct UntoldQuery {
    SourceId source;
    /// The state's own time, else when it was seen first: from `since` on, before `until`.
    std::optional<TimePoint> since{}, until{};
    std::string after{};  ///< page on: only subjects behind it
    int limit = 100;
};

/// Where whoever brought something goes on: a note, written with what was brought.
struct Bookmark {
    std::string key, value;
};

/// What came in together and is one: the events of a request. All of one source.
struct Arrival {
    std::vector<NewEvent> events;
    /// Names the request among those of its source (Proof::request_id). Once one of this name is stored, another is a
    /// repetition, whatever is in it, for as long as the first one's events are kept. Empty: it has no name.
    std::string request_id{};
    bool only_if_known = false;  ///< store nothing new: Unavailable unless all are duplicates
    /// Kept as snapshots where there is none yet, with the events or alone.
    std::vector<SeenSubject> seen{};
    SourceId seen_at{};     ///< the source of `seen` …
    TimePoint seen_when{};  ///< … and when
    std::optional<Bookmark> bookmark{};
};

struct Accepted {
    EventId id;  ///< of the earlier event if this one is a duplicate
    bool duplicate = false;
};

/// A delivery in one holder's hands until `until`.
struct Claim {
    Delivery delivery;
    std::string route;
    std::uint64_t token = 0;
    TimePoint until{};
};

struct ClaimBatch {
    std::vector<Claim> claims;
    /// When the target next has something to claim, as far as is known now: nothing waits if empty.
    /// In the past when the limit cut the batch; the end of a hold if all that is due is held.
    std::optional<TimePoint> next_due;
};

/// The end of one attempt, to be recorded together with what follows from it.
struct Settle {
    Claim claim;
    Attempt attempt;
    Settlement settlement;
    bool unclear = false;     ///< becomes Delivery::unclear of the next attempt
    std::string reference;    ///< Delivered::reference
    bool follow_job = false;  ///< delivered, and its job's result is wanted: creates a FollowedJob due at once
    std::optional<Progress> progress{};  ///< a step is done: becomes Delivery::progress
    std::optional<RunRow> run{};         ///< for the history of runs; its delivery is this one
    /// Instead of a retry it ends as Cancelled, `superseded by <event>`, if one of its order key waits for it.
    bool gives_way = false;
};

/// A job that a delivery started and whose result is wanted (Windmill, `follow: true`).
struct FollowedJob {
    DeliveryId delivery;
    TargetId target;
    std::string job;     ///< the other side's id
    std::string state;   ///< waiting, running, succeeded, failed, canceled, skipped, lost
    std::string result;  ///< JSON text, at most 20,000 bytes
    int checks = 0;
    TimePoint next_check_at{};
};

// ---- questions ----------------------------------------------------------------------------------

struct DeliveryRow {
    DeliveryId id;
    EventId event;
    TargetId target;
    std::string route;
    DeliveryState state = DeliveryState::Pending;
    bool in_flight = false;
    bool waiting_for_order = false;  ///< an earlier delivery of the same subject is not finished
    int attempts_made = 0;
    bool unclear = false;
    bool replayed = false;
    TimePoint created_at{};           ///< when its id was made
    std::optional<TimePoint> due_at;  ///< while pending
    std::optional<TimePoint> ended_at;
    std::string reason;     ///< why it is not delivered (yet)
    std::string reference;  ///< job id
    std::string event_class, channel, event_name, subject;
};

struct EventQuery {
    std::optional<EventState> state;
    std::string source, channel, subject;   ///< empty: any
    std::optional<TimePoint> since, until;  ///< received: from `since` on, before `until`
    std::uint64_t before_sequence = 0;      ///< page on: only older ones; 0 = from the newest
    std::uint64_t after_sequence = 0;       ///< only younger ones
    bool oldest_first = false;
    int limit = 50;
};

struct DeliveryQuery {
    std::optional<DeliveryState> state;
    std::string target, event;              ///< empty: any
    std::optional<TimePoint> since, until;  ///< created: from `since` on, before `until`
    std::string before_id;                  ///< page on: only older ones (newest first, by id)
    std::string after_id;                   ///< only younger ones
    bool oldest_first = false;
    int limit = 50;
};

struct TargetCounts {
    std::uint64_t pending = 0, delivered = 0, dead = 0, expired = 0, cancelled = 0;
    std::optional<TimePoint> oldest_pending;
};

struct StoreCounts {
    std::uint64_t events = 0, unmapped = 0;
    std::map<TargetId, TargetCounts> targets;
};

struct StoreSpace {
    std::uint64_t bytes = 0;                 ///< in use: what a removal leaves empty is used again
    std::optional<std::uint64_t> disk_free;  ///< nothing: not on a disk, or it does not tell
};

struct IntakeHeard {
    std::string source;
    Intake intake = Intake::Push;
    TimePoint last_at{};
    std::uint64_t count = 0;
};

struct RetentionPolicy {
    milliseconds finished{std::chrono::days{30}};  ///< events whose deliveries have all ended, with attempts;
                                                   ///< counted from their end
    milliseconds dead{std::chrono::days{90}};      ///< events with a dead delivery
};

/// A line of a list of snapshots.
struct SnapshotRow {
    std::string subject;
    std::uint64_t version = 0;
    bool live = true;
    TimePoint updated_at{};
};

struct SnapshotRetention {
    milliseconds unused{std::chrono::days{30}};  ///< neither changed nor read
    std::int64_t rows_max = 1'000'000;           ///< above: the longest unused of a source go, however young
    /// What lives at these sources is kept all the same: without it polling would tell it as new.
    std::set<SourceId> polled{};
};

/// What is to be forgotten.
struct ErasureOrder {
    std::string subject;
    std::string source{};  ///< empty: at any
    bool dry_run = false;  ///< only count
    /// Events without a subject, unmapped ones among them, whose payload holds this go as well. Empty: the last part
    /// of the subject's name, if it is long enough to mean it and nothing else.
    std::string text{};
};

/// What was forgotten, or would be.
struct Erasure {
    std::string name;                   ///< what stands for the subject from now on: `erased:` and a hash of it
    std::uint64_t events = 0;           ///< whose content went; they stay as tombstones
    std::uint64_t without_subject = 0;  ///< of those, that had no subject, but named it in their payload
    bool searched = false;              ///< whether such were looked for
    std::uint64_t deliveries = 0;       ///< pending ones, which ended as Cancelled
    std::uint64_t attempts = 0, jobs = 0;
    std::uint64_t snapshots = 0;
    std::uint64_t audit = 0;        ///< rows that named the subject
    std::vector<TargetId> woken{};  ///< have something to claim, it may be
    bool flushed = true;            ///< the bytes are gone from the files; false: with the next checkpoint of the log
};
/// What stands for an erased subject.
std::string erased_name(const std::string& subject);
/// What payloads of events without a subject are searched for, as JSON writes it. Empty: for nothing.
std::string erasure_text(const ErasureOrder& order);

/// Seam: durable events and deliveries. Safe from any thread. Times are passed in, never read.
/// Unavailable means: it is not known to be stored, and the call may be repeated. Mostly nothing was; but a commit
/// may have taken effect although it reported a fault, or only its answer got lost. Every call can bear that: the same
/// event is a duplicate, a settled claim is lost, a known delivery is left as it is.
/// tests/conformance checks these promises against every implementation.
class Store {
public:
    virtual ~Store() = default;

    // ---- accept

    /// Stores the events with their deliveries, all or nothing, durable when it returns; one answer for each,
    /// in order. Duplicate (same source, subject and dedup_key, or a twin of that subject from another intake within
    /// the twin window, or all of a repeated request): nothing is stored. An empty dedup_key makes no event a duplicate
    /// but the same event (by id) once more. Invalid: an id is no UUID. Snapshots and the bookmark are part of the same
    /// transaction. A backfilled event is a duplicate unless its subject is untold at that moment. It leaves the
    /// snapshot as it is, except that it is told of from then on. One that leaves a state is its subject's first sight,
    /// if nothing is known of it.
    virtual Result<std::vector<Accepted>> accept(const Arrival& arrival) = 0;
    /// The same without waiting: `told` is called once, from any thread, perhaps before this returns. The arrival must
    /// live until then. `told` must not throw or block; others wait to be told.
    using Told = std::function<void(Result<std::vector<Accepted>>)>;
    virtual void accept_later(const Arrival& arrival, const Told& told) { told(accept(arrival)); }
    /// One that came alone.
    Result<Accepted> accept(const NewEvent& event) {
        auto accepted = accept(Arrival{{event}});
        if (!accepted) return accepted.error();
        return accepted->front();
    }
    /// Gives an unmapped event its normalized form and deliveries; id, sequence, source, intake and time of
    /// reception stay. Of several events that came of it, the first that is not stored already takes its place,
    /// and the others that are not are stored after it. What they leave becomes their subject's snapshot, unless
    /// something younger is known of it. Conflict: it is not unmapped any more, or nothing came of it that is not
    /// stored already.
    virtual Status remap(const EventId& id, const std::vector<NewEvent>& mapped) = 0;
    Status remap(const EventId& id, const NewEvent& mapped) { return remap(id, std::vector{mapped}); }
    /// What was kept besides the body of an unmapped event; nothing of one that is mapped, or not known.
    virtual Result<Headers> kept_headers(const EventId& id) = 0;
    /// New deliveries of a stored event (replay, a route added later). One whose id is known already is left as it
    /// is, so that a call whose answer got lost may be repeated. NotFound, also of an erased one.
    virtual Status add_deliveries(const EventId& id, const std::vector<NewDelivery>& deliveries) = 0;

    // ---- deliver

    /// Hands out up to `limit` deliveries that are due, oldest due first, each to one holder until now + hold.
    virtual Result<ClaimBatch> claim(const TargetId& target, TimePoint now, milliseconds hold, int limit) = 0;
    /// Records attempts and next states, all in one transaction. A lost claim (its hold ran out, it was
    /// settled or cancelled before) changes nothing; the answer has one flag each: true = recorded.
    virtual Result<std::vector<bool>> settle(const std::vector<Settle>& settles, TimePoint now) = 0;
    /// Gives claims back untouched: no attempt was made.
    virtual void release(const std::vector<Claim>& claims) = 0;
    /// Targets that have something pending, each with its earliest due time. What a start begins from.
    virtual Result<std::vector<std::pair<TargetId, TimePoint>>> pending_targets() = 0;
    /// Ends all pending deliveries of a target that no longer exists, or one delivery, as Cancelled or Expired.
    /// Returns how many.
    virtual Result<std::uint64_t> end_pending(const std::optional<TargetId>& target,
                                              const std::optional<DeliveryId>& delivery, DeliveryState as,
                                              const std::string& reason, TimePoint now) = 0;
    Result<std::uint64_t> cancel(const std::optional<TargetId>& target, const std::optional<DeliveryId>& delivery,
                                 const std::string& reason, TimePoint now) {
        return end_pending(target, delivery, DeliveryState::Cancelled, reason, now);
    }

    // ---- jobs followed

    virtual Result<std::vector<FollowedJob>> jobs_due(TimePoint now, int limit) = 0;
    virtual Result<std::optional<TimePoint>> next_job_check() = 0;
    /// `waiting` and `running` are asked about again at next_check_at; any other state ends it. NotFound.
    virtual Status record_job(const FollowedJob& job) = 0;
    virtual Result<std::optional<FollowedJob>> job_of(const DeliveryId& delivery) = 0;

    // ---- ask

    virtual Result<Event> event(const EventId& id) = 0;  ///< NotFound
    virtual Result<std::vector<Event>> events(const EventQuery& query) = 0;
    virtual Result<DeliveryRow> delivery(const DeliveryId& id) = 0;  ///< NotFound
    virtual Result<std::vector<DeliveryRow>> deliveries(const DeliveryQuery& query) = 0;
    /// Oldest first; none for a delivery that is not known.
    virtual Result<std::vector<Attempt>> attempts(const DeliveryId& id) = 0;
    virtual Result<StoreCounts> counts() = 0;
    /// Deliveries not yet ended. Kept up to date, not counted: cheap enough to be asked for every event.
    virtual std::uint64_t pending() const = 0;
    /// Likewise, of one target.
    virtual std::uint64_t pending_for(const TargetId& target) const = 0;
    virtual Result<StoreSpace> space() = 0;
    virtual Result<std::vector<IntakeHeard>> intakes_heard() = 0;
    /// Nothing: nothing is known of the subject.
    virtual Result<std::optional<Snapshot>> snapshot(const SourceId& source, const std::string& subject) = 0;
    /// Subjects with this beginning whose snapshot is live, sorted by bytes, behind `after`, at most `limit`.
    virtual Result<std::vector<std::string>> live_subjects(const SourceId& source, const std::string& beginning,
                                                           const std::string& after, int limit) = 0;
    /// Ended ones too, sorted by subject, behind `after`.
    virtual Result<std::vector<SnapshotRow>> snapshots(const SourceId& source, const std::string& after, int limit) = 0;
    /// It was read: prune_snapshots() counts from here on.
    virtual Status use_snapshot(const SourceId& source, const std::string& subject, TimePoint now) = 0;
    /// What an event changed; nothing: not known.
    virtual Result<std::optional<Difference>> difference(const EventId& id) = 0;
    /// Sorted by the subjects' bytes.
    virtual Result<std::vector<UntoldSubject>> untold(const UntoldQuery& query) = 0;
    /// How many there are; `limit` is ignored.
    virtual Result<std::uint64_t> count_untold(const UntoldQuery& query) = 0;
    /// Subjects that were seen, and that an event of before had told of, while no snapshots were kept: they are untold
    /// no more, unless the last event told of their end. How many. Looks at each event of the source once.
    virtual Result<std::uint64_t> mark_told(const SourceId& source) = 0;

    // ---- small things that must survive a restart: names, registrations, cursors

    virtual Result<std::optional<std::string>> note(const std::string& key) = 0;
    virtual Status set_note(const std::string& key, const std::string& value) = 0;

    // ---- subscriptions and the tokens that make them

    /// All there are, in order of registration.
    virtual Result<std::vector<Subscription>> subscriptions() = 0;
    /// Stores it in place of one with the same hook. Its registration number, which is higher than any before.
    virtual Result<std::uint64_t> put_subscription(const Subscription& subscription) = 0;
    /// Changes what may change of a registration: lease and `gone`. All or none; unknown ones are passed over.
    virtual Status update_subscriptions(const std::vector<Subscription>& subscriptions) = 0;
    /// By registration number; unknown ones are passed over.
    virtual Status remove_subscriptions(const std::vector<std::uint64_t>& registrations) = 0;

    virtual Result<std::vector<ApiToken>> api_tokens() = 0;
    virtual Status put_api_token(const ApiToken& token) = 0;       ///< Conflict: the name is taken
    virtual Status remove_api_token(const std::string& name) = 0;  ///< NotFound

    // ---- credentials, sealed

    /// Sorted by adapter, name and scope.
    virtual Result<std::vector<CredentialRow>> credentials() = 0;
    /// Revision 0: a new row. Else in place of the one with this id, adapter, name and scope. The row with its next
    /// revision. Conflict: there is one of this adapter, name and scope, or it has another revision by now.
    virtual Result<CredentialRow> put_credential(const CredentialRow& row) = 0;
    virtual Status remove_credential(const std::string& id) = 0;  ///< NotFound

    // ---- who did what through the APIs

    /// `number` is ignored.
    virtual Status add_audit(const AuditRow& row) = 0;
    /// Newest first.
    virtual Result<std::vector<AuditRow>> audit(const AuditQuery& query) = 0;

    // ---- runs of tasks

    /// Of none that a settle() tells. `number` is ignored.
    virtual Status add_runs(const std::vector<RunRow>& rows) = 0;
    /// Newest first.
    virtual Result<std::vector<RunRow>> runs(const RunQuery& query) = 0;

    // ---- keep house

    /// Removes what is older than the policy allows, at most `limit` events. Returns how many went.
    virtual Result<std::uint64_t> prune(const RetentionPolicy& policy, TimePoint now, int limit) = 0;
    /// Likewise for the audit, at most `limit` rows, oldest first.
    virtual Result<std::uint64_t> prune_audit(const AuditRetention& retention, TimePoint now, int limit) = 0;
    /// Snapshots that nobody used. Their versions do not come again: a new one of the source begins above.
    virtual Result<std::uint64_t> prune_snapshots(const SnapshotRetention& retention, TimePoint now, int limit) = 0;
    /// Makes one subject forgotten: payloads, snapshots, differences, kept headers, answers, results and what the audit
    /// tells of it, and events without a subject that name it (ErasureOrder::text). Its events stay as
    /// EventState::Erased, with their dedup keys, under a name that is a hash; pending deliveries end as Cancelled,
    /// `erased`, those under way too. May be repeated: what came since goes.
    virtual Result<Erasure> erase(const ErasureOrder& order, TimePoint now) = 0;
    /// Can it be written right now? For readiness: writes and removes a note.
    virtual Status probe() = 0;
};

}  // namespace orbridge
