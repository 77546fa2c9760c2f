#include "bridge/deliver/dispatcher.h"

#include <boost/test/unit_test.hpp>
#include <set>

#include "bridge/deliver/recorder.h"
#include "bridge/store/memory_store.h"
#include "tests/support/delivery_fakes.h"
#include "tests/support/dispatcher_rig.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;
using test::PlainRecipe;
using Rig = test::DispatcherRig;
using Reached = TransportFailure::Reached;

}  // namespace

BOOST_AUTO_TEST_SUITE(dispatcher)

BOOST_AUTO_TEST_CASE(what_is_pending_at_the_start_is_delivered_and_recorded) {
    Rig rig;
    rig.store.add("a");
    rig.targets({"a"});
    rig.run();
    BOOST_TEST(rig.transport.request().url == "http://a/d1");
    rig.answer(200);
    BOOST_TEST(rig.store.row(1).state == "pending");
    rig.run();
    BOOST_TEST(rig.store.row(1).state == "delivered");
    const auto attempt = rig.store.row(1).attempts.at(0);
    BOOST_TEST(attempt.number == 1);
    BOOST_TEST(attempt.status == 200);
    BOOST_TEST(attempt.outcome == "delivered");
    BOOST_CHECK(attempt.duration == 7ms);
    BOOST_TEST(rig.logged("\"message\":\"delivery.attempted\",\"event\":\"e1\",\"delivery\":\"d1\",\"target\":\"a\"") ==
               1u);
    BOOST_TEST(rig.dispatcher.in_flight() == 0);
}

BOOST_AUTO_TEST_CASE(nothing_due_means_no_question_to_the_store_and_no_end_to_the_sleep) {
    Rig rig;
    rig.targets({"a"});
    rig.run();
    const int asked = rig.store.claims;
    for (int i = 0; i < 10; ++i) {
        rig.clock.advance(1h);
        BOOST_CHECK(rig.run() == Transport::kNoEnd);
    }
    BOOST_TEST(rig.store.claims == asked);
}

BOOST_AUTO_TEST_CASE(a_wake_after_a_commit_starts_a_delivery) {
    Rig rig;
    rig.targets({"a"});
    rig.run();
    rig.store.add("a");
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 0u);
    rig.dispatcher.wake({{"a"}});
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 1u);
}

BOOST_AUTO_TEST_CASE(a_failed_attempt_is_repeated_when_it_is_due_and_not_before) {
    Rig rig;
    rig.store.add("a");
    rig.targets({"a"});
    rig.run();
    rig.answer(500);
    BOOST_CHECK(rig.run() == 1s);
    BOOST_TEST(rig.transport.waiting() == 0u);
    rig.clock.advance(999ms);
    BOOST_CHECK(rig.run() == 1ms);
    BOOST_TEST(rig.transport.waiting() == 0u);
    rig.clock.advance(1ms);
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 1u);
    rig.answer(200);
    rig.run();
    BOOST_TEST(rig.store.row(1).attempts.size() == 2u);
    BOOST_TEST(rig.store.row(1).attempts.at(1).number == 2);
}

BOOST_AUTO_TEST_CASE(S5_a_rate_that_is_shared_with_others_defers_and_that_is_no_attempt) {
    Rig rig;
    for (int i = 0; i < 4; ++i) rig.store.add("a");
    rig.targets({"a"});
    int room = 1;
    const auto again = rig.clock.now() + 400ms;
    rig.transport.on_admit = [&](const HttpRequest&) -> std::optional<TimePoint> {
        if (room-- > 0) return std::nullopt;
        return again;
    };
    BOOST_CHECK(rig.run() == 400ms);
    BOOST_TEST(rig.transport.waiting() == 1u);
    BOOST_TEST(rig.dispatcher.in_flight() == 1);
    rig.answer(200);
    rig.run();
    room = 10;
    rig.clock.advance(400ms);
    rig.run();
    rig.transport.answer_all(200);
    rig.run();
    for (int i = 1; i <= 4; ++i) {
        BOOST_TEST(rig.store.row(i).state == "delivered");
        BOOST_TEST(rig.store.row(i).attempts.size() == 1u);
    }
}

