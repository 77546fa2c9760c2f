#include <boost/test/unit_test.hpp>
#include <string>

#include "tests/support/replay_desk.h"

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

/// A source with things that no event told of, and jobs that tell them.
struct World : test::ReplayDesk {
    World()
        : ReplayDesk([](const TargetId&) { return true; },
                     {.ready = [this](const SourceId& source) -> Status {
                          if (source.value != "cloud") return Error{Error::Kind::Invalid, "source: no"};
                          return ready;
                      },
                      .tell = [this](const SourceId& source,
                                     const std::vector<UntoldSubject>& untold) { return tell(source, untold); }}) {}
    Status ready = Ok{};
    void see(int count, int first = 0) {
        Arrival arrival;
        arrival.seen_at = {"cloud"};
        arrival.seen_when = clock.now();
        for (int i = first; i < first + count; ++i)
            arrival.seen.push_back({"object:" + std::to_string(10'000 + i), {"{}", false, {}, TimePoint{seconds{i}}}});
        BOOST_REQUIRE(store.accept(arrival).has_value());
    }
    Result<Backfilling::Told> tell(const SourceId& source, const std::vector<UntoldSubject>& untold) {
        Backfilling::Told told;
        for (const auto& each : untold) {
            NewEvent event;
            event.event.id = ids.event_id();
            event.event.source = source;
            event.event.subject = each.subject;
            event.event.received_at = clock.now();
            event.event.backfilled = true;
            told.events += store.accept(event).value().duplicate ? 0 : 1;
        }
        return told;
    }
    std::size_t events() {
        EventQuery query;
        query.limit = 100'000;
        return store.events(query).value().size();
    }
};

ReplayOrder of_cloud() {
    ReplayOrder order;
    order.backfill = "cloud";
    return order;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(backfill_jobs)

BOOST_AUTO_TEST_CASE(everything_untold_is_told_once_at_the_rate_that_the_ramp_allows) {
    World world;
    world.see(300);
    const auto job = world.start(of_cloud());
    BOOST_TEST(job.total == 300u);
    world.second();
    BOOST_TEST(world.events() >= 20u);
    BOOST_TEST(world.events() <= 41u);
    const auto ended = world.finish(job);
    BOOST_TEST(world.events() == 300u);
    BOOST_CHECK(ended.state == ReplayJob::State::Done);
    BOOST_TEST(ended.total == 300u);
    BOOST_TEST(ended.progress.matched == 300u);
    BOOST_TEST(ended.progress.replayed == 300u);
    const auto again = world.finish(world.start(of_cloud()));
    BOOST_TEST(again.total == 0u);
    BOOST_TEST(world.events() == 300u);
}

BOOST_AUTO_TEST_CASE(it_goes_on_after_a_kill_whose_last_part_was_never_noted) {
    World world;
    world.see(200);
    const auto job = world.start(of_cloud());
    world.second();
    const auto before = world.store.note("replays").value();
    world.second();
    BOOST_REQUIRE(world.store.set_note("replays", *before).has_value());
    world.restart();
    const auto ended = world.finish(job);
    BOOST_TEST(world.events() == 200u);
    BOOST_TEST(ended.progress.matched == ended.total);  // what was made unnoted is not waited for
}

BOOST_AUTO_TEST_CASE(it_waits_until_the_source_was_read_to_its_end_and_counts_then) {
    World world;
    world.see(5);
    world.ready = Error{Error::Kind::Unavailable, "it is being read"};
    const auto job = world.start(of_cloud());
    world.second();
    const auto waiting = *world.jobs->find(job.replay.id);
    BOOST_TEST(waiting.trouble == "it is being read");
    BOOST_TEST(waiting.total_is_least);
    BOOST_TEST(world.events() == 0u);
    world.see(30, 5);
    world.ready = Ok{};
    const auto ended = world.finish(job);
    BOOST_TEST(ended.total == 35u);
    BOOST_TEST(!ended.total_is_least);
    BOOST_TEST(ended.trouble.empty());
    BOOST_TEST(world.events() == 35u);
}

BOOST_AUTO_TEST_CASE(times_choose_and_a_cancelled_one_makes_nothing_more) {
    World world;
    world.see(300);
    auto order = of_cloud();
    order.since = TimePoint{100s};
    order.until = TimePoint{200s};
    BOOST_TEST(world.replay.count(order, {}, 1'000).value() == 100u);
    const auto job = world.start(order);
    world.second();
    BOOST_REQUIRE(world.jobs->cancel(job.replay.id).has_value());
    const auto made = world.events();
    world.second();
    world.restart();
    world.second();
    BOOST_TEST(world.events() == made);
    const auto rest = world.finish(world.start(order));
    BOOST_TEST(rest.progress.replayed == 100u - made);
}

BOOST_AUTO_TEST_CASE(a_source_that_is_not_polled_is_refused) {
    World world;
    ReplayOrder order;
    order.backfill = "other";
    BOOST_CHECK(world.jobs->start(order).error().kind == Error::Kind::Invalid);
}

BOOST_AUTO_TEST_SUITE_END()
