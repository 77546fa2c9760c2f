#include "adapters/subscriber/catch_up.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <vector>

#include "adapters/subscriber/book.h"
#include "bridge/store/memory_store.h"
#include "tests/support/delivery_fakes.h"

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

using Names = std::vector<std::string>;

/// A book with a grace time and what brings it up to date, over one store; restart() begins anew.
struct World {
    orbridge::test::ManualClock clock;
    Log log{clock, Log::Level::Error, to_nowhere()};
    MemoryStore store;
    SeededRandom random{1};
    IdMaker ids{clock, random};
    std::optional<SubscriptionBook> book;
    std::optional<CatchUp> late;
    Names notices;

    World() { restart(); }
    void restart() {
        book.emplace(store, clock, log);
        late.emplace(
            store, ids, clock, log,
            [this](std::uint64_t registration) -> std::optional<Subscription> {
                const auto found = book->running(registration, clock.now());
                return found ? std::optional(*found) : std::nullopt;
            },
            [](const std::vector<TargetId>&) {});
        book->when_late({[this](const Since& since) { return late->locate(since); },
                         [this](const Subscription& one, std::uint64_t after) { return late->begin(one, after); }});
        book->when_noticed([this](const Subscription& one, const std::string& what, const std::string& payload) {
            notices.push_back(one.hook + ' ' + what + ' ' + payload);
        });
        book->set_grace(1h);
        BOOST_REQUIRE(late->load().has_value());
        BOOST_REQUIRE(book->load().has_value());
    }
    Subscription subscription(const std::string& hook, milliseconds lease = 60s) const {
        Subscription one;
        one.hook = hook;
        one.product = "openregister";
        one.url = "http://10.0.0.5/cb";
        one.channel = "Object";
        one.event_filter = "e.*";
        one.notices = true;
        one.registered_at = one.leased_at = clock.now();
        one.lease_end = clock.now() + lease;
        return one;
    }
    Status add(const std::string& hook, const std::optional<Since>& since = {}) {
        return book->add(subscription(hook), since);
    }
    EventId accept(const std::string& name) {
        clock.advance(1ms);
        NewEvent made;
        made.event.id = ids.event_id();
        made.event.source = {"cloud"};
        made.event.channel = "Object";
        made.event.event_name = name;
        made.event.received_at = clock.now();
        made.event.payload = "{}";
        for (const auto& one : book->match("Object", name, clock.now())) {
            if (late->behind(one->registration)) continue;
            made.deliveries.push_back({ids.delivery_id(), target_of_hook(one->hook),
                                       route_of_registration(one->registration), "", clock.now(), false});
        }
        BOOST_REQUIRE(store.accept(made).has_value());
        return made.event.id;
    }
    /// The lease is over, and was told so.
    TimePoint end_lease() {
        clock.advance(61s);
        book->step();
        return clock.now();
    }
    void finish() {
        for (int i = 0; i < 1'000; ++i) {
            clock.advance(late->step());
            if (late->step() == 1h) return;
        }
    }
    /// Takes and delivers what is due, as the dispatcher would.
    Names deliver(const std::string& hook, int limit = 10'000) {
        Names names;
        const auto batch = store.claim(target_of_hook(hook), clock.now(), 60s, limit).value();
        for (const auto& claim : batch.claims) {
            Settle end;
            end.claim = claim;
            end.settlement = Finished{};
            BOOST_REQUIRE(store.settle({end}, clock.now()).has_value());
            names.push_back(claim.delivery.event.event_name);
        }
        return names;
    }
    Names waiting(const std::string& hook) {
        Names names;
        DeliveryQuery query;
        query.target = "hook:" + hook;
        query.state = DeliveryState::Pending;
        query.limit = 10'000;
        const auto rows = store.deliveries(query).value();
        names.reserve(rows.size());
        for (const auto& row : rows) names.insert(names.begin(), row.event_name);
        return names;
    }
};

std::string message(const Status& status) { return status ? "" : status.error().message; }

}  // namespace

BOOST_AUTO_TEST_SUITE(catch_up)

BOOST_AUTO_TEST_CASE(who_comes_back_in_time_gets_what_matches_once_and_nothing_that_came_after) {
    World world;
    BOOST_REQUIRE(world.add("a").has_value());
    const Since since{world.end_lease(), {}};
    for (const char* name : {"e1", "other", "e2"}) world.accept(name);
    BOOST_REQUIRE(world.add("a", since).has_value());
    world.accept("e3");
    world.finish();
    const Names expected = {"e1", "e2", "e3"};
    BOOST_TEST(world.deliver("a") == expected, boost::test_tools::per_element());
    BOOST_TEST(world.deliver("a").empty());
}

