#include "bridge/receive/handler_pool.h"

#include <boost/test/unit_test.hpp>
#include <future>
#include <memory>
#include <thread>

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

/// A job that runs until it is released.
class Held {
public:
    HandlerPool::Job job() {
        return [this] {
            started_.set_value();
            released_.get_future().wait();
        };
    }
    void wait_until_started() { started_.get_future().wait(); }
    void release() { released_.set_value(); }

private:
    std::promise<void> started_;
    std::promise<void> released_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(handler_pool)

BOOST_AUTO_TEST_CASE(jobs_run_beside_each_other_up_to_the_limit_and_wait_beyond_it) {
    HandlerPool pool(2, 1, 1s);
    Held first;
    Held second;
    BOOST_TEST(pool.submit(first.job()));
    BOOST_TEST(pool.submit(second.job()));
    first.wait_until_started();
    second.wait_until_started();
    std::promise<void> third;
    BOOST_TEST(pool.submit([&] { third.set_value(); }));
    BOOST_TEST(!pool.submit([] {}));
    first.release();
    third.get_future().wait();
    second.release();
}

BOOST_AUTO_TEST_CASE(a_thread_that_ended_idle_is_replaced) {
    HandlerPool pool(1, 0, 0ms);
    for (int i = 0; i < 50; ++i) {
        std::promise<void> done;
        while (!pool.submit([&] { done.set_value(); })) std::this_thread::yield();
        done.get_future().wait();
    }
}

BOOST_AUTO_TEST_CASE(stopping_waits_for_what_runs_and_drops_what_waits) {
    HandlerPool pool(1, 5, 1s);
    Held running;
    BOOST_TEST(pool.submit(running.job()));
    running.wait_until_started();
    auto waiting = std::make_shared<std::promise<void>>();
    auto dropped = waiting->get_future();
    BOOST_TEST(pool.submit([waiting] { waiting->set_value(); }));
    waiting.reset();
    auto stopped = std::async(std::launch::async, [&] { pool.stop(); });
    BOOST_CHECK_THROW(dropped.get(), std::future_error);  // its promise is gone
    running.release();
    stopped.wait();
    BOOST_TEST(!pool.submit([] {}));
}

BOOST_AUTO_TEST_SUITE_END()
