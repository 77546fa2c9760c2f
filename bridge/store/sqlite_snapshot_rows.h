#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/store/snapshot.h"
#include "bridge/store/sqlite.h"

/// Snapshots as they stand in their table.
namespace orbridge::rows {

/// Of a row that begins with the columns that the other one asks for.
Snapshot read_snapshot(Statement& row);
/// `place`: of its keys, see place_of().
std::optional<Snapshot> read_snapshot(Database& db, std::string_view place);
/// Of a subject that has none.
void add_snapshot(Database& db, const SourceId& source, const std::string& subject, const Snapshot& snapshot);
/// Of a subject that has one.
void change_snapshot(Database& db, std::string_view place, const Snapshot& snapshot);
/// Its version, if there was one.
std::optional<std::int64_t> remove_snapshot(Database& db, std::string_view place);
/// The highest version that was ever removed at a source.
std::uint64_t floor_of(Database& db, const SourceId& source);

}  // namespace orbridge::rows
