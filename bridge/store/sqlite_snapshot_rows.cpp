#include "bridge/store/sqlite_snapshot_rows.h"

#include "bridge/store/sqlite_keys.h"
#include "bridge/store/sqlite_rows.h"

namespace orbridge::rows {
namespace {

constexpr const char* kSnapshot =
    "SELECT version, live, polled, as_of, updated_at, event, used_at, state FROM keys k CROSS JOIN snapshots s"
    " ON s.id = k.ref WHERE k.place = ? AND k.key = x''";
constexpr const char* kAdd =
    "INSERT INTO snapshots (source, subject, version, live, polled, as_of, updated_at, event, used_at, state)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kAddKey = "INSERT INTO keys (place, key, ref) VALUES (?, x'', ?)";
constexpr const char* kChange =
    "UPDATE snapshots SET version = ?2, live = ?3, polled = ?4, as_of = ?5, updated_at = ?6, event = ?7, used_at = ?8,"
    " state = ?9 WHERE id = (SELECT ref FROM keys WHERE place = ?1 AND key = x'')";
constexpr const char* kRemove =
    "DELETE FROM snapshots WHERE id = (SELECT ref FROM keys WHERE place = ? AND key = x'') RETURNING version";
constexpr const char* kRemoveKey = "DELETE FROM keys WHERE place = ? AND key = x''";
constexpr const char* kFloor = "SELECT version FROM snapshot_floors WHERE source = ?";

}  // namespace

Snapshot read_snapshot(Statement& row) {
    Snapshot found;
    found.version = static_cast<std::uint64_t>(row.integer(0));
    found.live = row.integer(1) != 0;
    found.polled = row.integer(2) != 0;
    found.as_of = rows::time_or_null(row, 3);
    found.updated_at = rows::time(row.integer(4));
    if (!row.view(5).empty()) found.event.value = unpack_uuid(row.view(5));
    found.used_at = rows::time(row.integer(6));
    found.state = row.text(7);
    return found;
}

std::optional<Snapshot> read_snapshot(Database& db, std::string_view place) {
    auto cursor = db.run(kSnapshot, place);
    if (!cursor.next()) return std::nullopt;
    return read_snapshot(cursor.row());
}

void add_snapshot(Database& db, const SourceId& source, const std::string& subject, const Snapshot& snapshot) {
    const auto event = pack_uuid(snapshot.event.value);
    std::optional<std::int64_t> as_of;
    if (snapshot.as_of) as_of = ms(*snapshot.as_of);
    db.exec(kAdd, std::string_view(source.value), std::string_view(subject),
            static_cast<std::int64_t>(snapshot.version), snapshot.live, snapshot.polled, as_of, ms(snapshot.updated_at),
            Blob{event ? event->view() : std::string_view()}, ms(snapshot.used_at), Blob{snapshot.state});
    const auto place = place_of(source.value, subject);
    db.exec(kAddKey, std::string_view(place), db.last_row());
}

void change_snapshot(Database& db, std::string_view place, const Snapshot& snapshot) {
    const auto event = pack_uuid(snapshot.event.value);
    std::optional<std::int64_t> as_of;
    if (snapshot.as_of) as_of = ms(*snapshot.as_of);
    db.exec(kChange, place, static_cast<std::int64_t>(snapshot.version), snapshot.live, snapshot.polled, as_of,
            ms(snapshot.updated_at), Blob{event ? event->view() : std::string_view()}, ms(snapshot.used_at),
            Blob{snapshot.state});
}

std::optional<std::int64_t> remove_snapshot(Database& db, std::string_view place) {
    std::optional<std::int64_t> version;
    for (auto gone = db.run(kRemove, place); gone.next();) version = gone->integer(0);
    if (version) db.exec(kRemoveKey, place);
    return version;
}

std::uint64_t floor_of(Database& db, const SourceId& source) {
    auto cursor = db.run(kFloor, std::string_view(source.value));
    return cursor.next() ? static_cast<std::uint64_t>(cursor->integer(0)) : 0;
}

}  // namespace orbridge::rows
