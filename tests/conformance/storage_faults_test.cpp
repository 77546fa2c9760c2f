#include <filesystem>

#include "tests/conformance/bad_disk.h"

// A disk that is full, refuses, or is taken away: an honest Unavailable, nothing in halves, and on with it afterwards.
using namespace orbridge;
using namespace orbridge::testing;
namespace fs = std::filesystem;

namespace {

using Call = PowerLossVfs::Call;

struct FaultyWorld : Maker {
    OnBadDisk place{1};
    std::unique_ptr<SqliteStore> store = opened();
    std::size_t number = 0;
    std::vector<std::string> accepted;

    std::unique_ptr<SqliteStore> opened() {
        auto fresh = place.open(clock);
        BOOST_REQUIRE_MESSAGE(fresh.has_value(), message_of(fresh));
        return *std::move(fresh);
    }
    Result<Accepted> accept() {
        auto answer = store->accept(event_for_two(*this, number++));
        if (answer) accepted.push_back(answer->id.value);
        return answer;
    }
    Result<ClaimBatch> claim(const std::string& target) { return store->claim({target}, clock.time, kHold, 10); }
    Result<std::vector<bool>> settle(const Claim& claim, Settlement settlement) {
        Settle end;
        end.claim = claim;
        end.attempt = {claim.delivery.attempts_made + 1, clock.time, milliseconds{1}, 200, "word", "", "ok"};
        end.settlement = std::move(settlement);
        return store->settle({end}, clock.time);
    }
    /// Everything that was answered is there and nothing is in halves; it accepts and hands out all that waits.
    void must_be_well() {
        BOOST_REQUIRE_MESSAGE(store->probe().has_value(), message_of(store->probe()));
        BOOST_REQUIRE(accept().has_value());
        must_hold();
    }
    void must_hold() {
        for (const auto& id : accepted) BOOST_REQUIRE(store->event({id}).has_value());
        BOOST_REQUIRE_EQUAL(nonsense_in(place.path()), "");
        Database db(place.path(), Database::Mode::ReadOnly);
        auto open = db.run("SELECT count(*) FROM deliveries WHERE state <= 1");
        BOOST_REQUIRE(open.next());
        BOOST_REQUIRE_EQUAL(store->pending(), static_cast<std::uint64_t>(open->integer(0)));
    }
};

PowerLossVfs::Fault every(Call which, int code) {
    return [=](Call call, const std::string&) { return call == which ? std::optional(code) : std::nullopt; };
}

int code_for(Call call) {
    switch (call) {
        case Call::Open: return SQLITE_CANTOPEN;
        case Call::Read: return SQLITE_IOERR_READ;
        case Call::Write: return SQLITE_FULL;
        case Call::Truncate: return SQLITE_IOERR_TRUNCATE;
        case Call::Sync: return SQLITE_IOERR_FSYNC;
        case Call::Delete: return SQLITE_IOERR_DELETE;
        case Call::Access: return SQLITE_IOERR_ACCESS;
        case Call::Size: return SQLITE_IOERR_FSTAT;
        case Call::Lock: return SQLITE_BUSY;
        case Call::Map: return SQLITE_IOERR_SHMMAP;
    }
    return SQLITE_IOERR;
}

/// What a store goes through; whatever fails is left at that, as by a caller that will come again.
void live_a_little(FaultyWorld& world) {
    for (int i = 0; i < 3; ++i) [[maybe_unused]] const auto accepted = world.accept();
    for (const char* target : {"a", "b"}) {
        const auto batch = world.claim(target);
        if (!batch) continue;
        for (const auto& claim : batch->claims) {
            const bool again = claim.delivery.attempts_made == 0 && target[0] == 'a';
            [[maybe_unused]] const auto settled =
                world.settle(claim, again ? Settlement(RetryAt{world.clock.time}) : Settlement(Finished{}));
        }
        world.store->release(batch->claims);
    }
    [[maybe_unused]] const auto noted = world.store->set_note("n", "x");
    [[maybe_unused]] const auto counts = world.store->counts();
    [[maybe_unused]] const auto space = world.store->space();
    world.clock.time += std::chrono::days{40};
    [[maybe_unused]] const auto pruned = world.store->prune({}, world.clock.time, 1);
    if (pruned.has_value() && *pruned > 0) world.accepted.clear();  // whichever it was
}

void check_fault(Call call, int code) {
    FaultyWorld world;
    BOOST_REQUIRE(world.accept().has_value());
    world.place.disk.fail(every(call, code));
    for (int i = 0; i < 3; ++i) {
        const auto refused = world.accept();
        BOOST_REQUIRE(!refused.has_value());
        BOOST_TEST((refused.error().kind == Error::Kind::Unavailable));
    }
    BOOST_TEST((world.store->probe().error().kind == Error::Kind::Unavailable));
    world.place.disk.heal();
    world.must_be_well();
    BOOST_TEST(world.store->counts().value().events == world.accepted.size());
    BOOST_TEST(world.claim("b").value().claims.size() == world.accepted.size());
    world.store.reset();
    world.store = world.opened();
    world.must_hold();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_faults)

BOOST_AUTO_TEST_CASE(a_full_disk_refuses_and_is_not_suspected) { check_fault(Call::Write, SQLITE_FULL); }

BOOST_AUTO_TEST_CASE(a_disk_that_cannot_be_written_is_waited_for) { check_fault(Call::Write, SQLITE_IOERR_WRITE); }

BOOST_AUTO_TEST_CASE(a_disk_that_cannot_sync_is_waited_for) { check_fault(Call::Sync, SQLITE_IOERR_FSYNC); }

BOOST_AUTO_TEST_CASE(a_disk_that_cannot_be_read_keeps_nobody_from_what_is_claimed_later) {
    FaultyWorld world;
    for (int i = 0; i < 3; ++i) BOOST_REQUIRE(world.accept().has_value());
    world.store.reset();
    world.store = world.opened();  // nothing is in its memory
    world.place.disk.fail(every(Call::Read, SQLITE_IOERR_READ));
    BOOST_TEST((world.claim("b").error().kind == Error::Kind::Unavailable));
    BOOST_TEST((world.store->event({world.accepted[0]}).error().kind == Error::Kind::Unavailable));
    world.place.disk.heal();
    BOOST_TEST(world.claim("b").value().claims.size() == 3U);
    world.must_be_well();
}

BOOST_AUTO_TEST_CASE(what_was_undone_after_a_failed_sync_is_not_built_upon) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        FaultyWorld world;
        BOOST_REQUIRE(world.accept().has_value());
        int syncs = 0;
        world.place.disk.fail([&](Call call, const std::string&) {
            return call == Call::Sync && ++syncs <= static_cast<int>(seed % 4) + 1 ? std::optional(SQLITE_IOERR_FSYNC)
                                                                                   : std::nullopt;
        });
        for (int i = 0; i < 6; ++i) [[maybe_unused]] const auto accepted = world.accept();
        BOOST_TEST(world.place.said("store.suspect"));
        BOOST_TEST(world.place.said("store.mended"));
        BOOST_TEST(world.accepted.size() > 1U);
        world.place.disk.heal();
        world.place.disk.cut_at_write(1);
        BOOST_TEST(!world.accept().has_value());
        world.store.reset();
        world.place.disk.restore_power();
        world.store = world.opened();
        world.must_hold();
    }
}

