#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "bridge/core/guarded.h"
#include "bridge/core/log.h"
#include "bridge/settings/settings.h"
#include "bridge/store/claim_table.h"
#include "bridge/store/file_lock.h"
#include "bridge/store/file_mark.h"
#include "bridge/store/fresh.h"
#include "bridge/store/group_writer.h"
#include "bridge/store/heard.h"
#include "bridge/store/keys.h"
#include "bridge/store/log_vfs.h"
#include "bridge/store/readers.h"
#include "bridge/store/sqlite.h"
#include "bridge/store/sqlite_rows.h"
#include "bridge/store/store.h"
#include "bridge/store/tally.h"

namespace orbridge {

/// Sets up the connection that writes. Invalid: the file system cannot do it.
Status prepare_sqlite(Database& db, const std::string& path);

/// Everything in one SQLite file that this process has for itself. All writing goes through one thread
/// with group commit; reading has connections of its own and never waits for it.
///
/// Order: of the open deliveries of one target and order key exactly one is `claimable`, the others
/// are `waiting`. Whatever ends the first promotes the next in the same transaction, so a claim finds
/// what it may have in an index and never walks past what is blocked.
///
/// When the disk fails, or the file is not the one that was opened any more, nothing is stored until mend() has put
/// it right, which is tried at each write: see sqlite_mend.cpp.
class SqliteStore final : public Store {
public:
    /// Opens or creates the file and brings it up to date. `vfs`: what SQLite reaches the disk through, by its
    /// registered name; empty: its own. The log must outlive the store.
    static Result<std::unique_ptr<SqliteStore>> open(const StoreSettings& settings, const Clock& clock, Log& log,
                                                     const std::string& vfs = {});
    ~SqliteStore() override;

    using Store::accept;
    using Store::remap;
    Result<std::vector<Accepted>> accept(const Arrival& arrival) override;
    void accept_later(const Arrival& arrival, const Told& told) override;
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
    std::uint64_t pending() const override { return tally_.pending(); }
    std::uint64_t pending_for(const TargetId& target) const override { return tally_.pending_for(target); }
    Result<StoreSpace> space() override;
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
    Status probe() override;

private:
    struct PackedEvent;
    struct PackedDelivery;
    struct Ending;
    struct Accepting;

    SqliteStore(FileLock lock, std::unique_ptr<LogVfs> log_vfs, std::unique_ptr<Database> db,
                const StoreSettings& settings, Log& log, TimePoint opened_at, const std::string& vfs);
    std::unique_ptr<Database> load(std::unique_ptr<Database> db);
    void load(Database& db);
    void load_heard(Database& db);

    // mend: of the writer's thread
    GroupWriter::Watch watch();
    Status mend();
    Status mend_same();
    Status mend_other(const FileMark& found);
    void close_all(std::vector<std::unique_ptr<Database>>& readers, ClaimTable& claims, bool other);
    Status open_all(std::vector<std::unique_ptr<Database>>& readers);
    Status still_there();
    void suspect(std::string_view why);

    // accept
    static Result<PackedEvent> pack(const NewEvent& event);
    static Result<std::vector<PackedEvent>> pack(const std::vector<NewEvent>& events);
    static Result<std::vector<PackedDelivery>> pack(const std::vector<NewDelivery>& deliveries);
    Result<std::unique_ptr<Accepting>> begin_accept(const Arrival& arrival);
    Status write_arrival(Database& db, Accepting& accepting);
    Result<std::vector<Accepted>> end_accept(Accepting& accepting, const Status& stored);
    std::vector<Accepted> store_arrival(Database& db, std::vector<PackedEvent>& packed,
                                        const std::optional<Key16>& request, bool only_if_known, TallyChange& change);
    std::optional<Accepted> store_event(Database& db, PackedEvent& packed, bool only_if_known, TallyChange& change);
    bool leave_snapshot(Database& db, const std::optional<Snapshot>& before, const PackedEvent& packed,
                        const EventId& stored_as, std::int64_t seq) const;
    std::optional<Accepted> store_backfilled(Database& db, const PackedEvent& packed, bool only_if_known,
                                             TallyChange& change);
    std::optional<Accepted> store_new(Database& db, const PackedEvent& packed, bool only_if_known, TallyChange& change);
    static void store_rest(Database& db, const Arrival& arrival);
    std::optional<EventId> find_by_dedup(Database& db, const PackedEvent& packed, std::int64_t but = 0) const;
    std::optional<Accepted> find_earlier(Database& db, const PackedEvent& packed);
    void insert_twin(Database& db, const Key16& dedup, std::int64_t event);
    /// `by`: the event's id.
    void store_deliveries(Database& db, std::int64_t event, std::string_view by, std::int64_t first_number,
                          const std::vector<PackedDelivery>& deliveries, TallyChange& change);
    std::string supersede(Database& db, const PackedDelivery& with, std::int64_t at, std::string_view by,
                          TallyChange& change);
    void keep_fresh(std::int64_t seq, const PackedEvent& packed, TallyChange& change);
    void let_go(TallyChange& change, bool stored);
    Status remap_event(Database& db, const Key16& key, std::vector<PackedEvent>& packed, TallyChange& change);
    void give_form(Database& db, std::int64_t seq, std::string_view id, const PackedEvent& packed, TallyChange& change);
    static void write_heard(Database& db, const std::vector<IntakeHeard>& rows);

