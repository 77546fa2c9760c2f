#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bridge/core/guarded.h"
#include "bridge/store/store.h"

namespace orbridge {

/// The same promises as SqliteStore but durability, for tests and simulation (which plants faults in a class of
/// its own that derives from this).
class MemoryStore : public Store {
public:
    explicit MemoryStore(milliseconds twin_window = milliseconds{120'000}, std::size_t old_state_bytes_max = 64 << 10)
        : twin_window_(twin_window), old_state_bytes_max_(old_state_bytes_max) {}
    /// Before anything is stored.
    void limit_runs(std::size_t bytes_max, std::size_t params_bytes_max) {
        runs_bytes_max_ = bytes_max;
        run_params_bytes_max_ = params_bytes_max;
    }

    using Store::accept;
    using Store::remap;
    Result<std::vector<Accepted>> accept(const Arrival& arrival) override;
    Status remap(const EventId& id, const std::vector<NewEvent>& mapped) override;
    Result<Headers> kept_headers(const EventId& id) override;
    Status add_deliveries(const EventId& id, const std::vector<NewDelivery>& deliveries) override;

    Result<ClaimBatch> claim(const TargetId& target, TimePoint now, milliseconds hold, int limit) override;
    Result<std::vector<bool>> settle(const std::vector<Settle>& settles, TimePoint now) override;
    void release(const std::vector<Claim>& claims) override;
    Result<std::vector<std::pair<TargetId, TimePoint>>> pending_targets() override;
    Result<std::uint64_t> end_pending(const std::optional<TargetId>& target, const std::optional<DeliveryId>& delivery,
                                      DeliveryState as, const std::string& reason, TimePoint now) override;

    Result<std::vector<FollowedJob>> jobs_due(TimePoint now, int limit) override;
    Result<std::optional<TimePoint>> next_job_check() override;
    Status record_job(const FollowedJob& job) override;
    Result<std::optional<FollowedJob>> job_of(const DeliveryId& delivery) override;

    Result<Event> event(const EventId& id) override;
    Result<std::vector<Event>> events(const EventQuery& query) override;
    Result<DeliveryRow> delivery(const DeliveryId& id) override;
    Result<std::vector<DeliveryRow>> deliveries(const DeliveryQuery& query) override;
    Result<std::vector<Attempt>> attempts(const DeliveryId& id) override;
    Result<StoreCounts> counts() override;
    std::uint64_t pending() const override;
    std::uint64_t pending_for(const TargetId& target) const override;
    Result<StoreSpace> space() override { return StoreSpace{}; }
    Result<std::vector<IntakeHeard>> intakes_heard() override;
    Result<std::optional<Snapshot>> snapshot(const SourceId& source, const std::string& subject) override;
    Result<std::vector<std::string>> live_subjects(const SourceId& source, const std::string& beginning,
                                                   const std::string& after, int limit) override;
    Result<std::vector<UntoldSubject>> untold(const UntoldQuery& query) override;
    Result<std::uint64_t> count_untold(const UntoldQuery& query) override;
    Result<std::uint64_t> mark_told(const SourceId& source) override;

    Result<std::vector<SnapshotRow>> snapshots(const SourceId& source, const std::string& after, int limit) override;
    Status use_snapshot(const SourceId& source, const std::string& subject, TimePoint now) override;
    Result<std::optional<Difference>> difference(const EventId& id) override;

    Result<std::optional<std::string>> note(const std::string& key) override;
    Status set_note(const std::string& key, const std::string& value) override;

    Result<std::vector<Subscription>> subscriptions() override;
    Result<std::uint64_t> put_subscription(const Subscription& subscription) override;
    Status update_subscriptions(const std::vector<Subscription>& subscriptions) override;
    Status remove_subscriptions(const std::vector<std::uint64_t>& registrations) override;
    Result<std::vector<ApiToken>> api_tokens() override;
    Status put_api_token(const ApiToken& token) override;
    Status remove_api_token(const std::string& name) override;

    Result<std::vector<CredentialRow>> credentials() override;
    Result<CredentialRow> put_credential(const CredentialRow& row) override;
    Status remove_credential(const std::string& id) override;

    Status add_audit(const AuditRow& row) override;
    Result<std::vector<AuditRow>> audit(const AuditQuery& query) override;
    Result<std::uint64_t> prune_audit(const AuditRetention& retention, TimePoint now, int limit) override;

    Status add_runs(const std::vector<RunRow>& rows) override;
    Result<std::vector<RunRow>> runs(const RunQuery& query) override;

    Result<std::uint64_t> prune(const RetentionPolicy& policy, TimePoint now, int limit) override;
    Result<std::uint64_t> prune_snapshots(const SnapshotRetention& retention, TimePoint now, int limit) override;
    Result<Erasure> erase(const ErasureOrder& order, TimePoint now) override;
    Status probe() override { return Ok{}; }

    /// As if the process had ended and another had begun: what was stored is there, and nobody holds anything.
    void restart();

private:
    /// An event's sequence and the delivery's number: deliveries of one key go out in this order.
    using Place = std::pair<std::uint64_t, int>;
    using OrderKey = std::pair<TargetId, std::string>;

    struct StoredEvent {
        Event event;
        std::set<std::string> dedup_keys;  ///< its own and its twins', as in State::dedup
        std::string twin_key;
        std::set<Intake> seen;
        int deliveries = 0;
        Headers headers;
        std::optional<Difference> difference{};
    };
    struct StoredDelivery {
        NewDelivery asked;
        DeliveryState state = DeliveryState::Pending;
        bool waiting = false;
        int attempts_made = 0;
        bool unclear = false;
        TimePoint due_at{};
        std::optional<TimePoint> ended_at;
        std::string reason, reference;
        std::uint64_t token = 0;  ///< of its holder; 0: nobody
        TimePoint until{};
        std::vector<Attempt> attempts;
        Progress progress{};
    };
    struct State {
        std::uint64_t last_sequence = 0, last_token = 0;
        std::map<std::uint64_t, StoredEvent> events;
        std::map<EventId, std::uint64_t> event_ids;
        std::map<std::pair<SourceId, std::string>, std::uint64_t> dedup;
        std::map<std::pair<SourceId, std::string>, std::uint64_t> requests;  ///< by name: its first event
        std::map<Place, StoredDelivery> deliveries;
        std::map<DeliveryId, Place> delivery_ids;
        std::map<TargetId, std::set<std::pair<TimePoint, Place>>> claimable;
        std::map<OrderKey, std::set<Place>> open;  ///< with an order key: the claimable one and those behind it
        std::map<DeliveryId, FollowedJob> jobs;
        std::map<std::string, std::string> notes;
        std::map<std::pair<SourceId, std::string>, Snapshot> snapshots;
        std::map<SourceId, std::uint64_t> floors;  ///< the highest version that was removed
        std::uint64_t last_registration = 0;
        std::map<std::uint64_t, Subscription> subscriptions;
        std::map<std::string, ApiToken> api_tokens;
        std::map<std::string, CredentialRow> credentials;  ///< by id
        std::uint64_t last_audit = 0;
        std::vector<AuditRow> audit;
        std::uint64_t last_run = 0;
        std::vector<RunRow> runs;
        std::map<std::pair<std::string, Intake>, IntakeHeard> heard;
    };

    static void add(State& state, StoredEvent& to, const std::vector<NewDelivery>& deliveries);
    static std::string superseded_by(const State& state, const Place& younger);
    static std::string supersede(State& state, const NewDelivery& by, const Place& at);
    std::vector<Accepted> store(State& state, const Arrival& arrival) const;
    /// Nothing: it is new, and only a known one was wanted.
    std::optional<Accepted> store_one(State& state, const NewEvent& event, bool only_if_known) const;
    std::optional<Accepted> store_backfilled(State& state, const NewEvent& event, bool only_if_known) const;
    std::optional<Accepted> store_unless_known(State& state, const NewEvent& event, bool only_if_known) const;
    static void store_rest(State& state, const Arrival& arrival);
    static void remove_snapshot(State& state, const std::pair<SourceId, std::string>& place);
    static void erase_event(State& state, StoredEvent& stored, TimePoint now, Erasure& erasure);
    static void store_new(State& state, const NewEvent& event);
    void give_form(State& state, StoredEvent& stored, const NewEvent& mapped) const;
    std::optional<Difference> leave_snapshot(State& state, const std::optional<Snapshot>& before, const NewEvent& event,
                                             const EventId& stored_as) const;
    std::optional<EventId> find_duplicate(State& state, const NewEvent& event) const;
    static StoredDelivery* held(State& state, const Claim& claim, TimePoint now);
    static Claim hand_out(State& state, const Place& place, TimePoint until);
    void record(State& state, StoredDelivery& delivery, const Settle& settle, TimePoint now) const;
    void keep_run(State& state, const RunRow& row) const;
    static void end(State& state, StoredDelivery& delivery, DeliveryState as, const std::string& reason, TimePoint now);
    static DeliveryRow row_of(const State& state, const Place& place, const StoredDelivery& delivery);
    static bool removable(const State& state, const StoredEvent& event, const RetentionPolicy& policy, TimePoint now);
    static void remove(State& state, std::uint64_t sequence);

    const milliseconds twin_window_;
    const std::size_t old_state_bytes_max_;
    std::size_t runs_bytes_max_ = 16 << 20;
    std::size_t run_params_bytes_max_ = 4 << 10;
    Guarded<State> state_;
};

}  // namespace orbridge
