#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "bridge/deliver/resolver.h"

namespace orbridge {

/// A resolver for threads that wait for the answer, as long as they like and no longer, however long the lookup takes.
/// Safe from any thread.
class WaitingResolver {
public:
    explicit WaitingResolver(Resolve lookup, ResolverSettings settings = {});

    /// What a name resolves to; an address is itself. Unavailable: it could not be found in time, or a stop was asked
    /// for.
    Result<Resolver::Addresses> find(const std::string& host, std::chrono::steady_clock::time_point until,
                                     const std::stop_token& stop);

private:
    struct Waiter {
        std::string host;
        std::optional<Result<Resolver::Addresses>> answer{};
    };
    void hand_out();

    std::mutex mutex_;
    std::condition_variable_any answered_;
    std::list<Waiter*> waiters_;
    std::atomic<bool> has_answers_{false};
    Resolver resolver_;  ///< last: its threads tell of answers until it is gone
};

}  // namespace orbridge
