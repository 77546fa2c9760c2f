#include <boost/test/unit_test.hpp>

#include "bridge/deliver/dispatcher.h"
#include "bridge/deliver/recorder.h"
#include "tests/support/delivery_fakes.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;
using test::DeliveryStore;
using test::PlainRecipe;

/// Dispatcher and recorder over fakes, stepped by hand; restart() begins anew over the same store.
struct Rig {
    Rig() { restart(); }

    void restart() {
        dispatcher.reset();
        transport.emplace();
        recorder.emplace(store, clock, log);
        dispatcher.emplace(store, *transport, *recorder, clock, random, log, DispatcherSettings{});
    }
    DeliveryTarget target(const std::string& name) const {
        DeliveryTarget target{.id = {name}, .recipe = recipe};
        target.retry.jitter = 0;
        target.retry.schedule = std::vector<milliseconds>(50, milliseconds{1});
        return target;
    }
    DeliveryTarget guarded(const std::string& name) const {
        auto with = target(name);
        with.breaker = BreakerPolicy{};
        return with;
    }
    DeliveryTarget limited(const std::string& name, RateLimit rate) const {
        auto with = target(name);
        with.rate = rate;
        return with;
    }
    milliseconds run() {
        for (int i = 0; i < 1'000 && recorder->step() == 0ms; ++i) {
        }
        return dispatcher->step();
    }
    /// Answers everything that is sent until nothing is, or `most` were.
    int answer_all(int status, int most = 1'000) {
        int answered = 0;
        run();
        while (transport->waiting() > 0 && answered < most) {
            transport->answer(0, status);
            ++answered;
            clock.advance(1ms);
            run();
        }
        return answered;
    }
    GateState gate(const std::string& name) const { return dispatcher->view({name})->gate; }
    Breaker::State breaker(const std::string& name) const { return gate(name).breaker(clock.now()); }
    std::size_t logged(const std::string& what) const {
        return static_cast<std::size_t>(std::count_if(
            lines.begin(), lines.end(), [&](const std::string& line) { return line.find(what) != std::string::npos; }));
    }

