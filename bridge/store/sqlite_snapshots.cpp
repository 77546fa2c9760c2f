#include <algorithm>
#include <limits>
#include <map>

#include "bridge/settings/values.h"
#include "bridge/store/sqlite_keys.h"
#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_snapshot_rows.h"
#include "bridge/store/sqlite_store.h"

namespace orbridge {
namespace {

using rows::ms;
using rows::read_snapshot;

constexpr milliseconds kUseNotedEvery = std::chrono::days{1};  // reading is to cost no writing

constexpr const char* kList =
    "SELECT s.subject, s.version, s.live, s.updated_at FROM keys k CROSS JOIN snapshots s ON s.id = k.ref"
    " WHERE k.place > ?1 || char(10) || ?2 AND k.place < ?1 || char(11) AND k.key = x'' ORDER BY k.place LIMIT ?3";
constexpr const char* kUse =
    "UPDATE snapshots SET used_at = ?2 WHERE id = (SELECT ref FROM keys WHERE place = ?1 AND key = x'') AND used_at <= "
    "?3";
constexpr const char* kDifference =
    "SELECT x.before, x.changed FROM events e JOIN differences x ON x.event = e.seq WHERE e.id = ?";
constexpr const char* kNextSource = "SELECT source FROM snapshots WHERE source > ? ORDER BY source LIMIT 1";
constexpr const char* kCount = "SELECT count(*) FROM snapshots";
constexpr const char* kUnused =
    "SELECT subject, used_at FROM snapshots INDEXED BY snapshots_used WHERE source = ? AND live = ? AND used_at < ?"
    " ORDER BY used_at LIMIT ?";
constexpr const char* kStillUnused =
    "SELECT s.id FROM keys k CROSS JOIN snapshots s ON s.id = k.ref WHERE k.place = ? AND k.key = x'' AND s.live = ?"
    " AND s.used_at = ?";

constexpr const char* kSetBookmark =
    "INSERT INTO notes (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
// `event = x''` as in the index of 0009.
constexpr const char* kUntold =
    "SELECT version, live, polled, as_of, updated_at, event, used_at, state, subject FROM snapshots WHERE source = ?1"
    " AND subject > ?2 AND live = 1 AND event = x'' AND coalesce(as_of, updated_at) >= ?3"
    " AND coalesce(as_of, updated_at) < ?4 ORDER BY subject LIMIT ?5";
constexpr const char* kCountUntold =
    "SELECT count(*) FROM snapshots WHERE source = ?1 AND subject > ?2 AND live = 1 AND event = x''"
    " AND coalesce(as_of, updated_at) >= ?3 AND coalesce(as_of, updated_at) < ?4";
// What events of the past told of what is untold; the events first, as there may be few subjects and many events.
constexpr const char* kToldOf =
    "SELECT e.seq, s.subject, e.id, e.event_name FROM events e CROSS JOIN snapshots s ON s.source = e.source AND"
    " s.subject = e.subject AND s.live = 1 AND s.event = x'' WHERE e.seq > ?1 AND e.seq <= ?2 AND e.source = ?3 AND"
    " e.state = 0 ORDER BY e.seq";
constexpr const char* kMarkTold =
    "UPDATE snapshots SET event = ?3 WHERE source = ?1 AND subject = ?2 AND live = 1 AND event = x''";
constexpr const char* kLastSeq = "SELECT coalesce(max(seq), 0) FROM events";
constexpr const char* kNote = "SELECT value FROM notes WHERE key = ?";
constexpr const char* kLiveSubjects =
    "SELECT s.subject FROM keys k CROSS JOIN snapshots s ON s.id = k.ref WHERE k.place > ?1 || char(10) || ?2"
    " AND k.place >= ?1 || char(10) || ?3 AND k.place < ?1 || char(10) || ?4 AND k.key = x'' AND s.live = 1"
    " ORDER BY k.place LIMIT ?5";

/// A snapshot that may go, as it was when that was decided.
struct Unused {
    std::string source, subject;
    bool live = false;
    std::int64_t used_at = 0;
};

std::vector<std::string> sources_of(Database& db) {
    std::vector<std::string> sources;
    std::string last;
    while (true) {
        auto cursor = db.run(kNextSource, std::string_view(last));
        if (!cursor.next()) return sources;
        sources.push_back(last = cursor->text(0));
    }
}

/// Those not used since `before`, the longest unused of each source first.
void find_unused(Database& db, const SnapshotRetention& retention, std::int64_t before, int limit,
                 std::vector<Unused>& found) {
    for (const auto& source : sources_of(db)) {
        for (const bool live : {false, true}) {
            if (live && retention.polled.contains(SourceId{source})) continue;
            const auto left = limit - static_cast<int>(found.size());
            auto cursor = db.run(kUnused, std::string_view(source), live, before, std::max(0, left));
            while (cursor.next()) found.push_back({source, cursor->text(0), live, cursor->integer(1)});
        }
    }
}

std::int64_t first_ms(const std::optional<TimePoint>& since) {
    return since ? ms(*since) : std::numeric_limits<std::int64_t>::min();
}
std::int64_t last_ms(const std::optional<TimePoint>& until) {
    return until ? ms(*until) : std::numeric_limits<std::int64_t>::max();
}

}  // namespace

Result<std::optional<Snapshot>> SqliteStore::snapshot(const SourceId& source, const std::string& subject) {
    return attempt("read a snapshot", [&]() -> Result<std::optional<Snapshot>> {
        return readers_.with([&](Database& db) { return read_snapshot(db, rows::place_of(source.value, subject)); });
    });
}

Result<std::vector<UntoldSubject>> SqliteStore::untold(const UntoldQuery& query) {
    return attempt("read subjects", [&]() -> Result<std::vector<UntoldSubject>> {
        return readers_.with([&](Database& db) {
            std::vector<UntoldSubject> untold;
            auto cursor = db.run(kUntold, std::string_view(query.source.value), std::string_view(query.after),
                                 first_ms(query.since), last_ms(query.until), query.limit);
            while (cursor.next()) untold.push_back({cursor->text(8), read_snapshot(cursor.row())});
            return untold;
        });
    });
}

Result<std::uint64_t> SqliteStore::count_untold(const UntoldQuery& query) {
    return attempt("count subjects", [&]() -> Result<std::uint64_t> {
        return readers_.with([&](Database& db) {
            auto cursor = db.run(kCountUntold, std::string_view(query.source.value), std::string_view(query.after),
                                 first_ms(query.since), last_ms(query.until));
            return cursor.next() ? static_cast<std::uint64_t>(cursor->integer(0)) : std::uint64_t{0};
        });
    });
}

namespace {

constexpr std::int64_t kLookAtOnce = 20'000;  // events in one read: a long one keeps the log from being reused

/// By subject: the event that told of it last, or nothing if that told of its end.
using ToldBy = std::map<std::string, std::optional<EventId>>;

void find_told(Database& db, const SourceId& source, std::int64_t after, std::int64_t last, ToldBy& told) {
    for (auto cursor = db.run(kToldOf, after, last, std::string_view(source.value)); cursor.next();) {
        const bool ended = cursor->view(3).starts_with("deleted:");
        told[cursor->text(1)] = ended ? std::nullopt : std::optional(EventId{unpack_uuid(cursor->view(2))});
    }
}

std::int64_t first_number(Cursor cursor) { return cursor.next() ? cursor->integer(0) : 0; }

}  // namespace

Result<std::uint64_t> SqliteStore::mark_told(const SourceId& source) {
    const auto key = "told:" + source.value;
    ToldBy told;
    std::int64_t last = 0;
    const auto looked = attempt("look what events told of", [&]() -> Status {
        std::int64_t after = 0;
        readers_.with([&](Database& db) {
            auto from = db.run(kNote, std::string_view(key));
            if (from.next()) after = parse_integer(from->view(0)).value_or(0);
            last = first_number(db.run(kLastSeq));
        });
        for (; after < last; after += kLookAtOnce) {
            const auto to = std::min(last, after + kLookAtOnce);
            readers_.with([&](Database& db) { find_told(db, source, after, to, told); });
        }
        return Ok{};
    });
    if (!looked) return looked.error();
    std::uint64_t marked = 0;
    const auto written = writer_.write("mark what was told of", [&](Database& db) -> Status {
        marked = 0;
        for (const auto& [subject, by] : told) {
            const auto id = by ? pack_uuid(by->value) : std::nullopt;
            if (!id) continue;
            marked += static_cast<std::uint64_t>(
                db.exec(kMarkTold, std::string_view(source.value), std::string_view(subject), Blob{id->view()}));
        }
        const auto text = std::to_string(last);
        db.exec(kSetBookmark, std::string_view(key), std::string_view(text));
        return Ok{};
    });
    if (!written) return written.error();
    return marked;
}

Result<std::vector<std::string>> SqliteStore::live_subjects(const SourceId& source, const std::string& beginning,
                                                            const std::string& after, int limit) {
    return attempt("read subjects", [&]() -> Result<std::vector<std::string>> {
        return readers_.with([&](Database& db) {
            std::vector<std::string> subjects;
            const auto end = beginning + "\xf4\x8f\xbf\xbf";  // above all text that begins so
            auto cursor = db.run(kLiveSubjects, std::string_view(source.value), std::string_view(after),
                                 std::string_view(beginning), std::string_view(end), limit);
            while (cursor.next()) subjects.push_back(cursor->text(0));
            return subjects;
        });
    });
}

Result<std::vector<SnapshotRow>> SqliteStore::snapshots(const SourceId& source, const std::string& after, int limit) {
    return attempt("list snapshots", [&]() -> Result<std::vector<SnapshotRow>> {
        return readers_.with([&](Database& db) {
            std::vector<SnapshotRow> found;
            auto cursor = db.run(kList, std::string_view(source.value), std::string_view(after), std::max(0, limit));
            while (cursor.next()) {
                found.push_back({cursor->text(0), static_cast<std::uint64_t>(cursor->integer(1)), cursor->small(2) != 0,
                                 rows::time(cursor->integer(3))});
            }
            return found;
        });
    });
}

Status SqliteStore::use_snapshot(const SourceId& source, const std::string& subject, TimePoint now) {
    return writer_.write("note the use of a snapshot", [&](Database& db) -> Status {
        const auto place = rows::place_of(source.value, subject);
        db.exec(kUse, std::string_view(place), ms(now), ms(now - kUseNotedEvery));
        return Ok{};
    });
}

Result<std::optional<Difference>> SqliteStore::difference(const EventId& id) {
    return attempt("read the event", [&]() -> Result<std::optional<Difference>> {
        const auto key = pack_uuid(id.value);
        if (!key) return std::optional<Difference>{};
        return readers_.with([&](Database& db) -> std::optional<Difference> {
            auto cursor = db.run(kDifference, Blob{key->view()});
            if (!cursor.next()) return std::nullopt;
            return Difference{cursor->text(0), cursor->text(1)};
        });
    });
}

Result<std::uint64_t> SqliteStore::prune_snapshots(const SnapshotRetention& retention, TimePoint now, int limit) {
    std::vector<Unused> old;
    const auto looked = attempt("find old snapshots", [&]() -> Status {
        readers_.with([&](Database& db) {
            find_unused(db, retention, ms(now - retention.unused), limit, old);
            if (!old.empty()) return;
            auto count = db.run(kCount);
            const auto above = count.next() ? count->integer(0) - retention.rows_max : 0;
            if (above <= 0) return;
            find_unused(db, retention, std::numeric_limits<std::int64_t>::max(),
                        static_cast<int>(std::min<std::int64_t>(above, limit)), old);
        });
        return Ok{};
    });
    if (!looked) return looked.error();
    if (old.empty()) return std::uint64_t{0};
    std::uint64_t removed = 0;
    const auto written = writer_.write("remove old snapshots", [&](Database& db) -> Status {
        removed = 0;
        for (const auto& each : old) {
            const auto place = rows::place_of(each.source, each.subject);
            // Else it changed or was read meanwhile.
            if (!db.run(kStillUnused, std::string_view(place), each.live, each.used_at).next()) continue;
            const auto version = rows::remove_snapshot(db, place);
            rows::raise_floor(db, each.source, version.value_or(0));
            ++removed;
        }
        return Ok{};
    });
    if (!written) return written.error();
    return removed;
}

}  // namespace orbridge
