#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <tuple>

#include "bridge/store/keys.h"
#include "bridge/store/migrations.h"
#include "bridge/store/sqlite.h"
#include "tests/conformance/store_world.h"

// What only a store on disk can promise.
using namespace orbridge;
using namespace orbridge::testing;
using namespace std::chrono_literals;

namespace {

std::string integrity_of(const std::string& path) {
    Database db(path, Database::Mode::ReadOnly);
    auto cursor = db.run("PRAGMA integrity_check");
    return cursor.next() ? cursor->text(0) : "nothing";
}

/// Ends the store and opens the file again.
void reopen(World<InSqlite>& world) {
    world.store.reset();
    world.store = world.place.open(world.clock);
}

/// While it lives, no file of this process can grow beyond `bytes`: what a full disk looks like.
class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limited{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limited);
    }
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        ::signal(SIGXFSZ, handler_);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

private:
    rlimit before_{};
    sighandler_t handler_;
};

/// Accepts for ever with several threads and writes the id of each accepted event to `pipe`.
[[noreturn]] void accept_and_tell(const InSqlite& place, int pipe) {
    HandClock clock;
    SystemRandom random;
    IdMaker ids(clock, random);
    Log log(clock, Log::Level::Error, to_nowhere());
    const auto store = open_store(place.settings(), clock, log);
    if (!store) ::_exit(1);
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] {
            while (true) {
                NewEvent event;
                event.event.id = ids.event_id();
                event.event.payload = std::string(3000, 'p');
                event.deliveries = {{ids.delivery_id(), {"a"}, "r", "key", clock.now(), false}};
                const auto accepted = (*store)->accept(event);
                if (!accepted || ::write(pipe, accepted->id.value.data(), 36) != 36) ::_exit(1);
            }
        });
    for (auto& thread : threads) thread.join();
    ::_exit(1);
}