BOOST_AUTO_TEST_CASE(what_comes_in_meanwhile_waits_behind_what_was_missed) {
    World world;
    world.late->set_limits({.rate = {10, 1s}});
    BOOST_REQUIRE(world.add("a").has_value());
    const Since since{world.end_lease(), {}};
    Names expected;
    const auto accept = [&](const std::string& name) {
        world.accept(name);
        expected.push_back(name);
    };
    for (int i = 0; i < 30; ++i) accept("e" + std::to_string(i));
    BOOST_REQUIRE(world.add("a", since).has_value());
    const auto registration = world.book->callable("a", world.clock.now())->registration;
    Names got;
    int live = 0;
    while (world.late->behind(registration)) {
        if (live < 20) accept("e-live" + std::to_string(live++));
        world.late->step();
        for (auto& name : world.deliver("a")) got.push_back(std::move(name));
        world.clock.advance(100ms);
    }
    accept("e-after");
    world.finish();
    for (auto& name : world.deliver("a")) got.push_back(std::move(name));
    BOOST_TEST(live == 20);
    BOOST_TEST(got == expected, boost::test_tools::per_element());
}

/// Found subscribers before it was given events directly, was stored after that: as a slow disk has it.
BOOST_AUTO_TEST_CASE(an_event_that_was_coming_in_at_the_end_is_not_forgotten) {
    World world;
    BOOST_REQUIRE(world.add("a").has_value());
    const Since since{world.end_lease(), {}};
    BOOST_REQUIRE(world.add("a", since).has_value());
    const auto registration = world.book->callable("a", world.clock.now())->registration;
    BOOST_TEST(world.late->behind(registration));
    NewEvent slow;
    slow.event.id = world.ids.event_id();
    slow.event.source = {"cloud"};
    slow.event.channel = "Object";
    slow.event.event_name = "e-slow";
    slow.event.received_at = world.clock.now();
    slow.event.payload = "{}";
    world.late->step();
    BOOST_TEST(!world.late->behind(registration));
    world.clock.advance(50s);
    BOOST_REQUIRE(world.store.accept(slow).has_value());
    world.late->step();
    const Names expected = {"e-slow"};
    BOOST_TEST(world.deliver("a") == expected, boost::test_tools::per_element());
    world.finish();
    BOOST_TEST(world.deliver("a").empty());
}

