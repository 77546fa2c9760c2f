#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "bridge/core/clock.h"
#include "bridge/run/source_client.h"

namespace orbridge {

/// For sources that ask the same with the same credentials: one asks, and the others are given its answer. Requests
/// are the same if url and headers are, the credentials among them, so nothing crosses from one owner to another.
/// Safe from any thread. The clock must outlive it.
class SharedFetches : public std::enable_shared_from_this<SharedFetches> {
public:
    explicit SharedFetches(const Clock& clock) : clock_(clock) {}

    /// `send`, or the answer that the same request got no longer ago than `fresh_for`, or is about to get. A failure
    /// goes to those only who wait for it.
    Exchanger share(Exchanger send, milliseconds fresh_for);

private:
    struct Fetch {
        bool done = false;
        TimePoint at{};
        Exchange exchange{};
    };
    Exchange fetch(const Exchanger& send, HttpRequest request, milliseconds fresh_for);

    const Clock& clock_;
    std::mutex mutex_;
    std::condition_variable done_;
    std::map<std::string, std::shared_ptr<Fetch>> fetches_;  ///< by request
    milliseconds kept_for_{0};                               ///< the longest that anybody wants
};

}  // namespace orbridge