    test::ManualClock clock;
    SeededRandom random{1};
    std::vector<std::string> lines;
    Log log{clock, Log::Level::Debug, [this](const std::string& line) { lines.push_back(line); }};
    DeliveryStore store;
    std::shared_ptr<PlainRecipe> recipe = std::make_shared<PlainRecipe>();
    std::optional<test::ScriptedTransport> transport;
    std::optional<Recorder> recorder;
    std::optional<Dispatcher> dispatcher;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(dispatcher_gate)

BOOST_AUTO_TEST_CASE(after_ten_failures_a_target_is_left_alone_and_its_deliveries_lose_no_attempt) {
    Rig rig;
    for (int i = 0; i < 30; ++i) rig.store.add("a");
    rig.dispatcher->set_targets({rig.guarded("a")});
    BOOST_TEST(rig.answer_all(500) == 10);
    BOOST_CHECK(rig.breaker("a") == Breaker::State::Open);
    BOOST_TEST(rig.logged("\"message\":\"target.breaker\",\"target\":\"a\",\"state\":\"open\"") == 1u);
    std::size_t attempts = 0;
    for (int i = 1; i <= 30; ++i) attempts += rig.store.row(static_cast<std::size_t>(i)).attempts.size();
    BOOST_TEST(attempts == 10u);
    BOOST_TEST(rig.store.count("pending") == 30u);
    const auto hold = rig.gate("a").hold(rig.clock.now());
    BOOST_REQUIRE(hold.has_value());
    BOOST_CHECK(hold->by == Hold::By::Breaker);
    BOOST_TEST(sentence(*hold).find("HTTP 500") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_sleep_ends_when_the_breaker_lets_a_probe_through_and_its_success_closes_it) {
    Rig rig;
    for (int i = 0; i < 30; ++i) rig.store.add("a");
    rig.dispatcher->set_targets({rig.guarded("a")});
    rig.answer_all(500);
    const auto pause = rig.run();
    BOOST_CHECK(pause > 9s && pause <= 10s);
    const int asked = rig.store.claims;
    rig.run();
    BOOST_TEST(rig.store.claims == asked);
    rig.clock.advance(pause);
    rig.run();
    BOOST_TEST(rig.transport->waiting() == 1u);
    rig.transport->answer(0, 200);
    rig.run();
    BOOST_CHECK(rig.breaker("a") == Breaker::State::Closed);
    BOOST_TEST(rig.transport->waiting() == 2u);  // gently
    BOOST_TEST(rig.answer_all(200) == 29);
    BOOST_TEST(rig.logged("target.breaker") == 3u);  // open, half-open, closed
}

BOOST_AUTO_TEST_CASE(a_failed_probe_opens_it_for_twice_as_long) {
    Rig rig;
    for (int i = 0; i < 30; ++i) rig.store.add("a");
    rig.dispatcher->set_targets({rig.guarded("a")});
    rig.answer_all(500);
    rig.clock.advance(10s);
    BOOST_TEST(rig.answer_all(500) == 1);
    const auto pause = rig.run();
    BOOST_CHECK(pause > 19s && pause <= 20s);
}

BOOST_AUTO_TEST_CASE(a_target_behind_an_open_breaker_holds_up_no_other) {
    Rig rig;
    for (int i = 0; i < 20; ++i) rig.store.add("dead");
    rig.dispatcher->set_targets({rig.guarded("dead"), rig.guarded("well")});
    rig.answer_all(500);
    for (int i = 0; i < 20; ++i) rig.store.add("well");
    rig.dispatcher->wake({{"well"}});
    BOOST_TEST(rig.answer_all(200) == 20);
    BOOST_CHECK(rig.breaker("dead") == Breaker::State::Open);
}

BOOST_AUTO_TEST_CASE(a_rejected_probe_shows_that_the_target_is_there) {
    Rig rig;
    for (int i = 0; i < 30; ++i) rig.store.add("a");
    rig.dispatcher->set_targets({rig.guarded("a")});
    rig.answer_all(500);
    rig.clock.advance(10s);
    rig.run();
    rig.transport->answer(0, 422);
    rig.run();
    BOOST_CHECK(rig.breaker("a") == Breaker::State::Closed);
    BOOST_TEST(rig.transport->waiting() == 2u);
}

BOOST_AUTO_TEST_CASE(a_start_and_a_replay_begin_gently) {
    Rig rig;
    for (int i = 0; i < 50; ++i) rig.store.add("a");
    rig.dispatcher->set_targets({rig.guarded("a")});
    rig.run();
    BOOST_TEST(rig.transport->waiting() == 1u);
    rig.answer_all(200);
    for (int i = 0; i < 50; ++i) rig.store.add("a");
    rig.dispatcher->wake({{"a"}});
    rig.run();
    BOOST_TEST(rig.transport->waiting() == 10u);
    rig.answer_all(200);
    for (int i = 0; i < 50; ++i) rig.store.add("a");
    rig.dispatcher->start_slowly({{"a"}});
    rig.dispatcher->wake({{"a"}});
    rig.run();
    BOOST_TEST(rig.transport->waiting() == 1u);
    rig.transport->answer(0, 200);
    rig.run();
    BOOST_TEST(rig.transport->waiting() == 2u);
}

BOOST_AUTO_TEST_CASE(an_open_breaker_is_still_open_after_a_restart) {
    Rig rig;
    for (int i = 0; i < 30; ++i) rig.store.add("a");
    rig.dispatcher->set_targets({rig.guarded("a")});
    rig.answer_all(500);
    BOOST_TEST(rig.store.notes.size() == 1u);
    rig.restart();
    rig.dispatcher->set_targets({rig.guarded("a")});
    BOOST_CHECK(rig.run() > 5s);
    BOOST_TEST(rig.transport->waiting() == 0u);
    BOOST_CHECK(rig.breaker("a") == Breaker::State::Open);
    rig.clock.advance(10s);
    BOOST_TEST(rig.answer_all(200) == 30);
    rig.restart();
    rig.dispatcher->set_targets({rig.guarded("a")});
    rig.run();
    BOOST_CHECK(rig.breaker("a") == Breaker::State::Closed);
}

BOOST_AUTO_TEST_CASE(nothing_is_sent_before_what_an_earlier_run_knew_could_be_read) {
    Rig rig;
    rig.store.add("a");
    rig.store.failing = true;
    rig.dispatcher->set_targets({rig.guarded("a")});
    rig.run();
    rig.store.failing = false;
    BOOST_TEST(rig.transport->waiting() == 0u);
    rig.clock.advance(1s);
    rig.run();
    BOOST_TEST(rig.transport->waiting() == 1u);
}

BOOST_AUTO_TEST_CASE(notes_that_cannot_be_stored_are_kept_until_they_can) {
    Rig rig;
    rig.store.failing = true;
    rig.recorder->keep("key", "old");
    BOOST_CHECK(rig.recorder->step() == 100ms);
    rig.recorder->keep("key", "new");
    BOOST_CHECK(rig.recorder->step() == 200ms);
    BOOST_TEST(!rig.recorder->wait_until_empty(0ms));
    rig.store.failing = false;
    rig.recorder->step();
    BOOST_TEST(rig.store.notes["key"] == "new");
    BOOST_TEST(rig.recorder->wait_until_empty(0ms));
}

BOOST_AUTO_TEST_CASE(days_of_failure_pause_a_target_until_it_is_resumed_and_drop_nothing) {
    Rig rig;
    for (int i = 0; i < 12; ++i) rig.store.add("a");
    auto target = rig.guarded("a");
    target.retry.schedule = std::vector<milliseconds>(10'000, milliseconds{1});
    rig.dispatcher->set_targets({target});
    rig.answer_all(500);
    for (int i = 0; i < 121; ++i) {
        rig.clock.advance(1h);
        rig.answer_all(500);
    }
    BOOST_CHECK(rig.breaker("a") == Breaker::State::Paused);
    BOOST_TEST(rig.logged("\"state\":\"paused\"") == 1u);
    BOOST_CHECK(rig.run() == Transport::kNoEnd);
    rig.restart();
    rig.dispatcher->set_targets({target});
    rig.clock.advance(24h);
    BOOST_CHECK(rig.run() == Transport::kNoEnd);
    BOOST_TEST(rig.store.count("pending") == 12u);
    rig.dispatcher->resume({"a"});
    BOOST_TEST(rig.answer_all(200) == 12);
    BOOST_TEST(rig.store.count("delivered") == 12u);
}

BOOST_AUTO_TEST_CASE(a_target_can_be_paused_by_hand_with_or_without_a_breaker) {
    for (const bool with_breaker : {true, false}) {
        Rig rig;
        const auto target = with_breaker ? rig.guarded("a") : rig.target("a");
        rig.dispatcher->set_targets({target});
        rig.run();
        rig.dispatcher->pause({"a"}, "by hand");
        rig.store.add("a");
        rig.dispatcher->wake({{"a"}});
        BOOST_TEST(rig.answer_all(200) == 0);
        BOOST_TEST(rig.gate("a").reason == "by hand");
        rig.run();
        rig.restart();
        rig.dispatcher->set_targets({target});
        BOOST_TEST(rig.answer_all(200) == 0);
        rig.dispatcher->resume({"a"});
        BOOST_TEST(rig.answer_all(200) == 1);
        BOOST_CHECK(rig.breaker("a") == Breaker::State::Closed);
    }
}

BOOST_AUTO_TEST_CASE(a_rate_limit_is_kept_and_the_sleep_ends_at_the_next_token) {
    Rig rig;
    for (int i = 0; i < 100; ++i) rig.store.add("a");
    rig.dispatcher->set_targets({rig.limited("a", {10, 1s})});
    int sent = 0;
    const auto start = rig.clock.now();
    while (rig.clock.now() < start + 5s) {
        const auto pause = rig.run();
        for (; rig.transport->waiting() > 0; ++sent) rig.transport->answer(0, 200);
        rig.run();
        BOOST_REQUIRE(pause > 0ms);
        rig.clock.advance(std::min<milliseconds>(pause, 1s));
    }
    BOOST_TEST(sent <= 51);
    BOOST_TEST(sent >= 45);
    const auto hold = rig.gate("a").hold(rig.clock.now() - 50ms);
    BOOST_REQUIRE(hold.has_value());
    BOOST_CHECK(hold->by == Hold::By::RateLimit);
}

BOOST_AUTO_TEST_CASE(a_pause_ordered_while_the_store_is_away_is_not_undone_by_what_is_read_later) {
    Rig rig;
    rig.store.add("a");
    rig.dispatcher->set_targets({rig.guarded("a")});
    rig.dispatcher->pause({"a"}, "first");
    rig.run();
    rig.dispatcher->resume({"a"});
    rig.run();
    rig.restart();
    rig.store.failing = true;
    rig.dispatcher->set_targets({rig.guarded("a")});
    rig.dispatcher->pause({"a"}, "by hand");
    rig.run();
    rig.store.failing = false;
    rig.clock.advance(2s);
    rig.run();
    BOOST_TEST(rig.transport->waiting() == 0u);
    BOOST_CHECK(rig.breaker("a") == Breaker::State::Paused);
}

BOOST_AUTO_TEST_CASE(restarts_give_a_target_no_more_than_its_rate) {
    Rig rig;
    for (int i = 0; i < 50; ++i) rig.store.add("a");
    int sent = 0;
    for (int i = 0; i < 10; ++i) {
        rig.restart();
        rig.dispatcher->set_targets({rig.limited("a", {2, 10s})});
        sent += rig.answer_all(200);
        rig.clock.advance(1s);
    }
    BOOST_TEST(sent <= 2);
}

BOOST_AUTO_TEST_CASE(a_retry_after_holds_for_the_whole_target_and_over_a_restart) {
    Rig rig;
    for (int i = 0; i < 5; ++i) rig.store.add("a");
    auto target = rig.target("a");
    target.in_flight_max = 1;
    target.retry.floor_after_limit = 0s;
    rig.dispatcher->set_targets({target});
    rig.run();
    rig.transport->answer(0, 429, "", {{"Retry-After", "30"}});
    BOOST_CHECK(rig.run() == 30s);
    BOOST_CHECK(rig.gate("a").hold(rig.clock.now())->by == Hold::By::RetryAfter);
    rig.restart();
    rig.dispatcher->set_targets({target});
    BOOST_CHECK(rig.run() == 30s);
    BOOST_TEST(rig.transport->waiting() == 0u);
    rig.clock.advance(30s);
    BOOST_TEST(rig.answer_all(200) == 5);
}

BOOST_AUTO_TEST_CASE(a_retry_after_as_a_date_holds_too_and_is_never_longer_than_the_longest_wait) {
    Rig rig;
    rig.store.add("a");
    rig.store.add("a");
    auto target = rig.target("a");
    target.in_flight_max = 1;
    target.retry.floor_after_limit = 0s;
    target.retry.wait_max = 1h;
    rig.dispatcher->set_targets({target});
    rig.run();
    rig.transport->answer(
        0, 429, "", {{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}, {"Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT"}});
    BOOST_CHECK(rig.run() == 60s);
    rig.clock.advance(60s);
    rig.run();
    rig.transport->answer(0, 429, "", {{"Retry-After", "86400"}});
    BOOST_CHECK(rig.run() == 1h);
}

BOOST_AUTO_TEST_CASE(targets_that_are_taken_away_are_not_shown_any_more) {
    Rig rig;
    rig.dispatcher->set_targets({rig.target("a"), rig.target("b")});
    rig.run();
    BOOST_TEST(rig.dispatcher->views().size() == 2u);
    rig.dispatcher->set_targets({rig.target("b")});
    rig.run();
    BOOST_TEST(rig.dispatcher->views().size() == 1u);
    BOOST_CHECK(!rig.dispatcher->view({"a"}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
