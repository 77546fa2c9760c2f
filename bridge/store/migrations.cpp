#include "bridge/store/migrations.h"

#include <string>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

constexpr const char* kCreate =
    "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,"
    " applied_at INTEGER NOT NULL) STRICT";
constexpr const char* kNewest = "SELECT coalesce(max(number), 0) FROM migrations";
constexpr const char* kChecksum = "SELECT checksum FROM migrations WHERE number = ?";
constexpr const char* kRecord = "INSERT INTO migrations (number, name, checksum, applied_at) VALUES (?, ?, ?, ?)";

std::string checksum_of(const Migration& migration) { return to_hex(sha256(migration.sql)); }

Status check_unchanged(Database& db, const Migration& migration) {
    auto cursor = db.run(kChecksum, migration.number);
    if (cursor.next() && cursor->view(0) == checksum_of(migration)) return Ok{};
    return Error{Error::Kind::Invalid, "the store was made with another version of migration " +
                                           std::string(migration.name) + ": this orbridge does not fit this file"};
}

void apply(Database& db, const Migration& migration, TimePoint now) {
    db.script("BEGIN IMMEDIATE");
    try {
        db.script(std::string(migration.sql));
        db.exec(kRecord, migration.number, migration.name, std::string_view(checksum_of(migration)),
                std::int64_t{now.time_since_epoch().count()});
        db.script("COMMIT");
    } catch (const SqliteProblem&) {
        if (db.in_transaction()) db.script("ROLLBACK");
        throw;
    }
}

int newest(Database& db) {
    auto cursor = db.run(kNewest);
    return cursor.next() ? cursor->small(0) : 0;
}

}  // namespace

Status migrate(Database& db, const std::vector<Migration>& migrations, TimePoint now) {
    return attempt("bring the store up to date", [&]() -> Status {
        db.script(kCreate);
        const int have = newest(db);
        const int known = migrations.empty() ? 0 : migrations.back().number;
        if (have > known) {
            return Error{Error::Kind::Invalid, "the store is newer than this orbridge (it has migration " +
                                                   std::to_string(have) + ", this version knows " +
                                                   std::to_string(known) + "): run the newer version again"};
        }
        for (const auto& migration : migrations) {
            if (migration.number > have) {
                apply(db, migration, now);
            } else if (auto unchanged = check_unchanged(db, migration); !unchanged) {
                return unchanged;
            }
        }
        return Ok{};
    });
}

}  // namespace orbridge