BOOST_AUTO_TEST_CASE(what_has_arrived_at_an_earlier_registration_does_not_come_again) {
    World world;
    BOOST_REQUIRE(world.add("a").has_value());
    const Since since{world.clock.now(), {}};
    world.accept("e1");
    world.accept("e2");
    const Names first = {"e1"};
    BOOST_TEST(world.deliver("a", 1) == first, boost::test_tools::per_element());
    world.end_lease();
    BOOST_REQUIRE(world.add("a", since).has_value());
    world.finish();
    const Names second = {"e2"};
    BOOST_TEST(world.deliver("a") == second, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(no_more_is_given_than_may_wait_for_one) {
    World world;
    world.late->set_limits({.waiting_max = 5});
    BOOST_REQUIRE(world.add("a").has_value());
    const Since since{world.end_lease(), {}};
    for (int i = 0; i < 12; ++i) world.accept("e" + std::to_string(i));
    BOOST_REQUIRE(world.add("a", since).has_value());
    const auto steps = [&] {
        for (int i = 0; i < 5; ++i) {
            world.clock.advance(1s);
            world.late->step();
        }
    };
    for (const auto expected : {5u, 5u, 2u, 0u}) {
        steps();
        BOOST_TEST(world.deliver("a").size() == expected);
    }
}

BOOST_AUTO_TEST_CASE(many_share_what_the_rate_allows_and_all_get_on) {
    World world;
    world.late->set_limits({.rate = {10, 1s}});
    for (int i = 0; i < 40; ++i) BOOST_REQUIRE(world.add("h" + std::to_string(i)).has_value());
    const Since since{world.end_lease(), {}};
    for (int i = 0; i < 100; ++i) world.accept("e" + std::to_string(i));
    for (int i = 0; i < 40; ++i) BOOST_REQUIRE(world.add("h" + std::to_string(i), since).has_value());
    for (int i = 0; i < 200; ++i) {
        world.clock.advance(100ms);
        world.late->step();
    }
    std::size_t all = 0;
    for (int i = 0; i < 40; ++i) {
        const auto one = world.waiting("h" + std::to_string(i)).size();
        BOOST_TEST(one > 0u);
        all += one;
    }
    BOOST_TEST(all >= 180u);
    BOOST_TEST(all <= 210u);
}

BOOST_AUTO_TEST_CASE(who_answers_that_it_is_gone_is_told_no_more_of_what_it_missed) {
    World world;
    world.late->set_limits({.rate = {10, 1s}});
    BOOST_REQUIRE(world.add("a").has_value());
    const Since since{world.end_lease(), {}};
    for (int i = 0; i < 30; ++i) world.accept("e" + std::to_string(i));
    BOOST_REQUIRE(world.add("a", since).has_value());
    world.late->step();
    world.book->gone("a", world.book->callable("a", world.clock.now())->registration);
    world.book->step();
    world.finish();
    BOOST_TEST(world.waiting("a").empty());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_caught_up_with_changes_nothing) {
    World world;
    world.late->set_limits({.subscribers_max = 1, .kept = 1h});
    BOOST_REQUIRE(world.add("a").has_value());
    BOOST_REQUIRE(world.add("b").has_value());
    BOOST_REQUIRE(world.add("a", Since{world.clock.now(), {}}).has_value());
    const auto before = world.book->callable("b", world.clock.now())->registration;
    BOOST_TEST(message(world.add("b", Since{world.clock.now(), {}})).find("too many subscribers") != std::string::npos);
    world.finish();
    BOOST_TEST(message(world.add("b", Since{world.clock.now() - 2h, {}})).find("events are kept from") !=
               std::string::npos);
    BOOST_TEST(world.store.subscriptions().value().size() == 2u);
    BOOST_TEST(world.store.subscriptions().value()[0].registration == before);
}

BOOST_AUTO_TEST_CASE(a_restart_in_the_middle_goes_on_where_it_was) {
    World world;
    BOOST_REQUIRE(world.add("a").has_value());
    const Since since{world.end_lease(), {}};
    for (int i = 0; i < 250; ++i) world.accept("e" + std::to_string(i));
    BOOST_REQUIRE(world.add("a", since).has_value());
    world.late->step();
    world.clock.advance(1s);
    world.late->step();
    BOOST_TEST(world.waiting("a").size() == 101u);
    world.restart();
    world.finish();
    BOOST_TEST(world.waiting("a").size() == 250u);
}

BOOST_AUTO_TEST_CASE(no_more_events_are_looked_at_than_the_rate_allows) {
    World world;
    world.late->set_limits({{10, 1s}, 1'000, 10});
    BOOST_REQUIRE(world.add("a").has_value());
    const Since since{world.end_lease(), {}};
    for (int i = 0; i < 50; ++i) world.accept("e" + std::to_string(i));
    BOOST_REQUIRE(world.add("a", since).has_value());
    for (int i = 0; i < 20; ++i) {
        world.clock.advance(100ms);
        world.late->step();
    }
    const auto after_two_seconds = world.waiting("a").size();
    BOOST_TEST(after_two_seconds >= 15u);
    BOOST_TEST(after_two_seconds <= 21u);
}

BOOST_AUTO_TEST_CASE(since_is_refused_without_a_lease_too_late_too_far_back_and_for_unknown_events) {
    World world;
    world.late->set_limits({{1'000, 1s}, 3, 1});
    const Since start{world.clock.now(), {}};
    BOOST_TEST(message(world.add("a", start)).find("no lease of this hookId") != std::string::npos);
    BOOST_REQUIRE(world.add("a").has_value());
    world.end_lease();
    for (int i = 0; i < 4; ++i) world.accept("e");
    BOOST_TEST(message(world.add("a", start)) ==
               "since: 4 events have come since then, at most 3 can be caught up with");
    BOOST_TEST(message(world.add("a", Since{{}, "00000000-0000-7000-8000-000000000000"})).find("no such event") !=
               std::string::npos);
    world.clock.advance(2h);
    world.book->step();
    BOOST_TEST(message(world.add("a", Since{world.clock.now(), {}})).find("no lease of this hookId") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_end_in_the_grace_time_is_told_once_over_restarts_and_then_forgotten) {
    World world;
    BOOST_REQUIRE(world.add("a").has_value());
    world.end_lease();
    BOOST_TEST(world.notices.size() == 1u);
    world.restart();
    world.book->step();
    BOOST_TEST(world.notices.size() == 1u);
    BOOST_TEST(world.book->find({}, world.clock.now()).empty());
    BOOST_TEST(world.store.subscriptions().value().size() == 1u);
    BOOST_REQUIRE(world.add("a", Since{world.clock.now(), {}}).has_value());
    world.end_lease();
    world.clock.advance(2h);
    world.book->step();
    BOOST_TEST(world.store.subscriptions().value().empty());
}

BOOST_AUTO_TEST_CASE(what_could_not_be_delivered_is_told_with_the_next_that_can) {
    World world;
    BOOST_REQUIRE(world.add("a").has_value());
    const auto one = world.book->callable("a", world.clock.now());
    world.book->missed(*one);
    world.book->missed(*one, 2);
    world.book->reached(*one);
    world.book->reached(*one);
    const Names expected = {R"(a missed {"count":3})"};
    BOOST_TEST(world.notices == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
