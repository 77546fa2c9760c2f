#include <algorithm>
#include <utility>

#include "bridge/store/sqlite_keys.h"
#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_store.h"

namespace orbridge {
namespace {

using rows::ms;

constexpr std::size_t kRemoveAtOnce = 100;  // events in one transaction: others wait that long at most

#define ORBRIDGE_JOBS                                                                        \
    "SELECT d.id, j.target, j.job, j.state, j.result, j.checks, j.next_check_at FROM jobs j" \
    " JOIN deliveries d ON d.seq = j.delivery"
constexpr const char* kJobsDue =
    ORBRIDGE_JOBS " WHERE j.next_check_at IS NOT NULL AND j.next_check_at <= ? ORDER BY j.next_check_at LIMIT ?";
constexpr const char* kJobOf = ORBRIDGE_JOBS " WHERE j.delivery = (SELECT seq FROM deliveries WHERE id = ?)";
constexpr const char* kNextCheck = "SELECT min(next_check_at) FROM jobs WHERE next_check_at IS NOT NULL";
constexpr const char* kRecordJob =
    "INSERT INTO jobs (delivery, target, job, state, result, checks, next_check_at)"
    // What comes late of an erased event is not kept, and not asked about again.
    " SELECT d.seq, ?2, ?3, iif(e.state = 2 AND ?7 IS NOT NULL, 'lost', ?4), iif(e.state = 2, '', ?5), ?6, iif(e.state "
    "= 2, NULL, ?7)"
    " FROM deliveries d JOIN events e ON e.seq = d.seq / 65536 WHERE d.id = ?1"
    " ON CONFLICT (delivery) DO UPDATE SET target = excluded.target, job = excluded.job, state = excluded.state,"
    " result = excluded.result, checks = excluded.checks, next_check_at = excluded.next_check_at";

constexpr const char* kNote = "SELECT value FROM notes WHERE key = ?";
constexpr const char* kSetNote =
    "INSERT INTO notes (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
constexpr const char* kRemoveNote = "DELETE FROM notes WHERE key = ?";
constexpr std::string_view kProbeNote = "store.probe";

constexpr int kLookAtOnce = 2'000;  // events in one read: a long one keeps the log from being reused
constexpr const char* kOldestEvents = "SELECT seq, received_at FROM events WHERE seq > ? ORDER BY seq LIMIT ?";
constexpr const char* kKept =
    "SELECT 1 FROM deliveries WHERE seq BETWEEN ?1 AND ?2 AND"
    " (state <= 1 OR ended_at >= CASE state WHEN 3 THEN ?4 ELSE ?3 END) LIMIT 1";
constexpr const char* kStatesOf = "SELECT target, state FROM deliveries WHERE seq BETWEEN ? AND ?";
constexpr const char* kRemoveAttempts = "DELETE FROM attempts WHERE delivery BETWEEN ? AND ?";
constexpr const char* kRemoveProgress = "DELETE FROM progress WHERE delivery BETWEEN ? AND ?";
constexpr const char* kRemoveRuns = "DELETE FROM runs WHERE delivery BETWEEN ? AND ?";
constexpr const char* kRemoveJobs = "DELETE FROM jobs WHERE delivery BETWEEN ? AND ?";
constexpr const char* kRemoveDeliveries = "DELETE FROM deliveries WHERE seq BETWEEN ? AND ?";
constexpr const char* kRemoveTwins = "DELETE FROM twins WHERE event = ?";
constexpr const char* kRemoveHeaders = "DELETE FROM kept_headers WHERE event = ?";
constexpr const char* kRemoveDifference = "DELETE FROM differences WHERE event = ?";
constexpr const char* kRemoveEvent = "DELETE FROM events WHERE seq = ? RETURNING state";
constexpr const char* kHighWater = "UPDATE high_water SET seq = ?";

bool job_ended(const std::string& state) { return state != "waiting" && state != "running"; }

FollowedJob read_job(Statement& row) {
    return {{unpack_uuid(row.view(0))}, {row.text(1)}, row.text(2), row.text(3), row.text(4), row.small(5),
            rows::time(row.integer(6))};
}

/// The deliveries of one event, as a range of seqs.
struct Range {
    explicit Range(std::int64_t event)
        : first(rows::delivery_seq(event, 0)), last(rows::delivery_seq(event, rows::kDeliveriesPerEvent - 1)) {}
    std::int64_t first, last;
};

/// Has it a delivery that is open, or that ended too short a time ago?
bool kept(Database& db, std::int64_t event, const RetentionPolicy& policy, TimePoint now) {
    const Range range(event);
    return db.run(kKept, range.first, range.last, ms(now - policy.finished), ms(now - policy.dead)).next();
}

/// Looks at some events after `after`, which moves on. False: none of the rest is old enough.
bool find_old(Database& db, const RetentionPolicy& policy, TimePoint now, std::size_t limit, std::int64_t& after,
              std::vector<std::int64_t>& old) {
    int looked_at = 0;
    for (auto cursor = db.run(kOldestEvents, after, kLookAtOnce); cursor.next(); ++looked_at) {
        if (old.size() >= limit) return true;
        // Events are in order of acceptance: the rest is younger still.
        if (rows::time(cursor->integer(1)) >= now - policy.finished) return false;
        after = cursor->integer(0);
        if (!kept(db, after, policy, now)) old.push_back(after);
    }
    return looked_at == kLookAtOnce;
}

void remove_event(Database& db, std::int64_t event, TallyChange& change) {
    const Range range(event);
    for (auto cursor = db.run(kStatesOf, range.first, range.last); cursor.next();) {
        change.moves.push_back(
            {{cursor->text(0)}, rows::shown(static_cast<rows::State>(cursor->small(1))), std::nullopt});
    }
    db.exec(kRemoveAttempts, range.first, range.last);
    db.exec(kRemoveProgress, range.first, range.last);
    db.exec(kRemoveRuns, range.first, range.last);
    db.exec(kRemoveJobs, range.first, range.last);
    db.exec(kRemoveDeliveries, range.first, range.last);
    db.exec(kRemoveTwins, event);
    db.exec(kRemoveHeaders, event);
    db.exec(kRemoveDifference, event);
    rows::take_keys(db, event);
    auto removed = db.run(kRemoveEvent, event);
    while (removed.next()) {
        change.events -= 1;
        change.unmapped -= removed->small(0) == static_cast<int>(EventState::Unmapped) ? 1 : 0;
    }
}

}  // namespace

Result<std::vector<FollowedJob>> SqliteStore::jobs_due(TimePoint now, int limit) {
    return attempt("list jobs", [&]() -> Result<std::vector<FollowedJob>> {
        return readers_.with([&](Database& db) {
            std::vector<FollowedJob> jobs;
            for (auto cursor = db.run(kJobsDue, ms(now), std::max(0, limit)); cursor.next();)
                jobs.push_back(read_job(cursor.row()));
            return jobs;
        });
    });
}

Result<std::optional<TimePoint>> SqliteStore::next_job_check() {
    return attempt("list jobs", [&]() -> Result<std::optional<TimePoint>> {
        return readers_.with([&](Database& db) {
            auto cursor = db.run(kNextCheck);
            return cursor.next() ? rows::time_or_null(cursor.row(), 0) : std::nullopt;
        });
    });
}

Status SqliteStore::record_job(const FollowedJob& job) {
    const auto key = pack_uuid(job.delivery.value);
    std::optional<std::int64_t> next;
    if (!job_ended(job.state)) next = ms(job.next_check_at);
    bool found = false;
    auto work = [&](Database& db) -> Status {
        found = db.exec(kRecordJob, Blob{key->view()}, std::string_view(job.target.value), std::string_view(job.job),
                        std::string_view(job.state), std::string_view(job.result), job.checks, next) != 0;
        return Ok{};
    };
    if (key) {
        if (auto written = writer_.write("record the job", work); !written) return written;
    }
    if (!found) return Error{Error::Kind::NotFound, "there is no delivery " + job.delivery.value};
    return Ok{};
}

Result<std::optional<FollowedJob>> SqliteStore::job_of(const DeliveryId& delivery) {
    return attempt("read the job", [&]() -> Result<std::optional<FollowedJob>> {
        const auto key = pack_uuid(delivery.value);
        if (!key) return std::optional<FollowedJob>{};
        return readers_.with([&](Database& db) -> std::optional<FollowedJob> {
            auto cursor = db.run(kJobOf, Blob{key->view()});
            if (!cursor.next()) return std::nullopt;
            return read_job(cursor.row());
        });
    });
}

Result<std::optional<std::string>> SqliteStore::note(const std::string& key) {
    return attempt("read a note", [&]() -> Result<std::optional<std::string>> {
        return readers_.with([&](Database& db) -> std::optional<std::string> {
            auto cursor = db.run(kNote, std::string_view(key));
            if (!cursor.next()) return std::nullopt;
            return cursor->text(0);
        });
    });
}

Status SqliteStore::set_note(const std::string& key, const std::string& value) {
    return writer_.write("write a note", [&](Database& db) -> Status {
        db.exec(kSetNote, std::string_view(key), std::string_view(value));
        return Ok{};
    });
}

/// Goes on where the call before had enough, so that old events that are kept are not looked at for each batch.
Result<std::vector<std::int64_t>> SqliteStore::old_events(const RetentionPolicy& policy, TimePoint now, int limit) {
    const auto most = static_cast<std::size_t>(std::max(0, limit));
    std::vector<std::int64_t> old;
    bool from_start = pruned_to_ == 0;
    for (bool more = true; more && old.size() < most;) {
        const auto looked = attempt("find old events", [&]() -> Status {
            more = readers_.with([&](Database& db) { return find_old(db, policy, now, most, pruned_to_, old); });
            return Ok{};
        });
        if (!looked) return looked.error();
        if (more) continue;
        pruned_to_ = 0;
        more = !std::exchange(from_start, true);  // before there is nothing left to do, look at all of them
        if (more) old.clear();
    }
    return old;
}

Result<std::uint64_t> SqliteStore::prune(const RetentionPolicy& policy, TimePoint now, int limit) {
    const std::lock_guard pruning(pruning_);
    const auto old = old_events(policy, now, limit);
    if (!old) return old.error();
    std::uint64_t total = 0;
    for (std::size_t at = 0; at < old->size(); at += kRemoveAtOnce) {
        const auto from = old->begin() + static_cast<std::ptrdiff_t>(at);
        const auto count = std::min(kRemoveAtOnce, old->size() - at);
        const auto removed = remove_events({from, from + static_cast<std::ptrdiff_t>(count)}, policy, now);
        if (!removed) return removed.error();
        total += *removed;
    }
    return total;
}

Result<std::uint64_t> SqliteStore::remove_events(const std::vector<std::int64_t>& events, const RetentionPolicy& policy,
                                                 TimePoint now) {
    TallyChange change;
    auto work = [&](Database& db) -> Status {
        change.clear();
        db.exec(kHighWater, last_seq_);
        for (const auto event : events)
            if (!kept(db, event, policy, now)) remove_event(db, event, change);  // a replay may have come between
        return Ok{};
    };
    const auto written = writer_.write("remove old events", work);
    if (!written) return written.error();
    tally_.apply(change);
    return static_cast<std::uint64_t>(-change.events);
}

Status SqliteStore::probe() {
    return writer_.write("write to the store", [&](Database& db) -> Status {
        db.exec(kSetNote, kProbeNote, kProbeNote);
        db.exec(kRemoveNote, kProbeNote);
        return Ok{};
    });
}

}  // namespace orbridge
