#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bridge/store/snapshot.h"
#include "bridge/store/sqlite.h"

/// Snapshots as they stand in their table.
namespace orbridge::rows {

/// Of a row that begins with the columns that the other one asks for.
Snapshot read_snapshot(Statement& row);
std::optional<Snapshot> read_snapshot(Database& db, const SourceId& source, const std::string& subject);
void write_snapshot(Database& db, const SourceId& source, const std::string& subject, const Snapshot& snapshot);
/// The highest version that was ever removed at a source.
std::uint64_t floor_of(Database& db, const SourceId& source);

}  // namespace orbridge::rows
