#include <boost/test/unit_test.hpp>
#include <deque>
#include <functional>
#include <latch>

#include "bridge/deliver/dispatcher.h"
#include "bridge/receive/handler_pool.h"
#include "tests/support/dispatcher_rig.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;

/// Attempts of the route `slow`, and of no route, are carried out by a thread.
class SlowRecipe final : public test::PlainRecipe {
public:
    std::function<Performed(const Delivery&, const std::stop_token&)> work;

    bool blocks(const std::string& route) const override { return route != "quick"; }
    Performed perform(const Delivery& delivery, const std::string&, Transport&,
                      const std::stop_token& stop) const override {
        return work(delivery, stop);
    }
};

/// Its threads are the test, which does the jobs when it likes.
struct Rig : test::DispatcherRig {
    explicit Rig(std::size_t room = 10) : DispatcherRig({.stop_timeout = 10s}) {
        recipe = slow;
        slow->work = [](const Delivery&, const std::stop_token&) { return Performed{.outcome = Delivered{}}; };
        dispatcher.set_threads({.run =
                                    [this, room](std::function<void()> job) {
                                        if (jobs.size() >= room) return false;
                                        jobs.push_back(std::move(job));
                                        return true;
                                    },
                                .stop = [this] { jobs.clear(); }});
    }
    void work() {
        const auto job = std::move(jobs.front());
        jobs.pop_front();
        job();
    }

    std::shared_ptr<SlowRecipe> slow = std::make_shared<SlowRecipe>();
    std::deque<std::function<void()>> jobs;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(dispatcher_threads)

BOOST_AUTO_TEST_CASE(an_attempt_that_blocks_is_carried_out_by_a_thread_and_recorded_as_any_other) {
    Rig rig;
    rig.slow->work = [&](const Delivery& delivery, const std::stop_token&) {
        rig.clock.advance(40ms);
        return Performed{.outcome = Delivered{.reference = "of " + delivery.event.payload},
                         .answered = true,
                         .status = 207,
                         .answer = "what it said"};
    };
    rig.store.add("a", {}, "payload");
    rig.targets({"a"});
    rig.run();
    BOOST_TEST(rig.transport.waiting() == 0u);
    BOOST_TEST(rig.dispatcher.in_flight() == 1);
    rig.work();
    rig.run();
    rig.run();
    const auto& row = rig.store.row(1);
    BOOST_TEST(row.state == "delivered");
    BOOST_TEST(row.reference == "of payload");
    BOOST_TEST(row.attempts.at(0).status == 207);
    BOOST_TEST(row.attempts.at(0).answer == "what it said");
    BOOST_CHECK(row.attempts.at(0).duration == 40ms);
    BOOST_TEST(rig.dispatcher.in_flight() == 0);
}

BOOST_AUTO_TEST_CASE(its_failures_are_tried_again_and_doubts_are_kept) {
    Rig rig;
    rig.slow->work = [](const Delivery&, const std::stop_token&) {
        return Performed{.outcome = Retry{.reason = "no answer", .unclear = true}};
    };
    rig.store.add("a");
    rig.targets({"a"});
    rig.run();
    rig.work();
    rig.run();
    BOOST_CHECK(rig.run() == 1s);
    BOOST_TEST(rig.store.row(1).delivery.unclear);
    rig.clock.advance(1s);
    rig.slow->work = [](const Delivery& delivery, const std::stop_token&) {
        BOOST_TEST(delivery.unclear);
        return Performed{.outcome = Rejected{"never"}, .answered = true};
    };
    rig.run();
    rig.work();
    rig.run();
    rig.run();
    BOOST_TEST(rig.store.row(1).state == "dead");
    BOOST_TEST(rig.store.row(1).attempts.at(1).reason == "never");
}

BOOST_AUTO_TEST_CASE(order_is_kept_and_other_targets_go_on_while_a_thread_works) {
    Rig rig;
    rig.store.add("a", "x");
    rig.store.add("a", "x");
    rig.store.add("b", "x");
    rig.targets({"a", "b"});
    rig.run();
    BOOST_TEST(rig.jobs.size() == 2u);
    rig.work();
    rig.work();
    rig.run();
    rig.run();
    BOOST_TEST(rig.store.row(1).state == "delivered");
    BOOST_TEST(rig.store.row(3).state == "delivered");
    BOOST_TEST(rig.jobs.size() == 1u);
}

BOOST_AUTO_TEST_CASE(without_a_free_thread_it_stays_due_and_is_no_attempt) {
    Rig rig(1);
    rig.store.add("a");
    rig.store.add("a");
    rig.targets({"a"});
    BOOST_CHECK(rig.run() == 1s);
    BOOST_TEST(rig.jobs.size() == 1u);
    BOOST_TEST(rig.dispatcher.in_flight() == 1);
    BOOST_TEST(rig.store.row(2).token == 0u);
    rig.work();
    rig.run();
    rig.clock.advance(1s);
    rig.run();
    BOOST_TEST(rig.store.row(1).state == "delivered");
    BOOST_TEST(rig.jobs.size() == 1u);
    BOOST_TEST(rig.store.row(2).attempts.empty());
}

BOOST_AUTO_TEST_CASE(a_stop_waits_for_threads_and_gives_back_what_they_had_not_begun) {
    Rig rig;
    rig.slow->work = [&](const Delivery& delivery, const std::stop_token&) {
        return Performed{.outcome = Delivered{}, .not_begun = delivery.id.value == "d2"};
    };
    for (int i = 0; i < 3; ++i) rig.store.add("a");
    rig.targets({"a"});
    rig.run();
    rig.work();
    rig.transport.on_poll = [&] {
        rig.work();
        rig.clock.advance(11s);
    };
    rig.dispatcher.finish();
    rig.record();
    BOOST_TEST(rig.store.row(1).state == "delivered");
    for (std::size_t i = 2; i <= 3; ++i) {
        BOOST_TEST(rig.store.row(i).state == "pending");
        BOOST_TEST(rig.store.row(i).token == 0u);
        BOOST_TEST(rig.store.row(i).attempts.empty());
    }
    BOOST_TEST(rig.dispatcher.in_flight() == 0);
}

BOOST_AUTO_TEST_CASE(a_thread_that_works_on_is_told_to_stop_and_waited_for) {
    test::DispatcherRig rig({.stop_timeout = 0s});
    HandlerPool pool(2, 2, 1s);
    const auto slow = std::make_shared<SlowRecipe>();
    std::latch begun(1);
    slow->work = [&](const Delivery&, const std::stop_token& stop) {
        std::latch stopped(1);
        const std::stop_callback call(stop, [&] { stopped.count_down(); });
        begun.count_down();
        stopped.wait();
        return Performed{.outcome = Retry{.reason = "stopped", .unclear = true}};
    };
    rig.recipe = slow;
    rig.dispatcher.set_threads(
        {.run = [&](std::function<void()> job) { return pool.submit(std::move(job)); }, .stop = [&] { pool.stop(); }});
    rig.store.add("a");
    rig.targets({"a"});
    rig.run();
    begun.wait();
    rig.dispatcher.finish();
    rig.record();
    BOOST_TEST(rig.dispatcher.in_flight() == 0);
    BOOST_TEST(rig.store.row(1).attempts.at(0).reason == "stopped");
    BOOST_TEST(rig.store.row(1).delivery.unclear);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
