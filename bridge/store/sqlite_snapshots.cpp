#include <algorithm>
#include <limits>

#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_store.h"

namespace orbridge {
namespace {

using rows::ms;

constexpr milliseconds kUseNotedEvery = std::chrono::days{1};  // reading is to cost no writing

constexpr const char* kList =
    "SELECT subject, version, live, updated_at FROM snapshots WHERE source = ? AND subject > ? ORDER BY subject LIMIT "
    "?";
constexpr const char* kUse = "UPDATE snapshots SET used_at = ?3 WHERE source = ?1 AND subject = ?2 AND used_at <= ?4";
constexpr const char* kDifference =
    "SELECT x.before, x.changed FROM events e JOIN differences x ON x.event = e.seq WHERE e.id = ?";
constexpr const char* kNextSource = "SELECT source FROM snapshots WHERE source > ? ORDER BY source LIMIT 1";
constexpr const char* kCount = "SELECT count(*) FROM snapshots";
constexpr const char* kUnused =
    "SELECT subject, used_at FROM snapshots INDEXED BY snapshots_used WHERE source = ? AND live = ? AND used_at < ?"
    " ORDER BY used_at LIMIT ?";
constexpr const char* kRemove =
    "DELETE FROM snapshots WHERE source = ? AND subject = ? AND live = ? AND used_at = ? RETURNING version";

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

}  // namespace

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
        db.exec(kUse, std::string_view(source.value), std::string_view(subject), ms(now), ms(now - kUseNotedEvery));
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
            std::int64_t version = 0;  // 0: it changed or was read meanwhile
            auto gone =
                db.run(kRemove, std::string_view(each.source), std::string_view(each.subject), each.live, each.used_at);
            while (gone.next()) version = gone->integer(0);
            if (version == 0) continue;
            rows::raise_floor(db, each.source, version);
            ++removed;
        }
        return Ok{};
    });
    if (!written) return written.error();
    return removed;
}

}  // namespace orbridge
