#include "bridge/store/sqlite_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "bridge/store/migrations.h"
#include "bridge/store/sqlite_rows.h"

namespace orbridge {
namespace {

constexpr int kReaders = 4;

// FULL: an answered request survives a power cut. The page size fits several events of a few KiB into one page. The
// cache is small because SQLite walks through all of it at a commit that moved rows between pages.
constexpr const char* kWriterSetup =
    "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    " PRAGMA secure_delete = ON;"  // what is removed is gone, as `erase` promises
    " PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 1000; PRAGMA cache_size = -16384; PRAGMA "
    "temp_store = MEMORY";
// What a killed process left in the log may have been read from memory that never reached the disk, if a sync
// failed before: this writes it into the database anew, so that nothing is built upon what may be lost.
constexpr const char* kSettle = "PRAGMA wal_checkpoint(TRUNCATE)";
constexpr const char* kJournalMode = "PRAGMA journal_mode";
constexpr const char* kLastSeq =
    "SELECT max((SELECT coalesce(max(seq), 0) FROM events), (SELECT max(seq) FROM high_water))";
constexpr const char* kCountEvents = "SELECT count(*) FROM events";
constexpr const char* kCountUnmapped = "SELECT count(*) FROM events WHERE state = 1";
constexpr const char* kCountDeliveries = "SELECT target, state, count(*) FROM deliveries GROUP BY target, state";
constexpr const char* kHasTwins = "SELECT 1 FROM twins LIMIT 1";
constexpr const char* kHasErased = "SELECT 1 FROM notes WHERE key = 'store.erased'";
constexpr const char* kHeardRows = "SELECT source, intake, last_at, count FROM heard";

Status create_private_file(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0) {
        return Error{Error::Kind::Invalid,
                     "cannot open the store's file " + path + ": " + std::generic_category().message(errno)};
    }
    ::close(file);
    return Ok{};
}

std::int64_t number(Database& db, const char* sql) {
    auto cursor = db.run(sql);
    return cursor.next() ? cursor->integer(0) : 0;
}

}  // namespace

Status prepare_sqlite(Database& db, const std::string& path) {
    db.script(kWriterSetup);
    auto mode = db.run(kJournalMode);
    if (!mode.next() || mode->view(0) != "wal") {
        return Error{Error::Kind::Invalid, "the store " + path + " is on a file system without shared memory" +
                                               " (a network share?): use a local disk"};
    }
    return Ok{};
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const StoreSettings& settings, const Clock& clock, Log& log,
                                                       const std::string& vfs) {
    auto lock = FileLock::take(settings.path);
    if (!lock) return lock.error();
    if (auto created = create_private_file(settings.path); !created) return created.error();
    return attempt("open the store " + settings.path, [&]() -> Result<std::unique_ptr<SqliteStore>> {
        auto log_vfs = std::make_unique<LogVfs>(vfs);
        auto db = std::make_unique<Database>(settings.path, Database::Mode::ReadWrite, log_vfs->name());
        if (auto ready = prepare_sqlite(*db, settings.path); !ready) return ready.error();
        db->script(kSettle);
        const auto now = clock.now();
        if (auto current = migrate(*db, sqlite_migrations(), now); !current) return current.error();
        std::unique_ptr<SqliteStore> store(
            new SqliteStore(*std::move(lock), std::move(log_vfs), std::move(db), settings, log, now, vfs));
        log.info("store.opened", {{"path", settings.path}, {"events", store->tally_.counts().events}});
        return store;
    });
}

SqliteStore::SqliteStore(FileLock lock, std::unique_ptr<LogVfs> log_vfs, std::unique_ptr<Database> db,
                         const StoreSettings& settings, Log& log, TimePoint opened_at, const std::string& vfs)
    : lock_(std::move(lock)),
      path_(settings.path),
      vfs_(vfs),
      log_(log),
      opened_at_(opened_at),
      twin_window_(settings.twin_window),
      old_state_bytes_max_(settings.old_state_bytes_max),
      run_limits_{settings.runs_bytes_max, settings.run_params_bytes_max},
      log_vfs_(std::move(log_vfs)),
      db_(load(std::move(db))),
      readers_(settings.path, kReaders, vfs),
      claim_reader_(settings.path, Database::Mode::ReadOnly, vfs),
      mark_(FileMark::of(settings.path)),
      writer_(*db_, {settings.batch_max, 4096}, watch()) {}

/// Reads what is kept in memory, before the writer's thread starts.
std::unique_ptr<Database> SqliteStore::load(std::unique_ptr<Database> db) {
    load(*db);
    load_heard(*db);
    return db;
}

void SqliteStore::load(Database& db) {
    last_seq_ = std::max(last_seq_, number(db, kLastSeq));
    has_twins_ = db.run(kHasTwins).next();
    has_erased_ = db.run(kHasErased).next();
    TallyChange change;
    change.events = number(db, kCountEvents);
    change.unmapped = number(db, kCountUnmapped);
    for (auto cursor = db.run(kCountDeliveries); cursor.next();) {
        change.moves.push_back({{cursor->text(0)},
                                std::nullopt,
                                rows::shown(static_cast<rows::State>(cursor->small(1))),
                                cursor->integer(2)});
    }
    tally_.reset(change);
}

void SqliteStore::load_heard(Database& db) {
    for (auto cursor = db.run(kHeardRows); cursor.next();) {
        heard_.restore({cursor->text(0), static_cast<Intake>(cursor->small(1)), rows::time(cursor->integer(2)),
                        static_cast<std::uint64_t>(cursor->integer(3))});
    }
}

SqliteStore::~SqliteStore() {
    const auto heard = heard_.rows();
    [[maybe_unused]] const auto written = writer_.write("note what was heard", [&](Database& db) -> Status {
        write_heard(db, heard);
        return Ok{};
    });
}

}  // namespace orbridge