BOOST_AUTO_TEST_CASE(another_program_that_holds_the_database_is_waited_for) {
    FaultyWorld world;
    {
        Database other(world.place.path(), Database::Mode::ReadWrite);
        other.script("BEGIN IMMEDIATE");
        const auto refused = world.accept();
        BOOST_REQUIRE(!refused.has_value());
        BOOST_TEST(refused.error().message.find("another program holds the database") != std::string::npos);
    }
    world.must_be_well();
    BOOST_TEST(!world.place.said("store.suspect"));
}

BOOST_AUTO_TEST_CASE(a_file_that_was_moved_away_is_noticed_and_welcome_back) {
    FaultyWorld world;
    BOOST_REQUIRE(world.accept().has_value());
    const auto path = world.place.path();
    fs::rename(path, path + ".away");
    BOOST_TEST((world.accept().error().kind == Error::Kind::Unavailable));
    const auto refused = world.accept();
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST(refused.error().message.find("is gone") != std::string::npos);
    BOOST_TEST(!fs::exists(path));
    fs::rename(path + ".away", path);
    world.must_be_well();
}

BOOST_AUTO_TEST_CASE(a_log_that_was_deleted_costs_nothing) {
    FaultyWorld world;
    for (int i = 0; i < 5; ++i) BOOST_REQUIRE(world.accept().has_value());
    fs::remove(world.place.path() + "-wal");
    BOOST_TEST((world.accept().error().kind == Error::Kind::Unavailable));
    world.must_be_well();
    world.store.reset();
    world.store = world.opened();
    world.must_hold();
}

