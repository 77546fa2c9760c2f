#include <boost/test/unit_test.hpp>

#include "bridge/record/breaker.h"
#include "bridge/record/rate_limit.h"

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kStart{1'000'000s};

void fail_times(Breaker& breaker, int times, TimePoint at = kStart) {
    for (int i = 0; i < times; ++i) breaker.failed(at, "HTTP 503");
}

void succeed_times(Breaker& breaker, int times, TimePoint at = kStart) {
    for (int i = 0; i < times; ++i) breaker.succeeded(at);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(breaker)

BOOST_AUTO_TEST_CASE(it_opens_at_the_tenth_failure_in_a_row) {
    Breaker breaker;
    fail_times(breaker, 9);
    BOOST_TEST((breaker.state(kStart) == Breaker::State::Closed));
    fail_times(breaker, 1);
    BOOST_TEST((breaker.state(kStart) == Breaker::State::Open));
    BOOST_TEST(breaker.allowance(kStart, 10) == 0);
    BOOST_TEST((breaker.next_change(kStart) == kStart + 10s));
}

BOOST_AUTO_TEST_CASE(it_opens_when_most_attempts_of_the_window_fail) {
    Breaker breaker;
    for (int round = 0; round < 3; ++round) {
        fail_times(breaker, 2);
        breaker.succeeded(kStart);
    }
    BOOST_TEST((breaker.state(kStart) == Breaker::State::Closed));  // 6 of 9, and 9 are too few to judge
    breaker.failed(kStart, "HTTP 503");
    BOOST_TEST((breaker.state(kStart) == Breaker::State::Open));
}

BOOST_AUTO_TEST_CASE(failures_older_than_the_window_do_not_count) {
    Breaker breaker;
    fail_times(breaker, 8);
    breaker.succeeded(kStart);
    breaker.failed(kStart + 6min, "HTTP 503");
    BOOST_TEST((breaker.state(kStart + 6min) == Breaker::State::Closed));
}

BOOST_AUTO_TEST_CASE(one_probe_is_let_through_and_its_failure_opens_for_twice_as_long) {
    Breaker breaker;
    fail_times(breaker, 10);
    const auto later = kStart + 10s;
    BOOST_TEST((breaker.state(later) == Breaker::State::HalfOpen));
    BOOST_TEST(breaker.allowance(later, 10) == 1);
    breaker.failed(later, "HTTP 503");
    BOOST_TEST((breaker.next_change(later) == later + 20s));
}

BOOST_AUTO_TEST_CASE(a_clock_that_is_set_back_does_not_keep_it_open_for_longer) {
    Breaker breaker;
    fail_times(breaker, 10);
    BOOST_TEST(breaker.allowance(kStart - 1h, 10) == 1);
}

BOOST_AUTO_TEST_CASE(what_was_in_flight_when_it_opened_does_not_prolong_it) {
    Breaker breaker;
    fail_times(breaker, 15);
    BOOST_TEST((breaker.next_change(kStart) == kStart + 10s));
}

BOOST_AUTO_TEST_CASE(after_closing_it_begins_with_little_and_doubles) {
    Breaker breaker;
    fail_times(breaker, 10);
    breaker.succeeded(kStart + 10s);
    BOOST_TEST(breaker.allowance(kStart + 10s, 100) == 2);
    succeed_times(breaker, 3, kStart + 11s);
    BOOST_TEST(breaker.allowance(kStart + 11s, 100) == 16);
    succeed_times(breaker, 20, kStart + 12s);
    BOOST_TEST(breaker.allowance(kStart + 12s, 1000) == 1000);
}

BOOST_AUTO_TEST_CASE(a_start_begins_gently) { BOOST_TEST(Breaker().allowance(kStart, 10) == 1); }

BOOST_AUTO_TEST_CASE(days_of_failure_pause_it_until_it_is_resumed) {
    Breaker breaker;
    fail_times(breaker, 10);
    breaker.failed(kStart + 5 * 24h, "HTTP 503");
    const auto later = kStart + 30 * 24h;
    BOOST_TEST((breaker.state(later) == Breaker::State::Paused));
    BOOST_TEST(!breaker.next_change(later));
    breaker.resume(later);
    BOOST_TEST(breaker.allowance(later, 10) == 1);
    breaker.succeeded(later);
    BOOST_TEST((breaker.state(later) == Breaker::State::Closed));
}

BOOST_AUTO_TEST_CASE(its_state_survives_a_restart) {
    Breaker breaker;
    fail_times(breaker, 10);
    Breaker again;
    again.restore(breaker.save());
    BOOST_TEST((again.state(kStart) == Breaker::State::Open));
    BOOST_TEST((again.next_change(kStart) == kStart + 10s));
    again.restore("not JSON");
    BOOST_TEST((again.state(kStart) == Breaker::State::Open));
}

BOOST_AUTO_TEST_CASE(a_rejection_and_a_request_for_patience_say_nothing_of_the_target) {
    BOOST_TEST(!target_failed(Rejected{"HTTP 422"}).has_value());
    BOOST_TEST(!target_failed(Retry{"HTTP 429", Retry::Why::RateLimited}).has_value());
    BOOST_TEST(target_failed(Retry{"HTTP 503"}).value());
    BOOST_TEST(!target_failed(Delivered{}).value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(rate_limit)

BOOST_AUTO_TEST_CASE(never_more_than_the_limit_in_any_period) {
    TokenBucket bucket({10, 1s});
    int taken = 0;
    for (int ms = 0; ms < 10'000; ++ms) taken += bucket.take(kStart + milliseconds{ms}) ? 1 : 0;
    BOOST_TEST(taken <= 101);
    BOOST_TEST(taken >= 99);
}

BOOST_AUTO_TEST_CASE(next_says_when_a_token_is_there) {
    TokenBucket bucket({2, 1s});
    BOOST_TEST(bucket.take(kStart));
    BOOST_TEST(!bucket.take(kStart));
    const auto next = bucket.next(kStart);
    BOOST_TEST((next > kStart && next <= kStart + 501ms));
    BOOST_TEST(bucket.take(next));
}

BOOST_AUTO_TEST_CASE(a_clock_that_steps_back_refills_nothing) {
    TokenBucket bucket({1, 1s});
    BOOST_TEST(bucket.take(kStart));
    BOOST_TEST(!bucket.take(kStart - 1h));
    BOOST_TEST(!bucket.take(kStart - 1h + 100ms));
}

BOOST_AUTO_TEST_CASE(no_limit_is_no_limit) {
    TokenBucket bucket;
    for (int i = 0; i < 1'000; ++i) BOOST_TEST(bucket.take(kStart));
}

BOOST_AUTO_TEST_SUITE_END()
