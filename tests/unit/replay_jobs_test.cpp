#include "bridge/api/replay_jobs.h"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/support/replay_desk.h"

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

/// A store with deliveries that have ended, and replays over it.
struct World : test::ReplayDesk {
    World() : ReplayDesk([](const TargetId& target) { return target.value != "gone"; }) {}
    /// An event with a delivery to each of these, given up.
    void dead(const std::string& subject, const std::vector<std::string>& targets = {"a"},
              const std::string& route = "r") {
        clock.advance(1ms);
        NewEvent made;
        made.event.id = ids.event_id();
        made.event.source = {"cloud"};
        made.event.channel = "Object";
        made.event.event_name = "created:" + subject;
        made.event.subject = subject;
        made.event.received_at = clock.now();
        made.event.payload = "{}";
        for (const auto& target : targets)
            made.deliveries.push_back({ids.delivery_id(), {target}, route, "", clock.now()});
        BOOST_REQUIRE(store.accept(made).has_value());
        for (const auto& delivery : made.deliveries)
            BOOST_REQUIRE(
                store.end_pending(std::nullopt, delivery.id, DeliveryState::Cancelled, "x", clock.now()).has_value());
        clock.advance(1ms);
    }
    void dead(int count) {
        for (int i = 0; i < count; ++i) dead("s" + std::to_string(i));
    }
    std::vector<std::string> made(const std::string& target = "a") {
        DeliveryQuery query;
        query.target = target;
        query.state = DeliveryState::Pending;
        query.oldest_first = true;
        query.limit = 100'000;
        std::vector<std::string> events;
        const auto rows = store.deliveries(query).value();
        events.reserve(rows.size());
        for (const auto& row : rows) events.push_back(row.event.value);
        return events;
    }
};