BOOST_AUTO_TEST_CASE(a_file_put_in_its_place_is_taken_up_and_old_claims_are_lost) {
    FaultyWorld world;
    BOOST_REQUIRE(world.accept().has_value());
    const auto path = world.place.path();
    Database(path, Database::Mode::ReadWrite).script("VACUUM INTO '" + path + ".backup'");
    const auto kept = world.accepted;
    BOOST_REQUIRE(world.accept().has_value());
    const auto old_claim = world.claim("b").value().claims.at(0);
    fs::rename(path + ".backup", path);
    BOOST_TEST((world.accept().error().kind == Error::Kind::Unavailable));
    world.accepted = kept;
    world.must_be_well();
    BOOST_TEST(world.place.said("store.replaced"));
    BOOST_TEST(world.store->counts().value().events == 2U);
    BOOST_TEST(world.settle(old_claim, Finished{}).value().at(0) == false);
    BOOST_TEST(world.claim("b").value().claims.size() == 2U);
}

BOOST_AUTO_TEST_CASE(an_empty_file_in_its_place_is_not_taken_for_the_store) {
    FaultyWorld world;
    BOOST_REQUIRE(world.accept().has_value());
    const auto path = world.place.path();
    fs::rename(path, path + ".away");
    { const Database empty(path, Database::Mode::ReadWrite); }
    if (!fs::exists(path)) std::fclose(std::fopen(path.c_str(), "w"));
    for (int i = 0; i < 2; ++i) BOOST_TEST((world.accept().error().kind == Error::Kind::Unavailable));
    BOOST_TEST((world.store->event({world.accepted[0]}).error().kind == Error::Kind::Unavailable));
    fs::rename(path + ".away", path);
    world.must_be_well();
}

BOOST_AUTO_TEST_CASE(the_nth_call_to_the_disk_may_fail) {
    std::uint64_t n = 1;
    for (bool failed = true; failed; ++n) {
        BOOST_TEST_CONTEXT("call " << n) {
            FaultyWorld world;
            world.place.disk.fail_once_at(n, code_for);
            live_a_little(world);
            failed = world.place.disk.failed_once();
            world.place.disk.heal();
            world.must_be_well();
        }
    }
    BOOST_TEST_MESSAGE(n << " calls failed one after another");
    BOOST_TEST(n > 30U);
}

BOOST_AUTO_TEST_CASE(the_nth_call_may_fail_while_it_is_opened) {
    FaultyWorld world;
    live_a_little(world);
    std::uint64_t n = 1;
    for (bool failed = true; failed; ++n) {
        BOOST_TEST_CONTEXT("call " << n) {
            world.store.reset();
            world.place.disk.fail_once_at(n, code_for);
            if (auto opened = world.place.open(world.clock)) world.store = *std::move(opened);
            failed = world.place.disk.failed_once();
            world.place.disk.heal();
            if (!world.store) world.store = world.opened();
            world.must_be_well();
        }
    }
    BOOST_TEST(n > 30U);
}

BOOST_AUTO_TEST_SUITE_END()