BOOST_AUTO_TEST_CASE(a_rejected_delivery_and_one_that_cannot_be_written_are_dead_at_once) {
    Rig rig;
    rig.store.add("a");
    rig.store.add("a", {}, "cannot be sent");
    rig.targets({"a"});
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 1u);
    rig.answer(422);
    rig.run();
    BOOST_TEST(rig.store.count("dead") == 2u);
    BOOST_TEST(rig.store.row(2).attempts.at(0).status == 0);
    BOOST_TEST(rig.store.row(2).attempts.at(0).outcome == "rejected");
}

BOOST_AUTO_TEST_CASE(the_caps_of_a_target_and_of_all_are_kept) {
    Rig rig({.in_flight_max = 5});
    for (int i = 0; i < 20; ++i) rig.store.add("a");
    for (int i = 0; i < 20; ++i) rig.store.add("b");
    rig.targets({"a", "b"}, 3);
    std::size_t done = 0;
    while (done < 40) {
        rig.run();
        BOOST_TEST_REQUIRE(rig.transport.waiting() > 0u);
        BOOST_TEST(rig.transport.waiting() <= 5u);
        std::map<std::string, int> per_target;
        for (std::size_t i = 0; i < rig.transport.waiting(); ++i)
            ++per_target[rig.transport.request(i).url.substr(7, 1)];
        for (const auto& [name, count] : per_target) BOOST_TEST(count <= 3);
        rig.answer(200);
        ++done;
    }
    rig.run();
    BOOST_TEST(rig.store.count("delivered") == 40u);
}

BOOST_AUTO_TEST_CASE(a_hanging_target_holds_up_no_other) {
    Rig rig;
    for (int i = 0; i < 100; ++i) rig.store.add("hanging");
    for (int i = 0; i < 50; ++i) rig.store.add("well");
    rig.targets({"hanging", "well"});
    for (int round = 0; round < 100 && rig.store.count("delivered") < 50; ++round) {
        rig.run();
        for (std::size_t i = rig.transport.waiting(); i > 0; --i)
            if (rig.transport.request(i - 1).url.find("well") != std::string::npos) rig.transport.answer(i - 1, 200);
    }
    rig.record();
    BOOST_TEST(rig.store.count("delivered") == 50u);
    BOOST_TEST(rig.transport.waiting() == 10u);
}

BOOST_AUTO_TEST_CASE(scarce_room_is_shared_in_turn) {
    Rig rig({.in_flight_max = 2});
    std::vector<std::string> names = {"a", "b", "c", "d", "e", "f"};
    for (const auto& name : names)
        for (int i = 0; i < 30; ++i) rig.store.add(name);
    rig.targets(names);
    std::map<std::string, int> served;
    for (int i = 0; i < 60; ++i) {
        rig.run();
        ++served[rig.transport.request().url.substr(7, 1)];
        rig.answer(200);
    }
    for (const auto& name : names) BOOST_TEST(std::abs(served[name] - 10) <= 2, name << " " << served[name]);
}

BOOST_AUTO_TEST_CASE(deliveries_of_one_subject_wait_for_each_other_and_others_do_not) {
    Rig rig;
    rig.store.add("a", "x");
    rig.store.add("a", "x");
    rig.store.add("a", "y");
    rig.targets({"a"});
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 2u);
    rig.answer(500);
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 1u);  // d3; d2 waits for the retry of d1
    rig.clock.advance(1s);
    rig.run();
    BOOST_TEST(rig.transport.request(1).url == "http://a/d1");
    rig.transport.answer(1, 200);
    rig.run();
    BOOST_TEST(rig.transport.request(1).url == "http://a/d2");
}

