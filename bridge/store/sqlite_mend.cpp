#include <cstdio>
#include <utility>

#include "bridge/store/migrations.h"
#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_store.h"

// What is done when the disk fails, or the files are taken away.
//
// A failed sync. The kernel does not try again what it could not write, and shows it as written all the same. So
// nothing is trusted that came after the last sync that succeeded: the transaction is undone and nobody is
// told that it is stored. SQLite goes on writing the log from the last commit on, so what could not be synced is
// overwritten and synced anew before anything built upon it counts; a checkpoint whose sync failed is repeated
// whole. Before the next transaction a checkpoint of the whole log must succeed, which shows that the disk takes
// writes and syncs again. The connections are deliberately not closed for that: only they know where the last
// commit ends, while one opened anew would read on into what was undone, from memory that never reached the
// disk. For the same reason a start begins with such a checkpoint, which writes all that was found once more.
//
// Files without their names. What is written to a deleted file is gone when it is closed, so a commit counts only
// if the database and its log still have their names after it. If only the log was lost, a checkpoint brings its
// content, which the open connection still has, into the database. If the database is gone, it is waited for, and
// if it comes back, what was refused meanwhile may turn out to be stored: sent again, it is a duplicate. If
// another one is in its place, that one is opened and what is kept in memory is read anew.
namespace orbridge {
namespace {

constexpr const char* kCheckpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
constexpr const char* kHasTables = "SELECT 1 FROM sqlite_master LIMIT 1";

void checkpoint(Database& db) {
    auto cursor = db.run(kCheckpoint);
    if (cursor.next() && cursor->small(0) != 0)
        throw SqliteProblem{SQLITE_BUSY, "the log could not be written to the database"};
}

Status tried_checkpoint(Database& db) {
    return attempt("write the log to the database", [&]() -> Status {
        checkpoint(db);
        return Ok{};
    });
}

}  // namespace

GroupWriter::Watch SqliteStore::watch() {
    return {.before = [this]() -> Status { return suspect_ ? mend() : Status(Ok{}); },
            .after = [this] { return still_there(); },
            .failed =
                [this](const SqliteProblem& problem) {
                    const int kind = problem.code & 0xff;
                    if (is_trouble_with_file(problem) && kind != SQLITE_BUSY && kind != SQLITE_LOCKED)
                        suspect(problem.message);
                }};
}

void SqliteStore::suspect(std::string_view why) {
    if (!suspect_) log_.error("store.suspect", {{"path", path_}, {"reason", std::string(why)}});
    suspect_ = true;
}

Status SqliteStore::still_there() {
    if (FileMark::of(path_) == mark_) return Ok{};
    suspect("the store's file or its log was removed or replaced");
    disowned_ = true;
    return Error{Error::Kind::Unavailable, "cannot store: the store's file " + path_ + " was removed or replaced"};
}

Status SqliteStore::mend() {
    const auto found = FileMark::of(path_);
    if (!found.database) {
        return Error{Error::Kind::Unavailable,
                     "the store's file " + path_ + " is gone: put it back, or restart to begin with an empty one"};
    }
    auto mended = found == mark_ ? mend_same() : mend_other(found);
    if (!mended) return mended;
    suspect_ = false;
    log_.info("store.mended", {{"path", path_}, {"events", tally_.counts().events}});
    return Ok{};
}

Status SqliteStore::mend_same() {
    if (!db_->is_open()) return mend_other(mark_);
    try {
        checkpoint(*db_);
        if (std::exchange(disowned_, false)) load(*db_);
        return Ok{};
    } catch (const SqliteProblem& problem) {
        const int kind = problem.code & 0xff;
        if (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB) return mend_other(mark_);
        return to_error("write the log to the database", problem);
    }
}

/// All connections are closed before one is opened: one that is left would share what it knows of the old log.
Status SqliteStore::mend_other(const FileMark& found) {
    const bool other = found.database != mark_.database;
    Status opened = Ok{};
    readers_.with_all([&](std::vector<std::unique_ptr<Database>>& readers) {
        claims_.with([&](ClaimTable& claims) {
            close_all(readers, claims, other);
            opened = open_all(readers);
            if (opened && other) load_heard(*db_);
            if (!opened) db_->close();  // all or none
        });
    });
    return opened;
}

void SqliteStore::close_all(std::vector<std::unique_ptr<Database>>& readers, ClaimTable& claims, bool other) {
    claim_reader_.close();
    for (auto& reader : readers) reader->close();
    const bool saved = db_->is_open() && tried_checkpoint(*db_).has_value();
    db_->close();
    if (!other) return;
    claims.drop_all();
    fresh_.with([](Fresh& fresh) { fresh.clear(); });
    log_.warn("store.replaced", {{"path", path_}});
    // A log belongs to the database it was written for. SQLite would read it into any.
    if (!saved && mark_.log && FileMark::of(path_).log == mark_.log)
        std::rename((path_ + "-wal").c_str(), (path_ + "-wal.replaced").c_str());
}

Status SqliteStore::open_all(std::vector<std::unique_ptr<Database>>& readers) {
    return attempt("open the store " + path_, [&]() -> Status {
        db_->open();
        if (auto ready = prepare_sqlite(*db_, path_); !ready) return ready;
        if (!db_->run(kHasTables).next()) {
            return Error{Error::Kind::Unavailable, "the store's file " + path_ + " is empty: put the right one in" +
                                                       " its place, or restart to begin with an empty one"};
        }
        if (auto current = migrate(*db_, sqlite_migrations(), opened_at_); !current) return current;
        checkpoint(*db_);
        load(*db_);
        disowned_ = false;
        for (auto& reader : readers) reader->open();
        claim_reader_.open();
        mark_ = FileMark::of(path_);
        return Ok{};
    });
}

}  // namespace orbridge