    // deliver
    struct Candidate {
        std::int64_t seq = 0;
        std::uint64_t token = 0;
    };
    /// What a claim looks for, and what it found.
    struct DueScan {
        TimePoint now, until;
        std::size_t limit;
        std::vector<Candidate> found{};
        std::optional<TimePoint> next_due{};
        std::int64_t last_due = 0;  ///< of the last one found
        int passed = 0;             ///< that somebody has

        bool is_full() const { return found.size() >= limit; }
    };
    /// Where the next claims begin.
    struct ClaimedTo {
        std::int64_t due_at = 0;
        int claims = 0;
    };
    void remember_place(const TargetId& target, const DueScan& scan);
    void scan_due(ClaimTable& table, const TargetId& target, std::int64_t from, DueScan& scan);
    std::vector<Candidate> hold_due(ClaimTable& table, const TargetId& target, TimePoint now, TimePoint until,
                                    int limit, std::optional<TimePoint>& next_due);
    static void drop(ClaimTable& table, const std::vector<Candidate>& candidates);
    std::vector<Claim> load_claims(const TargetId& target, const std::vector<Candidate>& candidates);
    void note_order(const Candidate& candidate, const std::optional<std::int64_t>& order_key);
    std::optional<Claim> fresh_claim(const TargetId& target, const Candidate& candidate);
    std::optional<Claim> load_claim(Database& db, const TargetId& target, const Candidate& candidate);
    std::vector<ClaimTable::Hold> begin_settling(const std::vector<Settle>& settles, TimePoint now);
    void end_settling(const std::vector<ClaimTable::Hold>& holds, bool recorded);
    Result<std::uint64_t> end_some(const std::optional<TargetId>& target, const std::optional<Key16>& delivery,
                                   DeliveryState as, const std::string& reason, TimePoint now);

    // ask
    DeliveryRow read_delivery_row(Statement& row) const;
    std::vector<DeliveryRow> read_delivery_rows(Cursor cursor) const;

    // keep house
    Result<std::vector<std::int64_t>> old_events(const RetentionPolicy& policy, TimePoint now, int limit);
    Result<std::uint64_t> remove_events(const std::vector<std::int64_t>& events, const RetentionPolicy& policy,
                                        TimePoint now);

    // erase
    struct Erasing;
    std::vector<std::int64_t> events_about(const ErasureOrder& order, std::int64_t& last,
                                           std::uint64_t& without_subject);
    Erasure count_what_is_kept(const ErasureOrder& order, const std::vector<std::int64_t>& events);
    Status erase_some(const ErasureOrder& order, const std::vector<std::int64_t>& events, bool last, Erasing& erasing);
    bool flush();

    const FileLock lock_;
    const std::string path_, vfs_;
    Log& log_;
    const TimePoint opened_at_;
    const milliseconds twin_window_;
    const std::size_t old_state_bytes_max_;
    const rows::RunLimits run_limits_;
    mutable Guarded<ClaimTable> claims_;
    Guarded<Fresh> fresh_;
    Tally tally_;
    Heard heard_;
    std::int64_t last_seq_ = 0;              ///< the writer's
    bool has_twins_ = false;                 ///< the writer's: something may stand in `twins`
    bool has_erased_ = false;                ///< the writer's: an event may have been erased
    const std::unique_ptr<LogVfs> log_vfs_;  ///< of db_
    const std::unique_ptr<Database> db_;     ///< the writer's; made by load(), which fills what is above
    Readers readers_;
    Database claim_reader_;                               ///< used under claims_'s lock only
    std::unordered_map<TargetId, ClaimedTo> claimed_to_;  ///< likewise
    FileMark mark_;                                       ///< the writer's: the files that all of these have open
    std::mutex pruning_;                                  ///< for one call at a time
    std::int64_t pruned_to_ = 0;  ///< under pruning_: where the next batch goes on; 0: from the oldest
    bool disowned_ = false;       ///< the writer's: something was committed that nobody was told of
    bool suspect_ = false;        ///< the writer's: something happened after which nothing is stored before mend()
    GroupWriter writer_;          ///< last: its thread uses what is above
};

}  // namespace orbridge
