#include "bridge/deliver/waiting_resolver.h"

#include <algorithm>
#include <utility>

namespace orbridge {

// The resolver calls while it holds its own lock, which is taken here within ours: so this is told without ours.
WaitingResolver::WaitingResolver(Resolve lookup, ResolverSettings settings)
    : resolver_(std::move(lookup), settings, [this] {
          has_answers_ = true;
          answered_.notify_all();
      }) {}

Result<Resolver::Addresses> WaitingResolver::find(const std::string& host, std::chrono::steady_clock::time_point until,
                                                  const std::stop_token& stop) {
    if (const auto address = parse_ip(host)) return Resolver::Addresses{*address};
    std::unique_lock lock(mutex_);
    auto known = resolver_.find(host);
    if (!known) return known.error();
    if (*known) return **std::move(known);
    Waiter waiter{.host = host};
    waiters_.push_back(&waiter);
    while (!waiter.answer && !stop.stop_requested() && std::chrono::steady_clock::now() < until) {
        // In slices, as an answer may be told of between the look and the wait.
        const auto slice = std::chrono::steady_clock::now() + milliseconds{50};
        answered_.wait_until(lock, stop, std::min(until, slice), [this] { return has_answers_.load(); });
        hand_out();
    }
    waiters_.remove(&waiter);
    if (waiter.answer) return *std::move(waiter.answer);
    const bool wanted = std::any_of(waiters_.begin(), waiters_.end(), [&](auto* each) { return each->host == host; });
    if (!wanted) resolver_.forget(host);
    return Error{Error::Kind::Unavailable, "cannot resolve " + host + ": no answer in time"};
}

void WaitingResolver::hand_out() {
    if (!has_answers_.exchange(false)) return;
    bool any = false;
    for (auto& answer : resolver_.answers()) {
        for (auto* waiter : waiters_) {
            if (waiter->host == answer.host) waiter->answer = answer.addresses;
            any = true;
        }
    }
    if (any) answered_.notify_all();
}

}  // namespace orbridge
