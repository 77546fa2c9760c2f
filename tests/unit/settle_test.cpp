#include "bridge/record/settle.h"

#include <boost/test/unit_test.hpp>

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

constexpr double kMiddle = 0.5;  // no jitter
constexpr TimePoint kNow{1'000'000s};

/// How long settle() waits; -1 ms if it does not try again.
milliseconds wait(const Retry& retry, int attempts_made, const RetryPolicy& policy = default_retry_policy(),
                  double random = kMiddle) {
    const auto settlement = settle(retry, attempts_made, policy, kNow, random);
    const auto* again = std::get_if<RetryAt>(&settlement);
    return again != nullptr ? again->due - kNow : -1ms;
}

Retry trouble() { return {.reason = "HTTP 503"}; }

}  // namespace

BOOST_AUTO_TEST_SUITE(settle_outcome)

BOOST_AUTO_TEST_CASE(what_arrived_is_finished) {
    BOOST_TEST(std::holds_alternative<Finished>(settle(Delivered{}, 1, default_retry_policy(), kNow, 0)));
    BOOST_TEST(std::holds_alternative<Finished>(settle(Delivered{"job", true}, 99, RetryPolicy{}, kNow, 0)));
}

BOOST_AUTO_TEST_CASE(what_can_never_arrive_is_dead_at_once) {
    const auto settlement = settle(Rejected{"HTTP 413"}, 1, default_retry_policy(), kNow, kMiddle);
    BOOST_TEST(std::get<Dead>(settlement).reason == "HTTP 413");
}

BOOST_AUTO_TEST_CASE(each_attempt_waits_its_step_of_the_schedule_and_then_gives_up) {
    const std::vector<milliseconds> steps = {1s, 5s, 15s, 1min, 5min, 15min, 1h, 3h, 6h, 12h, 24h};
    for (std::size_t i = 0; i < steps.size(); ++i)
        BOOST_TEST(wait(trouble(), static_cast<int>(i) + 1).count() == steps[i].count());
    const auto settlement = settle(trouble(), 12, default_retry_policy(), kNow, kMiddle);
    BOOST_TEST(std::get<Dead>(settlement).reason == "HTTP 503");
}

BOOST_AUTO_TEST_CASE(an_empty_schedule_means_one_attempt) {
    BOOST_TEST(wait(trouble(), 1, RetryPolicy{}).count() == -1);
}

BOOST_AUTO_TEST_CASE(a_count_below_one_is_the_first_attempt) {
    BOOST_TEST(wait(trouble(), 0).count() == 1000);
    BOOST_TEST(wait(trouble(), -7).count() == 1000);
}

BOOST_AUTO_TEST_CASE(jitter_spreads_a_wait_by_its_share_both_ways) {
    const auto policy = default_retry_policy();
    BOOST_TEST(wait(trouble(), 4, policy, 0.0).count() == 48'000);
    BOOST_TEST(wait(trouble(), 4, policy, 0.5).count() == 60'000);
    BOOST_TEST(wait(trouble(), 4, policy, 0.999999).count() <= 72'000);
    for (int i = 0; i < 1000; ++i) {
        const auto waited = wait(trouble(), 4, policy, i / 1000.0);
        BOOST_TEST((waited >= 48s && waited <= 72s));
    }
}

BOOST_AUTO_TEST_CASE(retry_after_is_a_lower_bound_that_jitter_does_not_shorten) {
    const Retry asked{.reason = "HTTP 503", .at_least = 90s};
    BOOST_TEST(wait(asked, 1, default_retry_policy(), 0.0).count() == 90'000);
    BOOST_TEST(wait(asked, 5, default_retry_policy(), kMiddle).count() == 300'000);  // the step is longer
}

BOOST_AUTO_TEST_CASE(no_wait_is_longer_than_a_day) {
    const Retry asked{.reason = "HTTP 503", .at_least = std::chrono::hours(100)};
    BOOST_TEST((wait(asked, 1) == 24h));
    BOOST_TEST((wait(trouble(), 11, default_retry_policy(), 0.999) == 24h));
}

BOOST_AUTO_TEST_CASE(limits_and_timeouts_wait_a_minute_at_least) {
    for (const auto why : {Retry::Why::RateLimited, Retry::Why::Timeout}) {
        BOOST_TEST((wait({.reason = "r", .why = why}, 1) == 60s));
        BOOST_TEST((wait({.reason = "r", .why = why, .at_least = 5s}, 1) == 60s));
        BOOST_TEST((wait({.reason = "r", .why = why, .at_least = 90s}, 1) == 90s));
        BOOST_TEST((wait({.reason = "r", .why = why}, 7) == 1h));
    }
}

BOOST_AUTO_TEST_CASE(a_misconfiguration_is_retried_on_the_same_schedule) {
    const Retry wrong{.reason = "HTTP 401", .why = Retry::Why::Misconfigured};
    BOOST_TEST((wait(wrong, 1) == 1s));
    BOOST_TEST((wait(wrong, 11) == 24h));
    BOOST_TEST((wait(wrong, 12) == -1ms));
}

BOOST_AUTO_TEST_CASE(the_policys_own_cap_wins_over_its_floor) {
    RetryPolicy policy{.schedule = {1s}, .wait_max = 10s};
    BOOST_TEST((wait({.reason = "r", .why = Retry::Why::Timeout}, 1, policy) == 10s));
}

BOOST_AUTO_TEST_SUITE_END()
