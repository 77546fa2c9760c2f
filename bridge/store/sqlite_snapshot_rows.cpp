#include "bridge/store/sqlite_snapshot_rows.h"

#include "bridge/store/sqlite_rows.h"

namespace orbridge::rows {
namespace {

constexpr const char* kSnapshot =
    "SELECT version, live, polled, as_of, updated_at, event, used_at, state FROM snapshots WHERE source = ? AND "
    "subject = ?";
constexpr const char* kWriteSnapshot =
    "INSERT INTO snapshots (source, subject, version, live, polled, as_of, updated_at, event, used_at, state)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, subject) DO UPDATE SET version = excluded.version,"
    " live = excluded.live, polled = excluded.polled, as_of = excluded.as_of, updated_at = excluded.updated_at,"
    " event = excluded.event, used_at = excluded.used_at, state = excluded.state";
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

std::optional<Snapshot> read_snapshot(Database& db, const SourceId& source, const std::string& subject) {
    auto cursor = db.run(kSnapshot, std::string_view(source.value), std::string_view(subject));
    if (!cursor.next()) return std::nullopt;
    return read_snapshot(cursor.row());
}

void write_snapshot(Database& db, const SourceId& source, const std::string& subject, const Snapshot& snapshot) {
    const auto event = pack_uuid(snapshot.event.value);
    std::optional<std::int64_t> as_of;
    if (snapshot.as_of) as_of = ms(*snapshot.as_of);
    db.exec(kWriteSnapshot, std::string_view(source.value), std::string_view(subject),
            static_cast<std::int64_t>(snapshot.version), snapshot.live, snapshot.polled, as_of, ms(snapshot.updated_at),
            Blob{event ? event->view() : std::string_view()}, ms(snapshot.used_at), Blob{snapshot.state});
}

std::uint64_t floor_of(Database& db, const SourceId& source) {
    auto cursor = db.run(kFloor, std::string_view(source.value));
    return cursor.next() ? static_cast<std::uint64_t>(cursor->integer(0)) : 0;
}

}  // namespace orbridge::rows
