#include "bridge/store/log_vfs.h"

#include <atomic>

#include "tests/conformance/bad_disk.h"

// What is written to the log goes out in large pieces, and nobody can tell.
using namespace orbridge;
using namespace orbridge::testing;

namespace {

constexpr const char* kAdd = "INSERT INTO t (b) VALUES (randomblob(3000))";
constexpr const char* kCount = "SELECT count(*), sum(length(b)) FROM t";

struct LogWorld {
    TemporaryFolder folder;
    PowerLossVfs disk{"under-the-log", 1};
    LogVfs vfs{disk.name()};
    std::string path = (folder.path / "log.db").string();
    Database db{path, Database::Mode::ReadWrite, vfs.name()};

    LogWorld() {
        db.script(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = 10;"
            "CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)");
    }
    void add(int rows) {
        db.script("BEGIN IMMEDIATE");
        for (int i = 0; i < rows; ++i) db.exec(kAdd);
        db.script("COMMIT");
    }
};

int rows_in(Database& db) {
    auto cursor = db.run(kCount);
    BOOST_REQUIRE(cursor.next());
    BOOST_TEST(cursor->integer(1) == cursor->integer(0) * 3000);
    return cursor->small(0);
}

bool is_log(const std::string& path) { return path.ends_with("-wal"); }

}  // namespace

BOOST_AUTO_TEST_SUITE(log_vfs)

BOOST_AUTO_TEST_CASE(pages_of_a_transaction_are_written_together) {
    LogWorld world;
    world.db.script("PRAGMA cache_size = 1000");
    std::atomic<int> writes{0};
    world.disk.fail([&](PowerLossVfs::Call call, const std::string& path) -> std::optional<int> {
        if (call == PowerLossVfs::Call::Write && is_log(path)) ++writes;
        return std::nullopt;
    });
    world.add(40);  // as many pages, and as many small pieces before them
    BOOST_TEST(writes > 0);
    BOOST_TEST(writes < 10);  // instead of more than 80
    world.disk.heal();
}

BOOST_AUTO_TEST_CASE(pages_that_do_not_fit_the_cache_are_read_back_within_the_transaction) {
    LogWorld world;
    world.add(10);
    world.db.script("BEGIN IMMEDIATE");
    for (int i = 0; i < 200; ++i) {
        world.db.exec(kAdd);
        if (i % 50 == 0) BOOST_TEST(rows_in(world.db) == 11 + i);
    }
    world.db.script("UPDATE t SET b = randomblob(3000) WHERE id % 3 = 0");
    BOOST_TEST(rows_in(world.db) == 210);
    world.db.script("COMMIT");
    BOOST_TEST(rows_in(world.db) == 210);
}

BOOST_AUTO_TEST_CASE(others_see_what_is_committed_and_only_that) {
    LogWorld world;
    Database reader(world.path, Database::Mode::ReadOnly, world.disk.name());
    world.add(30);
    BOOST_TEST(rows_in(reader) == 30);
    world.db.script("BEGIN IMMEDIATE");
    for (int i = 0; i < 30; ++i) world.db.exec(kAdd);
    BOOST_TEST(rows_in(reader) == 30);
    world.db.script("ROLLBACK");
    world.add(5);
    BOOST_TEST(rows_in(reader) == 35);
    world.db.script("PRAGMA wal_checkpoint(PASSIVE)");
    world.add(5);
    BOOST_TEST(rows_in(reader) == 40);
}

BOOST_AUTO_TEST_CASE(a_write_that_fails_fails_the_commit_and_leaves_nothing_behind) {
    LogWorld world;
    world.add(3);
    world.disk.fail([](PowerLossVfs::Call call, const std::string& path) {
        const bool full = call == PowerLossVfs::Call::Write && is_log(path);
        return full ? std::optional(SQLITE_FULL) : std::nullopt;
    });
    BOOST_CHECK_EXCEPTION(world.add(3), SqliteProblem, [](const auto& told) { return told.code == SQLITE_FULL; });
    world.disk.heal();
    if (world.db.in_transaction()) world.db.script("ROLLBACK");
    BOOST_TEST(rows_in(world.db) == 3);
    world.add(4);
    Database reader(world.path, Database::Mode::ReadOnly, world.disk.name());
    BOOST_TEST(rows_in(reader) == 7);
}

BOOST_AUTO_TEST_CASE(a_vfs_that_is_not_there_is_a_problem_told) {
    BOOST_CHECK_THROW(LogVfs("no-such-vfs"), SqliteProblem);
}

BOOST_AUTO_TEST_SUITE_END()
