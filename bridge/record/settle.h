#pragma once

#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/delivery.h"

namespace orbridge {

/// When to try again. attempts_max = schedule.size() + 1.
struct RetryPolicy {
    std::vector<milliseconds> schedule;                        ///< wait after the 1st, 2nd … attempt
    double jitter = 0.2;                                       ///< each wait is spread by ± this share
    milliseconds floor_after_limit{std::chrono::seconds{60}};  ///< least wait after 429 or a timeout
    milliseconds wait_max{std::chrono::hours{24}};             ///< also caps Retry-After
};

/// 1 s, 5 s, 15 s, 1 m, 5 m, 15 m, 1 h, 3 h, 6 h, 12 h, 24 h (DESIGN §8).
RetryPolicy default_retry_policy();

/// The one place that decides what follows from an attempt. `attempts_made` counts the one just ended, and of a
/// delivery of several steps only those at this step; `random` in [0, 1).
Settlement settle(const Outcome& outcome, int attempts_made, const RetryPolicy& policy, TimePoint now, double random);

}  // namespace orbridge
