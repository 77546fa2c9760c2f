#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/record/rate_limit.h"
#include "bridge/run/source_client.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// Pure: which requests a rate allows. One counts from its beginning until a period after its end, because nobody
/// knows when in between it arrives: so no `per` at the other side sees more than `requests`, however long the way is.
class RequestWindow {
public:
    explicit RequestWindow(RateLimit limit) : limit_(limit) {}

    /// When the next may begin. Nothing: not before one that is on its way has ended.
    std::optional<TimePoint> next(TimePoint now);
    void begin() { ++under_way_; }
    void end(TimePoint now);
    const RateLimit& limit() const { return limit_; }

private:
    RateLimit limit_;
    int under_way_ = 0;
    std::deque<TimePoint> until_;  ///< of those that have ended: when they count no more
};

/// Lets requests through in the order in which they came. Safe from any thread. The clock must outlive it.
class RequestGate {
public:
    RequestGate(RateLimit limit, const Clock& clock) : clock_(clock), window_(limit) {}

    /// Waits for its turn. False: it was closed meanwhile, and leave() must not be called.
    bool enter();
    void leave();
    void set_open(bool open);
    const RateLimit& limit() const { return window_.limit(); }

private:
    const Clock& clock_;
    std::mutex mutex_;
    std::condition_variable changed_;
    RequestWindow window_;
    bool open_ = true;
    std::uint64_t last_ticket_ = 0;
    std::deque<std::uint64_t> waiting_;  ///< tickets; the first one's turn comes next
};

/// `rate` of sources: those that show the same credentials to the same server share one gate, at the lowest of their
/// rates, and so do those of them that have none of their own. Safe from any thread. The clock must outlive it.
class RequestRates {
public:
    explicit RequestRates(const Clock& clock) : clock_(clock) {}

    /// Opens. What a gate has let through before goes on to count.
    void configure(const std::vector<SourceSettings>& sources);
    /// Whoever waits is let go with a failure, and so is whoever comes.
    void close();
    /// `send`, in its turn.
    Exchanger limited(const SourceSettings& source, Exchanger send) const;

private:
    const Clock& clock_;
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<RequestGate>> gates_;  ///< by who asks whom
};

/// Who asks whom: server and credentials. Not for anybody's eyes.
std::string asker_of(const SourceSettings& source);

}  // namespace orbridge
