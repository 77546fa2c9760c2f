#include "bridge/store/backlog.h"

#include <boost/test/unit_test.hpp>

#include "bridge/store/memory_store.h"
#include "tests/support/notes_store.h"

using namespace orbridge;
using namespace orbridge::testing;
using namespace std::chrono_literals;

namespace {

class SetClock final : public Clock {
public:
    TimePoint now() const override { return time; }
    TimePoint time{1'000'000ms};
};

/// A store that is as full as it is told to be.
class SizedStore final : public NotesStore {
public:
    std::uint64_t deliveries = 0;
    StoreSpace size{.bytes = 0, .disk_free = std::uint64_t{1} << 40};
    int looks = 0;
    std::uint64_t pending() const override { return deliveries; }
    Result<StoreSpace> space() override {
        ++looks;
        return size;
    }
};

struct World {
    SetClock clock;
    std::vector<std::string> lines;
    Log log{clock, Log::Level::Info, [this](std::string_view line) { lines.emplace_back(line); }};
    SizedStore store;
    Backlog backlog{
        store, clock, log, {.deliveries_max = 100, .bytes_max = 1'000, .free_disk_min = 1'000, .warn_at = 0.8}};

    int said(const std::string& name) const {
        int count = 0;
        for (const auto& line : lines) count += line.find(name) != std::string::npos ? 1 : 0;
        return count;
    }
    void later() { clock.time += 1s; }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(backlog)

BOOST_AUTO_TEST_CASE(it_warns_once_refuses_at_the_limit_and_resumes_with_some_air) {
    World world;
    world.store.deliveries = 79;
    BOOST_TEST(!world.backlog.full());
    BOOST_TEST(world.backlog.detail() == "");
    for (const std::uint64_t deliveries : {80, 85, 79, 81}) {
        world.store.deliveries = deliveries;
        BOOST_TEST(!world.backlog.full());
    }
    BOOST_TEST(world.said("backlog.high") == 1);
    BOOST_TEST(world.backlog.detail() == "81 % of backlog.deliveries_max");
    world.store.deliveries = 100;
    BOOST_TEST(world.backlog.full());
    BOOST_TEST(world.backlog.detail() == "100 % of backlog.deliveries_max: nothing new is accepted");
    world.store.deliveries = 96;
    BOOST_TEST(world.backlog.full());
    BOOST_TEST(world.said("backlog.full") == 1);
    world.store.deliveries = 94;
    BOOST_TEST(!world.backlog.full());
    BOOST_TEST(world.said("backlog.resumed") == 1);
    world.store.deliveries = 10;
    BOOST_TEST(world.backlog.detail() == "");
    world.store.deliveries = 90;
    BOOST_TEST(!world.backlog.full());
    BOOST_TEST(world.said("backlog.high") == 2);
}

BOOST_AUTO_TEST_CASE(bytes_and_the_free_disk_count_and_are_looked_at_once_a_second) {
    World world;
    for (int i = 0; i < 50; ++i) BOOST_TEST(!world.backlog.full());
    BOOST_TEST(world.store.looks == 1);
    world.store.size.bytes = 1'000;
    BOOST_TEST(!world.backlog.full());
    world.later();
    BOOST_TEST(world.backlog.full());
    world.store.size = {.bytes = 0, .disk_free = 999};
    world.later();
    BOOST_TEST(world.backlog.full());
    BOOST_TEST(world.backlog.shares().at(2).limit == "disk");
    BOOST_TEST(world.backlog.shares().at(2).ratio > 1.0);
    world.store.size.disk_free = 2'000;
    world.later();
    BOOST_TEST(!world.backlog.full());
    BOOST_TEST(world.store.looks == 4);
}

BOOST_AUTO_TEST_CASE(a_clock_that_steps_back_does_not_stop_it_from_looking) {
    World world;
    BOOST_TEST(!world.backlog.full());
    world.clock.time -= 1h;
    world.store.size.bytes = 5'000;
    BOOST_TEST(world.backlog.full());
}

BOOST_AUTO_TEST_CASE(other_limits_count_at_once) {
    World world;
    world.store.deliveries = 100;
    BOOST_TEST(world.backlog.full());
    world.backlog.set_limits({.deliveries_max = 1'000});
    BOOST_TEST(!world.backlog.full());
}

BOOST_AUTO_TEST_SUITE_END()
