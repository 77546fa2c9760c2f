#include "bridge/record/settle.h"

#include <algorithm>
#include <cmath>

#include "bridge/core/result.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;

milliseconds spread(milliseconds wait, double jitter, double random) {
    const auto factor = 1.0 + jitter * (2.0 * random - 1.0);
    return milliseconds(std::llround(static_cast<double>(wait.count()) * factor));
}

/// The other side's Retry-After is a lower bound, and wait_max the upper one of everything.
milliseconds wait_after(const Retry& retry, milliseconds step, const RetryPolicy& policy, double random) {
    auto wait = std::max(spread(step, policy.jitter, random), retry.at_least);
    const bool has_floor = retry.why == Retry::Why::RateLimited || retry.why == Retry::Why::Timeout;
    if (has_floor) wait = std::max(wait, policy.floor_after_limit);
    return std::min(wait, policy.wait_max);
}

}  // namespace

RetryPolicy default_retry_policy() {
    RetryPolicy policy;
    policy.schedule = {1s, 5s, 15s, 1min, 5min, 15min, 1h, 3h, 6h, 12h, 24h};
    return policy;
}

Settlement settle(const Outcome& outcome, int attempts_made, const RetryPolicy& policy, TimePoint now, double random) {
    return std::visit(Overloaded{[](const Delivered&) -> Settlement { return Finished{}; },
                                 [&](const Advanced&) -> Settlement { return RetryAt{now}; },
                                 [](const Rejected& rejected) -> Settlement { return Dead{rejected.reason}; },
                                 [&](const Retry& retry) -> Settlement {
                                     const auto made = static_cast<std::size_t>(std::max(attempts_made, 1));
                                     if (made > policy.schedule.size()) return Dead{retry.reason};
                                     return RetryAt{now + wait_after(retry, policy.schedule[made - 1], policy, random)};
                                 }},
                      outcome);
}

}  // namespace orbridge
