#pragma once

#include <string_view>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/result.h"
#include "bridge/store/sqlite.h"

namespace orbridge {

struct Migration {
    int number = 0;         ///< from 1, without gaps
    std::string_view name;  ///< 0001_initial
    std::string_view sql;
};

/// The files in migrations/sqlite/, compiled in.
std::vector<Migration> sqlite_migrations();

/// Applies what is missing, each in a transaction of its own. Invalid: the database is newer than the
/// program, or a migration that it has was changed since.
Status migrate(Database& db, const std::vector<Migration>& migrations, TimePoint now);

}  // namespace orbridge
