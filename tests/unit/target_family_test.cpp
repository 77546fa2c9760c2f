// Targets that come and go while the dispatcher runs.
#include <boost/test/unit_test.hpp>
#include <set>

#include "bridge/deliver/dispatcher.h"
#include "bridge/deliver/recorder.h"
#include "tests/support/delivery_fakes.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;

/// A dispatcher with the configured target `a` and a family of those beginning with `hook:`.
struct Rig {
    explicit Rig(int family_max = 100, int configured_max = 512)
        : dispatcher(store, transport, recorder, clock, random, log, {.in_flight_max = configured_max}) {
        dispatcher.set_family(
            {.prefix = "hook:", .find = [this](const TargetId& id) { return find(id); }, .in_flight_max = family_max});
        dispatcher.set_targets({{.id = {"a"}, .recipe = recipe, .in_flight_max = 10}});
    }
    std::optional<DeliveryTarget> find(const TargetId& id) const {
        if (!there.contains(id.value)) return std::nullopt;
        DeliveryTarget target{.id = id, .recipe = recipe, .in_flight_max = 1};
        target.retry.jitter = 0;
        return target;
    }
    void run() {
        while (recorder.backlog() > 0 && recorder.step() == 0ms) {
        }
        dispatcher.step();
    }
    void add(const std::string& target, const std::string& payload = "{}") {
        store.add(target, {}, payload);
        dispatcher.wake({{target}});
    }

    test::ManualClock clock;
    SeededRandom random{1};
    Log log{clock, Log::Level::Error, to_nowhere()};
    test::DeliveryStore store;
    test::ScriptedTransport transport;
    Recorder recorder{store, clock, log};
    std::shared_ptr<test::PlainRecipe> recipe = std::make_shared<test::PlainRecipe>();
    std::set<std::string> there{"hook:x", "hook:y"};
    Dispatcher dispatcher;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(target_family)

BOOST_AUTO_TEST_CASE(a_target_that_came_while_running_is_delivered_to) {
    Rig rig;
    rig.run();
    rig.there.insert("hook:new");
    rig.add("hook:new");
    rig.run();
    BOOST_TEST_REQUIRE(rig.transport.waiting() == 1U);
    BOOST_TEST(rig.transport.request().url == "http://hook:new/d1");
    rig.transport.answer(0, 200);
    rig.run();
    BOOST_TEST(rig.store.row(1).state == "delivered");
}

BOOST_AUTO_TEST_CASE(what_was_pending_at_the_start_is_delivered) {
    Rig rig;
    rig.store.add("hook:x");
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 1U);
}

BOOST_AUTO_TEST_CASE(what_waits_for_a_target_that_is_gone_expires_once_the_store_is_there) {
    Rig rig;
    rig.run();
    rig.add("hook:gone");
    rig.store.failing = true;
    rig.run();
    rig.store.failing = false;
    BOOST_TEST(rig.store.row(1).state == "pending");
    rig.clock.advance(1s);
    rig.run();
    BOOST_TEST(rig.store.row(1).state == "expired");
}

BOOST_AUTO_TEST_CASE(what_waits_for_a_target_that_is_gone_expires) {
    Rig rig;
    rig.store.add("hook:gone");
    rig.run();
    BOOST_TEST(rig.store.row(1).state == "expired");
    rig.add("hook:x");
    rig.run();
    rig.add("hook:x");
    rig.there.clear();
    rig.transport.answer(0, 200);
    rig.run();
    BOOST_TEST(rig.store.row(2).state == "delivered");
    BOOST_TEST(rig.store.row(3).state == "expired");
    BOOST_TEST(rig.transport.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(one_delivery_at_a_time_in_order) {
    Rig rig;
    for (int i = 0; i < 3; ++i) rig.add("hook:x");
    for (const auto* id : {"d1", "d2", "d3"}) {
        rig.run();
        BOOST_TEST_REQUIRE(rig.transport.waiting() == 1U);
        BOOST_TEST(rig.transport.request().url == std::string("http://hook:x/") + id);
        rig.transport.answer(0, 200);
    }
}

BOOST_AUTO_TEST_CASE(a_retry_is_made_although_the_target_was_idle_meanwhile) {
    Rig rig;
    rig.add("hook:x");
    rig.run();
    rig.transport.answer(0, 500);
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 0U);
    rig.clock.advance(1h);
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 1U);
}

BOOST_AUTO_TEST_CASE(the_family_and_the_configured_take_no_room_from_each_other) {
    Rig rig(2, 1);
    rig.there.insert("hook:z");
    for (const auto* target : {"hook:x", "hook:y", "hook:z", "a", "a"}) rig.add(target);
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 3U);
    BOOST_TEST(rig.dispatcher.in_flight() == 3);
    rig.transport.answer(0, 200);
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 3U);
}

BOOST_AUTO_TEST_CASE(what_must_not_be_sent_any_more_expires_without_an_attempt_and_lets_the_next_go) {
    Rig rig;
    rig.add("hook:x", "too late");
    rig.add("hook:x");
    rig.run();
    rig.run();
    BOOST_TEST(rig.store.row(1).state == "expired");
    BOOST_TEST(rig.store.row(1).attempts.empty());
    BOOST_TEST_REQUIRE(rig.transport.waiting() == 1U);
    BOOST_TEST(rig.transport.request().url == "http://hook:x/d2");
}

BOOST_AUTO_TEST_CASE(thousands_that_came_and_went_leave_the_dispatcher_working) {
    Rig rig;
    for (int i = 0; i < 3000; ++i) {
        const auto target = "hook:" + std::to_string(i);
        rig.there = {target};
        rig.add(target);
        rig.run();
        BOOST_TEST_REQUIRE(rig.transport.waiting() == 1U);
        rig.transport.answer(0, 200);
        rig.run();
    }
    BOOST_TEST(rig.dispatcher.in_flight() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