BOOST_AUTO_TEST_CASE(after_an_unclear_end_the_other_side_is_asked_first) {
    const std::pair<int, std::string> rows[] = {{200, "delivered"}, {404, "sent"}, {503, "later"}};
    for (const auto& [status, then] : rows) {
        Rig rig;
        rig.recipe->asks = true;
        rig.store.add("a");
        rig.targets({"a"});
        rig.run();
        rig.transport.fail(0, Reached::Unclear, true);
        BOOST_CHECK(rig.run() == 60s);  // the floor after a timeout
        BOOST_TEST(rig.store.row(1).delivery.unclear);
        rig.clock.advance(60s);
        rig.run();
        BOOST_TEST(rig.transport.request().url == "http://ask/d1");
        rig.answer(status);
        rig.run();
        if (then == "delivered") {
            BOOST_TEST(rig.store.row(1).state == "delivered");
            BOOST_TEST(rig.store.row(1).attempts.at(1).outcome == "duplicate");
            BOOST_TEST(rig.store.row(1).reference == "d1");
        } else if (then == "sent") {
            BOOST_TEST(rig.transport.request().url == "http://a/d1");
            rig.answer(500);
            rig.run();
            BOOST_TEST(!rig.store.row(1).delivery.unclear);
        } else {
            BOOST_TEST(rig.transport.waiting() == 0u);
            BOOST_TEST(rig.store.row(1).delivery.unclear);
            BOOST_TEST(rig.store.row(1).attempts.size() == 2u);
        }
    }
}

BOOST_AUTO_TEST_CASE(nothing_is_sent_once_the_hold_has_run_out_while_the_other_side_was_asked) {
    Rig rig;
    rig.recipe->asks = true;
    rig.store.add("a").delivery.unclear = true;
    rig.targets({"a"});
    rig.run();
    rig.clock.advance(1h);
    rig.answer(404);
    BOOST_TEST(rig.transport.waiting() == 0u);
    BOOST_TEST(rig.dispatcher.in_flight() == 0);
    BOOST_TEST(rig.logged("delivery.claim_lost") == 1u);
}

BOOST_AUTO_TEST_CASE(whoever_is_asked_about_an_attempt_may_also_want_to_be_left_alone) {
    Rig rig;
    rig.recipe->asks = true;
    rig.store.add("a").delivery.unclear = true;
    rig.targets({"a"});
    rig.run();
    rig.transport.answer(0, 429, "", {{"Retry-After", "90"}});
    BOOST_CHECK(rig.run() == 90s);
    BOOST_TEST(rig.store.row(1).delivery.unclear);
}

BOOST_AUTO_TEST_CASE(what_was_certainly_not_sent_is_not_in_doubt_but_an_older_doubt_stays) {
    Rig rig;
    rig.store.add("a");
    rig.store.add("a").delivery.unclear = true;
    rig.targets({"a"});
    rig.run();
    rig.transport.fail(0, Reached::NothingSent);
    rig.transport.fail(0, Reached::NothingSent);
    rig.run();
    BOOST_TEST(!rig.store.row(1).delivery.unclear);
    BOOST_TEST(rig.store.row(2).delivery.unclear);
}

BOOST_AUTO_TEST_CASE(a_delivery_without_inquiry_is_simply_repeated) {
    Rig rig;
    rig.store.add("a").delivery.unclear = true;
    rig.targets({"a"});
    rig.run();
    BOOST_TEST(rig.transport.request().url == "http://a/d1");
}

BOOST_AUTO_TEST_CASE(an_end_that_cannot_be_stored_is_kept_until_it_can) {
    Rig rig;
    rig.store.add("a");
    rig.targets({"a"});
    rig.run();
    rig.store.failing = true;
    rig.answer(200);
    BOOST_CHECK(rig.recorder.step() == 100ms);
    BOOST_CHECK(rig.recorder.step() == 200ms);
    for (int i = 0; i < 10; ++i) rig.recorder.step();
    BOOST_CHECK(rig.recorder.step() == 5s);
    BOOST_TEST(rig.recorder.backlog() == 1u);
    BOOST_TEST(!rig.recorder.wait_until_empty(0ms));
    BOOST_TEST(rig.logged("recorder.store_unavailable") == 1u);
    rig.store.failing = false;
    rig.record();
    BOOST_TEST(rig.store.row(1).state == "delivered");
    BOOST_TEST(rig.store.row(1).attempts.size() == 1u);
    BOOST_TEST(rig.recorder.wait_until_empty(0ms));
}

BOOST_AUTO_TEST_CASE(nothing_is_claimed_while_too_much_waits_to_be_recorded) {
    Rig rig({.backlog_max = 3});
    for (int i = 0; i < 30; ++i) rig.store.add("a");
    rig.targets({"a"}, 1);
    for (int i = 0; i < 3; ++i) {
        rig.dispatcher.step();
        rig.answer(200);
    }
    rig.dispatcher.step();
    BOOST_TEST(rig.transport.waiting() == 0u);
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 1u);
}

