#include <atomic>
#include <random>
#include <thread>

#include "tests/conformance/bad_disk.h"

// Power cuts at random moments: what was not synced is dropped or torn, and what was answered is there.
using namespace orbridge;
using namespace orbridge::testing;

namespace {

constexpr int kPlaces = 30;
constexpr std::size_t kEventsLeast = 1'000;
constexpr int kCutsEach = 5;

struct Answered {
    std::vector<std::string> events, settled;
};

/// Load from several threads until the power goes.
class Load {
public:
    Load(SqliteStore& store, Maker& maker, std::atomic<std::size_t>& number, Answered& answered)
        : store_(store), maker_(maker), number_(number), answered_(answered) {}

    void run() {
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) threads.emplace_back([this] { accept(); });
        for (const char* target : {"a", "b"}) threads.emplace_back([this, target] { deliver(target); });
        for (auto& thread : threads) thread.join();
    }

private:
    void accept() {
        while (!over_) {
            NewEvent event;
            {
                const std::lock_guard lock(mutex_);
                event = event_for_two(maker_, number_++);
            }
            const auto accepted = store_.accept(event);
            const std::lock_guard lock(mutex_);
            if (accepted) answered_.events.push_back(accepted->id.value);
            if (!accepted) over_ = true;
        }
    }
    void deliver(const std::string& target) {
        while (!over_) {
            const auto batch = store_.claim({target}, maker_.clock.time, kHold, 4);
            if (!batch) break;
            std::vector<Settle> settles;
            for (const auto& claim : batch->claims) settles.push_back(end_of(claim));
            const auto recorded = store_.settle(settles, maker_.clock.time);
            const std::lock_guard lock(mutex_);
            for (std::size_t i = 0; recorded && i < settles.size(); ++i)
                if (recorded->at(i)) answered_.settled.push_back(settles[i].claim.delivery.id.value);
        }
    }
    Settle end_of(const Claim& claim) const {
        Settle settle;
        settle.claim = claim;
        settle.attempt = {
            claim.delivery.attempts_made + 1, maker_.clock.time, milliseconds{1}, 200, "delivered", "", "ok"};
        settle.settlement = Finished{};
        return settle;
    }

    SqliteStore& store_;
    Maker& maker_;
    std::atomic<std::size_t>& number_;
    Answered& answered_;
    std::mutex mutex_;
    std::atomic<bool> over_ = false;
};

void check(OnBadDisk& place, SqliteStore& store, const Answered& answered) {
    BOOST_REQUIRE_EQUAL(nonsense_in(place.path()), "");
    for (const auto& id : answered.events) {
        const auto event = store.event({id});
        BOOST_REQUIRE_MESSAGE(event.has_value(), "lost event: " + message_of(event));
    }
    for (const auto& id : answered.settled) {
        const auto row = store.delivery({id});
        BOOST_REQUIRE_MESSAGE(row.has_value(), "lost delivery " + id);
        BOOST_REQUIRE_MESSAGE((row->state == DeliveryState::Delivered), "lost the end of " + id);
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(power_loss)

BOOST_AUTO_TEST_CASE(nothing_that_was_answered_is_lost_when_the_power_goes) {
    std::size_t events = 0;
    std::size_t settled = 0;
    int cuts = 0;
    // How many share a commit, and so get in before a cut, is the scheduler's business: go on until it is enough.
    for (std::uint64_t seed = 1; seed <= kPlaces || (events <= kEventsLeast && seed <= 10 * kPlaces); ++seed) {
        BOOST_TEST_CONTEXT("seed " << seed) {
            OnBadDisk place(seed);
            Maker maker;
            std::mt19937_64 moments(seed);
            std::atomic<std::size_t> number = 0;
            Answered answered;
            for (int cut = 0; cut <= kCutsEach; ++cut) {
                // Some come while it is being opened, which reads the log and writes it into the database.
                place.disk.cut_at_write(1 + moments() % (moments() % 4 == 0 ? 25 : 250));
                if (const auto store = place.open(maker.clock)) {
                    check(place, **store, answered);
                    if (cut < kCutsEach) Load(**store, maker, number, answered).run();
                }
                cuts += place.disk.is_cut() ? 1 : 0;
                place.disk.restore_power();
            }
            const auto store = place.open(maker.clock);
            BOOST_REQUIRE_MESSAGE(store.has_value(), message_of(store));
            check(place, **store, answered);
            events += answered.events.size();
            settled += answered.settled.size();
        }
    }
    BOOST_TEST_MESSAGE(cuts << " cuts, " << events << " accepts and " << settled << " ends answered");
    BOOST_TEST(cuts >= 100);
    BOOST_TEST(events > kEventsLeast);
}

BOOST_AUTO_TEST_CASE(a_disk_that_only_pretends_to_sync_is_found_out) {
    // Shows that the test above can fail: a store that does not wait for the disk loses what it answered.
    OnBadDisk place(1);
    Maker maker;
    std::vector<std::string> ids;
    {
        const auto store = place.open(maker.clock);
        BOOST_REQUIRE(store.has_value());
        Database db(place.path(), Database::Mode::ReadWrite, place.disk.name());
        db.script("PRAGMA synchronous = OFF");
        for (int i = 0; i < 50; ++i) db.script("INSERT INTO notes VALUES ('n" + std::to_string(i) + "', 'x')");
        place.disk.cut_at_write(1);
        BOOST_TEST(!(*store)->set_note("last", "x").has_value());
    }
    place.disk.restore_power();
    const auto store = place.open(maker.clock);
    BOOST_REQUIRE_MESSAGE(store.has_value(), message_of(store));
    BOOST_TEST(!(*store)->note("n49").value().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
