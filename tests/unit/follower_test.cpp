#include "bridge/deliver/follower.h"

#include <boost/test/unit_test.hpp>

#include "tests/support/delivery_fakes.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;

struct Rig {
    Rig() {
        recipe->follows = true;
        follower.set_targets({{{"a"}, recipe}});
        follower.when_work([this] { ++wakes; });
        follower.when_ended([this](const FollowedJob& job) { ended.push_back(job.state); });
        store.jobs[{"d1"}] = {.delivery = {"d1"},
                              .target = {"a"},
                              .job = "j1",
                              .state = "waiting",
                              .result = {},
                              .checks = 0,
                              .next_check_at = clock.now()};
    }
    FollowedJob& job() { return store.jobs.at({"d1"}); }
    milliseconds check(int status, const std::string& body) {
        follower.step();
        transport.answer(0, status, body);
        return follower.step();
    }

    test::ManualClock clock;
    Log log{clock, Log::Level::Debug, to_nowhere()};
    test::DeliveryStore store;
    test::ScriptedTransport transport;
    std::shared_ptr<test::PlainRecipe> recipe = std::make_shared<test::PlainRecipe>();
    Follower follower{store, transport, clock, log};
    int wakes = 0;
    std::vector<std::string> ended;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(follower)

BOOST_AUTO_TEST_CASE(a_job_is_asked_for_less_and_less_often_until_it_ends) {
    Rig rig;
    for (const auto gap : {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s}) {
        BOOST_CHECK(rig.check(200, "running") == gap);
        BOOST_TEST(rig.transport.waiting() == 0u);
        rig.clock.advance(gap);
    }
    rig.check(200, "succeeded");
    BOOST_TEST(rig.job().state == "succeeded");
    BOOST_TEST(rig.ended == std::vector<std::string>{"succeeded"}, boost::test_tools::per_element());
    BOOST_CHECK(rig.follower.step() > 1h);
}

BOOST_AUTO_TEST_CASE(answers_wake_the_follower) {
    Rig rig;
    rig.follower.step();
    BOOST_TEST(rig.wakes == 0);
    rig.transport.answer(0, 200, "running");
    BOOST_TEST(rig.wakes == 1);
}

BOOST_AUTO_TEST_CASE(a_job_in_flight_is_not_asked_for_twice) {
    Rig rig;
    for (int i = 0; i < 3; ++i) rig.follower.step();
    BOOST_TEST(rig.transport.waiting() == 1u);
}

BOOST_AUTO_TEST_CASE(a_failure_to_ask_is_a_check_without_news) {
    Rig rig;
    rig.follower.step();
    rig.transport.fail(0, TransportFailure::Reached::NothingSent);
    rig.follower.step();
    BOOST_TEST(rig.job().state == "waiting");
    BOOST_TEST(rig.job().checks == 1);
}

BOOST_AUTO_TEST_CASE(an_unknown_job_is_lost) {
    Rig rig;
    rig.check(404, "");
    BOOST_TEST(rig.job().state == "lost");
}

BOOST_AUTO_TEST_CASE(a_job_nobody_ends_is_given_up_after_thirty_days) {
    Rig rig;
    auto waited = 0ms;
    while (rig.job().state == "waiting") {
        const auto pause = rig.check(200, "waiting");
        rig.clock.advance(pause);
        waited += pause;
    }
    BOOST_TEST(rig.job().state == "lost");
    BOOST_CHECK(waited >= 30 * 24h);
    BOOST_CHECK(waited <= 32 * 24h);
}

BOOST_AUTO_TEST_CASE(a_job_of_a_target_that_is_gone_stays_and_is_asked_for_when_it_is_back) {
    Rig rig;
    rig.follower.set_targets({});
    rig.follower.step();
    rig.follower.step();
    BOOST_TEST(rig.transport.waiting() == 0u);
    BOOST_TEST(rig.job().checks == 1);
    rig.follower.set_targets({{{"a"}, rig.recipe}});
    rig.clock.advance(1s);
    rig.follower.step();
    BOOST_TEST(rig.transport.waiting() == 1u);
}

BOOST_AUTO_TEST_CASE(news_that_cannot_be_stored_is_asked_for_again) {
    Rig rig;
    rig.follower.step();
    rig.store.failing = true;
    rig.transport.answer(0, 200, "succeeded");
    BOOST_CHECK(rig.follower.step() == 1s);
    rig.store.failing = false;
    rig.check(200, "succeeded");
    BOOST_TEST(rig.job().state == "succeeded");
    BOOST_TEST(rig.ended.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