BOOST_AUTO_TEST_CASE(many_ends_go_into_one_transaction) {
    Rig rig;
    for (int i = 0; i < 10; ++i) rig.store.add("a");
    rig.targets({"a"});
    rig.run();
    rig.transport.answer_all(200);
    rig.run();
    BOOST_TEST(rig.store.batches == std::vector<std::size_t>{10u}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(one_end_that_the_store_refuses_does_not_keep_the_others_back) {
    Rig rig;
    for (int i = 0; i < 5; ++i) rig.store.add("a");
    rig.targets({"a"});
    rig.run();
    rig.store.refusing = true;
    rig.answer(200);
    rig.answer(499);
    rig.transport.answer_all(200);
    rig.record();
    BOOST_TEST(rig.store.count("delivered") == 4u);
    BOOST_TEST(rig.recorder.backlog() == 0u);
    BOOST_TEST(rig.logged("recorder.refused") == 1u);
}

BOOST_AUTO_TEST_CASE(what_waits_behind_a_delivery_goes_on_even_if_the_answer_to_its_recording_was_lost) {
    Rig rig;
    rig.store.add("a", "subject");
    rig.store.add("a", "subject");
    rig.targets({"a"});
    rig.run();
    rig.answer(200);
    rig.store.losing_answer = true;
    BOOST_CHECK(rig.recorder.step() == 100ms);
    rig.run();
    BOOST_TEST(rig.store.row(1).state == "delivered");
    BOOST_TEST(rig.transport.request().url == "http://a/d2");
}

BOOST_AUTO_TEST_CASE(a_clock_set_back_does_not_lengthen_the_pause_after_a_failure_of_the_store) {
    Rig rig;
    rig.store.add("a");
    rig.store.failing = true;
    rig.targets({"a"});
    BOOST_CHECK(rig.run() == 1s);
    rig.store.failing = false;
    rig.clock.advance(-1h);
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 1u);
}

BOOST_AUTO_TEST_CASE(a_store_that_cannot_be_asked_is_asked_again_after_a_pause) {
    Rig rig;
    rig.store.add("a");
    rig.store.failing = true;
    rig.targets({"a"});
    BOOST_CHECK(rig.run() == 1s);
    rig.store.failing = false;
    BOOST_CHECK(rig.run() == 1s);
    rig.clock.advance(1s);
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 1u);
}

BOOST_AUTO_TEST_CASE(a_lost_claim_is_told_and_changes_nothing) {
    Rig rig;
    rig.store.add("a");
    rig.targets({"a"});
    rig.run();
    rig.store.row(1).token = 99;
    rig.answer(200);
    rig.run();
    BOOST_TEST(rig.store.row(1).state == "pending");
    BOOST_TEST(rig.logged("delivery.claim_lost") == 1u);
    BOOST_TEST(rig.logged("delivery.attempted") == 0u);
}

BOOST_AUTO_TEST_CASE(deliveries_to_targets_that_are_not_configured_stay_pending_and_are_told_once) {
    Rig rig;
    rig.store.add("gone");
    rig.targets({"a"});
    for (int i = 0; i < 3; ++i) {
        rig.dispatcher.wake({{"gone"}});
        rig.run();
    }
    BOOST_TEST(rig.logged("target.not_configured") == 1u);
    BOOST_TEST(rig.store.row(1).state == "pending");
    rig.targets({"a", "gone"});
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 1u);
}

BOOST_AUTO_TEST_CASE(a_target_taken_away_finishes_what_is_in_flight_and_starts_nothing_more) {
    Rig rig;
    for (int i = 0; i < 3; ++i) rig.store.add("a");
    rig.targets({"a"}, 1);
    rig.run();
    rig.targets({});
    rig.run();
    rig.answer(200);
    rig.run();
    BOOST_TEST(rig.store.count("delivered") == 1u);
    BOOST_TEST(rig.transport.waiting() == 0u);
}

