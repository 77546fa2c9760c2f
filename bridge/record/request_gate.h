#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

#include "bridge/core/clock.h"
#include "bridge/record/rate_limit.h"

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
    /// For who must not wait. Nothing: it has entered. Else when to ask again: there is one place in the queue for all
    /// who ask so, which is given up if nobody has asked by a second after that.
    std::optional<TimePoint> try_enter();
    void leave();
    void set_open(bool open);
    const RateLimit& limit() const { return window_.limit(); }

private:
    using Ticket = std::uint64_t;  ///< 0: none
    Ticket queue();
    void give_up_unasked(TimePoint now);

    const Clock& clock_;
    std::mutex mutex_;
    std::condition_variable changed_;
    RequestWindow window_;
    bool open_ = true;
    Ticket last_ticket_ = 0;
    std::deque<Ticket> waiting_;  ///< the first one's turn comes next
    Ticket asking_ = 0;           ///< of those who do not wait
    TimePoint asked_until_{};     ///< when their place is given up
};

}  // namespace orbridge