/// The first `count` ids from the pipe, then whatever was still in it when the child was gone.
std::vector<std::string> read_then_kill(int pipe, pid_t child, std::size_t count) {
    std::vector<std::string> ids;
    std::array<char, 36> id{};
    while (::read(pipe, id.data(), id.size()) == 36) {
        ids.emplace_back(id.data(), id.size());
        if (ids.size() == count) ::kill(child, SIGKILL);
    }
    ::waitpid(child, nullptr, 0);
    return ids;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(store_sqlite)

BOOST_AUTO_TEST_CASE(everything_is_there_after_a_restart_and_nobody_holds_anything) {
    World<InSqlite> world;
    const auto first = world.event_to("a", "subject");
    const auto second = world.event_to("a", "subject");
    auto keyed = world.event_with({world.delivery_to("b")}, "key");
    auto raw = world.event_with({});
    raw.event.state = EventState::Unmapped;
    for (const auto& event : {first, second, keyed, raw}) world.accept(event);
    const auto lost = world.claim("a").claims.at(0);
    world.settle(world.claim("b").claims.at(0), Dead{"no"});
    BOOST_TEST(world.store->set_note("cursor", "7").has_value());
    reopen(world);
    BOOST_TEST(!world.settle(lost, Finished{}));
    const auto claim = world.claim("a").claims.at(0);
    BOOST_TEST(claim.delivery.id.value == first.deliveries[0].id.value);
    BOOST_TEST(world.row(second.deliveries[0].id).waiting_for_order);
    BOOST_TEST(world.accept(world.event_with({}, "key")).duplicate);
    const auto counts = world.store->counts().value();
    BOOST_TEST(counts.events == 4U);
    BOOST_TEST(counts.unmapped == 1U);
    BOOST_TEST(counts.targets.at({"a"}).pending == 2U);
    BOOST_TEST(counts.targets.at({"b"}).dead == 1U);
    BOOST_TEST(world.store->note("cursor").value().value() == "7");
    BOOST_TEST(world.store->attempts(keyed.deliveries[0].id).value().size() == 1U);
    BOOST_TEST(world.store->intakes_heard().value().at(0).count == 5U);
    BOOST_TEST((world.store->pending_targets().value().at(0).first == TargetId{"a"}));
    BOOST_TEST(integrity_of(world.place.settings().path) == "ok");
}

BOOST_AUTO_TEST_CASE(a_sequence_is_not_given_again_after_everything_was_pruned) {
    World<InSqlite> world;
    const auto last = world.accept(world.event_with({})).id;
    const auto sequence = world.store->event(last).value().sequence;
    world.clock.time += std::chrono::days{31};
    BOOST_TEST(world.store->prune({}, world.clock.time, 10).value() == 1U);
    reopen(world);
    const auto next = world.accept(world.event_with({})).id;
    BOOST_TEST(world.store->event(next).value().sequence > sequence);
}

BOOST_AUTO_TEST_CASE(a_second_store_on_the_same_file_is_refused) {
    World<InSqlite> world;
    const auto second = world.place.try_open(world.clock);
    BOOST_REQUIRE(!second.has_value());
    BOOST_TEST((second.error().kind == Error::Kind::Conflict));
    BOOST_TEST(second.error().message.find(world.place.settings().path) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_file_is_for_this_user_only_and_its_folder_must_exist) {
    World<InSqlite> world;
    struct stat status {};
    BOOST_REQUIRE(::stat(world.place.settings().path.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777U) == 0600U);
    InSqlite nowhere;
    std::filesystem::remove_all(nowhere.folder.path);
    const auto store = nowhere.try_open(world.clock);
    BOOST_REQUIRE(!store.has_value());
    BOOST_TEST(store.error().message.find("folder") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_database_is_refused_and_kept) {
    InSqlite place;
    const auto path = place.settings().path;
    std::FILE* file = std::fopen(path.c_str(), "w");
    std::fputs(std::string(5000, 'x').c_str(), file);
    std::fclose(file);
    BOOST_TEST(!place.try_open(HandClock{}).has_value());
    BOOST_TEST(std::filesystem::file_size(path) == 5000U);
}

BOOST_AUTO_TEST_CASE(migrations_are_applied_once_and_a_failing_one_leaves_nothing) {
    InSqlite place;
    Database db(place.settings().path, Database::Mode::ReadWrite);
    const Migration good{1, "0001_good", "CREATE TABLE one (x)"};
    const Migration bad{2, "0002_bad", "CREATE TABLE two (x); CREATE TABLE one (x)"};
    BOOST_TEST(migrate(db, {good}, TimePoint{}).has_value());
    BOOST_TEST(migrate(db, {good}, TimePoint{}).has_value());
    BOOST_TEST(!migrate(db, {good, bad}, TimePoint{}).has_value());
    const Migration mended{2, "0002_mended", "CREATE TABLE two (x)"};
    BOOST_TEST(migrate(db, {good, mended}, TimePoint{}).has_value());
}

BOOST_AUTO_TEST_CASE(a_newer_or_altered_database_is_refused_in_words) {
    InSqlite place;
    Database db(place.settings().path, Database::Mode::ReadWrite);
    const Migration first{1, "0001_a", "CREATE TABLE one (x)"};
    const Migration second{2, "0002_b", "CREATE TABLE two (x)"};
    BOOST_TEST(migrate(db, {first, second}, TimePoint{}).has_value());
    const auto newer = migrate(db, {first}, TimePoint{});
    BOOST_REQUIRE(!newer.has_value());
    BOOST_TEST(newer.error().message.find("newer than this orbridge") != std::string::npos);
    const Migration altered{1, "0001_a", "CREATE TABLE one (x, y)"};
    const auto changed = migrate(db, {altered, second}, TimePoint{});
    BOOST_REQUIRE(!changed.has_value());
    BOOST_TEST(changed.error().message.find("0001_a") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_unavailable_and_work_goes_on_once_there_is_room) {
    World<InSqlite> world;
    const auto before = world.accept(world.event_to("a")).id;
    auto big = world.event_to("a");
    big.event.payload = std::string(1 << 20, 'x');
    {
        const FileSizeLimit limit(300'000);
        const auto refused = world.store->accept(big);
        BOOST_REQUIRE(!refused.has_value());
        BOOST_TEST((refused.error().kind == Error::Kind::Unavailable));
        BOOST_TEST(refused.error().message.find("cannot store the event: the disk") != std::string::npos);
        BOOST_TEST(!world.store->event(big.event.id).has_value());
        BOOST_TEST(world.store->event(before).has_value());
        BOOST_TEST(world.claim("a").claims.size() == 1U);
    }
    BOOST_TEST(!world.accept(big).duplicate);
    BOOST_TEST(world.store->probe().has_value());
    BOOST_TEST(world.store->counts().value().events == 2U);
    BOOST_TEST(integrity_of(world.place.settings().path) == "ok");
}

BOOST_AUTO_TEST_CASE(a_settle_that_could_not_be_written_may_be_repeated) {
    World<InSqlite> world;
    world.accept(world.event_to("a"));
    auto settle = world.end_of(world.claim("a").claims.at(0), Finished{});
    settle.attempt.reason = std::string(1 << 20, 'r');
    {
        const FileSizeLimit limit(300'000);
        BOOST_TEST((world.store->settle({settle}, world.clock.time).error().kind == Error::Kind::Unavailable));
    }
    BOOST_TEST((world.store->settle({settle}, world.clock.time).value() == std::vector<bool>{true}));
}

BOOST_AUTO_TEST_CASE(a_bad_write_does_not_hurt_those_in_its_transaction) {
    World<InSqlite> world;
    const auto taken = world.delivery_to("a");
    world.accept(world.event_with({taken}));
    std::atomic<int> good = 0;
    std::atomic<int> bad = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 16; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 10; ++i) {
                auto event = world.event_to("b");
                if (t % 4 == 0) event.deliveries.push_back(taken);
                (world.store->accept(event) ? good : bad)++;
            }
        });
    for (auto& thread : threads) thread.join();
    BOOST_TEST(good == 120);
    BOOST_TEST(bad == 40);
    BOOST_TEST(world.store->counts().value().events == 121U);
    BOOST_TEST(world.store->counts().value().targets.at({"b"}).pending == 120U);
}

/// What is claimed right after it was stored comes out of memory, later out of the file.
BOOST_AUTO_TEST_CASE(a_claim_is_the_same_from_memory_and_from_the_file) {
    World<InSqlite> world;
    auto event = world.event_with({world.delivery_to("a", "subject"), world.delivery_to("b"), world.delivery_to("c")});
    event.event.payload = std::string("{\"x\":\"\0é\"}", 11);
    event.event.occurred_at -= 1h;
    event.deliveries[0].mark = "an echo";
    event.deliveries[1].replayed = true;
    event.deliveries[2].cut = "a loop";
    world.accept(event);
    const auto next = world.event_with({world.delivery_to("a", "subject")});
    world.accept(next);
    std::vector<Claim> before = {world.claim("a").claims.at(0), world.claim("b").claims.at(0)};
    BOOST_TEST(world.claim("c").claims.empty());
    reopen(world);
    for (const auto& first : before) {
        const auto second = world.claim(first.delivery.target.value).claims.at(0);
        BOOST_TEST(second.delivery.id.value == first.delivery.id.value);
        BOOST_TEST(second.route == first.route);
        BOOST_TEST(second.delivery.mark == first.delivery.mark);
        BOOST_TEST(second.delivery.replayed == first.delivery.replayed);
        BOOST_TEST(second.delivery.unclear == first.delivery.unclear);
        BOOST_TEST(second.delivery.attempts_made == first.delivery.attempts_made);
        const auto& [a, b] = std::tie(first.delivery.event, second.delivery.event);
        BOOST_TEST(a.id.value == b.id.value);
        BOOST_TEST(a.sequence == b.sequence);
        BOOST_TEST(a.source.value == b.source.value);
        BOOST_TEST((a.intake == b.intake && a.state == b.state));
        BOOST_TEST(a.event_class == b.event_class);
        BOOST_TEST(a.channel == b.channel);
        BOOST_TEST(a.event_name == b.event_name);
        BOOST_TEST(a.subject == b.subject);
        BOOST_TEST((a.occurred_at == b.occurred_at && a.received_at == b.received_at));
        BOOST_TEST((a.payload == b.payload));
        BOOST_TEST(world.settle(second, Finished{}));
    }
    BOOST_TEST(world.claim("a").claims.at(0).delivery.id.value == next.deliveries[0].id.value);
}

/// Whatever waits for the writer waits for its checkpoints, so they must come often and be small.
BOOST_AUTO_TEST_CASE(the_log_stays_small_and_what_is_old_goes_while_events_come_in) {
    constexpr std::uintmax_t kLogBytesMax = 12 << 20;
    World<InSqlite> world;
    const auto log = world.place.settings().path + "-wal";
    const auto old = world.accept(world.event_with({}));
    world.clock.time += 60 * 24h;
    std::uintmax_t largest = 0;
    std::uint64_t removed = 0;
    for (int i = 0; i < 400; ++i) {
        auto event = world.event_to("a");
        event.event.payload = std::string(200'000, 'p');
        world.accept(event);
        BOOST_TEST(world.settle(world.claim("a").claims.at(0), Finished{}));
        if (i % 100 == 50) removed += world.store->prune({}, world.clock.time, 100).value();
        largest = std::max(largest, std::filesystem::file_size(log));
    }
    BOOST_TEST(largest < kLogBytesMax);
    BOOST_TEST(removed == 1U);
    BOOST_TEST(!world.store->event(old.id).has_value());
    BOOST_TEST(std::filesystem::file_size(world.place.settings().path) > 400U * 200'000U / 2);
}

BOOST_AUTO_TEST_CASE(a_million_pending_rows_are_not_walked_by_a_claim) {
    World<InSqlite> world;
    Database db(world.place.settings().path, Database::Mode::ReadOnly);
    auto plan = db.run(
        "EXPLAIN QUERY PLAN SELECT seq, due_at FROM deliveries INDEXED BY deliveries_due"
        " WHERE state = 0 AND target = 'a' ORDER BY due_at, seq");
    std::string steps;
    while (plan.next()) steps += plan->text(3) + '\n';
    BOOST_TEST(steps.find("COVERING INDEX deliveries_due") != std::string::npos);
    BOOST_TEST(steps.find("TEMP B-TREE") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(no_acknowledged_event_is_lost_when_the_process_is_killed) {
    for (const std::size_t acknowledged : {1U, 100U, 1000U}) {
        World<InMemory> nothing;
        InSqlite place;
        int ends[2] = {};
        BOOST_REQUIRE(::pipe(ends) == 0);
        const auto child = ::fork();
        if (child == 0) accept_and_tell(place, ends[1]);
        ::close(ends[1]);
        const auto ids = read_then_kill(ends[0], child, acknowledged);
        ::close(ends[0]);
        BOOST_REQUIRE(ids.size() >= acknowledged);
        const auto store = place.open(nothing.clock);
        for (const auto& id : ids) BOOST_REQUIRE(store->event({id}).has_value());
        const auto counts = store->counts().value();
        BOOST_TEST(counts.events >= ids.size());
        BOOST_TEST(counts.targets.at({"a"}).pending == counts.events);
        BOOST_TEST(store->claim({"a"}, nothing.clock.time, kHold, 10).value().claims.size() == 1U);
        BOOST_TEST(integrity_of(place.settings().path) == "ok");
    }
}

BOOST_AUTO_TEST_CASE(uuids_survive_packing_and_tell_their_time) {
    const std::string uuid = "019d2928-4c00-7001-8445-bd5fbb686f68";
    const auto key = pack_uuid(uuid);
    BOOST_REQUIRE(key.has_value());
    BOOST_TEST(unpack_uuid(key->view()) == uuid);
    BOOST_TEST((time_of_uuid(key->view()) == TimePoint{milliseconds{0x019d29284c00}}));
    BOOST_TEST((first_uuid_at(TimePoint{milliseconds{0x019d29284c00}}) < *key));
    BOOST_TEST(!pack_uuid("019d2928-4c00-7001-8445-bd5fbb686f6").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