BOOST_AUTO_TEST_CASE(a_stop_waits_for_what_is_in_flight) {
    Rig rig;
    rig.store.add("a");
    rig.store.add("a");
    rig.targets({"a"});
    rig.run();
    rig.transport.on_poll = [&] { rig.answer(200); };
    rig.dispatcher.finish();
    rig.record();
    BOOST_TEST(rig.store.count("delivered") == 2u);
}

BOOST_AUTO_TEST_CASE(a_stop_that_takes_too_long_leaves_doubts_where_there_are_and_gives_back_the_rest) {
    Rig rig({.stop_timeout = 10s});
    rig.store.add("a");
    rig.store.add("a");
    rig.targets({"a"});
    rig.run();
    rig.transport.on_poll = [&] {
        rig.clock.advance(11s);
        rig.transport.fail(1, Reached::NothingSent);
    };
    rig.dispatcher.finish();
    rig.record();
    BOOST_TEST(rig.store.row(1).attempts.size() == 1u);
    BOOST_TEST(rig.store.row(1).delivery.unclear);
    BOOST_TEST(rig.store.row(2).attempts.size() == 0u);
    BOOST_TEST(rig.store.row(2).token == 0u);
    BOOST_TEST(rig.dispatcher.in_flight() == 0);
}

BOOST_AUTO_TEST_CASE(a_job_is_followed_if_the_recipe_wants_it) {
    Rig rig;
    rig.recipe->follows = true;
    rig.store.add("a");
    rig.targets({"a"});
    rig.run();
    rig.answer(201);
    rig.run();
    BOOST_TEST(rig.store.row(1).follow);
    BOOST_TEST(rig.store.row(1).reference == "job-d1");
}

BOOST_AUTO_TEST_CASE(metrics_are_told_each_attempt_that_was_recorded) {
    Rig rig;
    std::vector<std::string> told;
    rig.recorder.when_recorded([&](const Settle& settle) { told.push_back(settle.attempt.outcome); });
    rig.store.add("a");
    rig.targets({"a"});
    rig.run();
    rig.answer(500);
    rig.run();
    BOOST_TEST(told == std::vector<std::string>{"retry"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(over_a_real_store_order_holds_through_failures_and_everything_arrives) {
    test::ManualClock clock;
    SeededRandom random{7};
    Log log{clock, Log::Level::Debug, to_nowhere()};
    MemoryStore store;
    test::ScriptedTransport transport;
    Recorder recorder{store, clock, log};
    Dispatcher dispatcher{store, transport, recorder, clock, random, log, {}};
    IdMaker ids(clock, random);
    std::map<std::string, std::string> subject_of;  // by delivery
    std::map<std::string, std::vector<std::string>> wanted, arrived;
    for (int i = 0; i < 60; ++i) {
        NewEvent event;
        event.event.id = ids.event_id();
        event.event.source = {"s"};
        event.event.subject = "object:" + std::to_string(i % 7);
        event.dedup_key = std::to_string(i);
        NewDelivery delivery{.id = ids.delivery_id(),
                             .target = {"a"},
                             .route = "r",
                             .order_key = event.event.subject,
                             .due_at = clock.now()};
        subject_of[delivery.id.value] = event.event.subject;
        wanted[event.event.subject].push_back(delivery.id.value);
        event.deliveries.push_back(delivery);
        BOOST_REQUIRE(store.accept(event).has_value());
    }
    dispatcher.set_targets({{.id = {"a"}, .recipe = std::make_shared<PlainRecipe>(), .in_flight_max = 4}});
    for (int round = 0; round < 5000 && subject_of.size() > 0; ++round) {
        const auto pause = dispatcher.step();
        if (transport.waiting() == 0) {
            clock.advance(std::min<milliseconds>(pause, 24h));
            continue;
        }
        const auto index = static_cast<std::size_t>(random.bits() % transport.waiting());
        const auto id = transport.request(index).url.substr(9);
        const bool works = random.bits() % 3 != 0;
        if (works) {
            arrived[subject_of[id]].push_back(id);
            subject_of.erase(id);
        }
        transport.answer(index, works ? 200 : 500);
        while (recorder.backlog() > 0) recorder.step();
    }
    BOOST_TEST(subject_of.empty());
    BOOST_TEST((arrived == wanted));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