ReplayOrder all_cancelled() {
    ReplayOrder order;
    order.state = DeliveryState::Cancelled;
    return order;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(replay_jobs)

BOOST_AUTO_TEST_CASE(a_replay_begins_slowly_and_grows_up_to_its_most) {
    const ReplaySettings settings{.per_second_start = 20, .per_second_max = 100, .doubles_every = 5s};
    BOOST_TEST(replay_rate(settings, 0ms) == 20);
    BOOST_TEST(replay_rate(settings, 5s) == 40);
    BOOST_TEST(replay_rate(settings, 14s) == 80);
    BOOST_TEST(replay_rate(settings, 15s) == 100);
    BOOST_TEST(replay_rate(settings, std::chrono::hours{10'000}) == 100);
}

BOOST_AUTO_TEST_CASE(what_matches_is_made_once_at_the_rate_that_the_ramp_allows) {
    World world;
    world.dead(300);
    const auto job = world.start(all_cancelled());
    BOOST_TEST(job.total == 300u);
    world.second();
    const auto after_a_second = world.made().size();
    BOOST_TEST(after_a_second >= 20u);
    BOOST_TEST(after_a_second <= 41u);
    world.finish(job);
    const auto made = world.made();
    BOOST_TEST(made.size() == 300u);
    BOOST_TEST(std::set<std::string>(made.begin(), made.end()).size() == 300u);
    const auto ended = *world.jobs->find(job.replay.id);
    BOOST_CHECK(ended.state == ReplayJob::State::Done);
    BOOST_TEST(ended.progress.replayed == 300u);
    BOOST_TEST(ended.ended_at.has_value());
}

BOOST_AUTO_TEST_CASE(a_restart_in_the_middle_goes_on_and_makes_nothing_twice) {
    World world;
    world.dead(200);
    const auto job = world.start(all_cancelled());
    world.second();
    const auto before = world.store.note("replays").value();
    world.second();
    BOOST_REQUIRE(world.store.set_note("replays", *before).has_value());  // as if the last part was never noted
    world.restart();
    world.finish(job);
    BOOST_TEST(world.made().size() == 200u);
    BOOST_TEST(world.jobs->find(job.replay.id)->progress.replayed == 200u);
}

BOOST_AUTO_TEST_CASE(an_event_that_was_replayed_before_is_replayed_once_for_each_target) {
    World world;
    world.dead("s", {"a", "b"});
    const auto first = world.start(all_cancelled());
    world.finish(first);
    for (const auto* target : {"a", "b"})
        BOOST_REQUIRE(world.store.cancel(TargetId{target}, std::nullopt, "x", world.clock.now()).has_value());
    world.clock.advance(1s);
    const auto second = world.start(all_cancelled());
    world.finish(second);
    BOOST_TEST(world.made("a").size() == 1u);
    BOOST_TEST(world.made("b").size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_was_cancelled_makes_nothing_more_and_keeps_what_it_has_made) {
    World world;
    world.dead(300);
    const auto job = world.start(all_cancelled());
    world.second();
    const auto made = world.made().size();
    BOOST_REQUIRE(world.jobs->cancel(job.replay.id).has_value());
    world.second();
    world.restart();
    world.second();
    BOOST_TEST(world.made().size() == made);
    BOOST_CHECK(world.jobs->find(job.replay.id)->state == ReplayJob::State::Cancelled);
    BOOST_CHECK(world.jobs->cancel(job.replay.id).error().kind == Error::Kind::Conflict);
    BOOST_CHECK(world.jobs->cancel("x").error().kind == Error::Kind::NotFound);
}

BOOST_AUTO_TEST_CASE(only_what_is_wanted_is_made_however_little_it_is) {
    World world;
    world.dead(1'200);
    world.dead("the one");
    world.dead("here", {"gone"});
    ReplayOrder order;
    order.subject = "the one";
    const auto job = world.start(order);
    BOOST_TEST(job.total == 1u);
    world.second();
    BOOST_TEST(world.made().size() == 1u);
    BOOST_CHECK(world.jobs->find(job.replay.id)->state == ReplayJob::State::Done);
    order.subject = "here";
    const auto missing = world.start(order);
    world.second();
    BOOST_TEST(world.jobs->find(missing.replay.id)->progress.problems.size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_is_replayed_goes_in_the_manner_of_its_route) {
    World world;
    RouteSettings free;
    free.name = "free";
    free.ordered = false;
    RouteSettings latest;
    latest.name = "latest";
    latest.latest_only = true;
    world.router = std::make_shared<const Router>(std::vector<RouteSettings>{free, latest});
    for (int i = 0; i < 3; ++i) world.dead("same", {"ordered"}, "of before");
    for (int i = 0; i < 3; ++i) world.dead("same", {"free"}, "free");
    for (int i = 0; i < 3; ++i) world.dead("same", {"latest"}, "latest");
    world.finish(world.start(all_cancelled()));
    const auto claimed = [&](const std::string& target) {
        return world.store.claim({target}, world.clock.now(), 60s, 10)->claims;
    };
    BOOST_TEST(world.made("ordered").size() == 3U);
    BOOST_TEST(claimed("ordered").size() == 1U);
    BOOST_TEST(claimed("free").size() == 3U);
    BOOST_TEST(world.made("latest").size() == 1U);
    BOOST_TEST(claimed("latest").at(0).delivery.event.sequence == 9U);
}

BOOST_AUTO_TEST_CASE(orders_that_name_nothing_or_an_unknown_target_are_refused_and_so_are_too_many) {
    World world;
    BOOST_CHECK(world.jobs->start({}).error().kind == Error::Kind::Invalid);
    ReplayOrder order;
    order.target = "gone";
    BOOST_CHECK(world.jobs->start(order).error().kind == Error::Kind::Invalid);
    world.settings.running_max = 1;
    world.settings.jobs_max = 2;
    world.jobs->set_limits(world.settings);
    world.dead(100);
    const auto job = world.start(all_cancelled());
    BOOST_CHECK(world.jobs->start(all_cancelled()).error().kind == Error::Kind::Unavailable);
    world.finish(job);
    for (int i = 0; i < 3; ++i) world.finish(world.start(all_cancelled()));
    BOOST_TEST(world.jobs->all().size() == 2u);
    BOOST_TEST(!world.jobs->find(job.replay.id).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
