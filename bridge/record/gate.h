#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bridge/core/clock.h"
#include "bridge/core/delivery.h"
#include "bridge/record/breaker.h"
#include "bridge/record/rate_limit.h"

namespace orbridge {

/// How much a target may be asked.
struct GatePolicy {
    int in_flight_max = 10;
    RateLimit rate;                                 ///< of attempts
    std::optional<BreakerPolicy> breaker;           ///< nothing: off
    milliseconds wait_max{std::chrono::hours{24}};  ///< caps Retry-After
};

/// What holds a target back.
struct Hold {
    enum class By { Paused, Breaker, Probe, RetryAfter, RateLimit };
    By by = By::Breaker;
    std::optional<TimePoint> until;  ///< nothing: until a probe ends, or somebody resumes it
    std::string reason;
};

/// A target's gate as seen from outside. A copy; it stays true as time passes.
struct GateState {
    int in_flight_max = 0;
    int allowance = 0;  ///< less than in_flight_max after a start or a recovery
    RateLimit rate;
    bool has_breaker = false;
    bool paused = false;
    std::optional<TimePoint> open_until;     ///< past: half-open
    std::optional<TimePoint> failing_since;  ///< without one success
    std::optional<TimePoint> wait_until;     ///< Retry-After
    std::optional<TimePoint> next_token;     ///< the rate limit was reached
    std::string reason;                      ///< the last failure, or why it is paused

    Breaker::State breaker(TimePoint now) const;
    std::optional<Hold> hold(TimePoint now) const;
};

const char* to_text(Hold::By by);
/// `the breaker until 2026-…: HTTP 503`: what follows "deferred by".
std::string sentence(const Hold& hold);

/// Decides how many deliveries of one target may start: cap, breaker, rate limit and the target's own
/// Retry-After together. Pure: times are passed in. One thread.
class Gate {
public:
    /// Keeps what it knows; only the rules change.
    void configure(const GatePolicy& policy);

    /// How many more may start.
    int room(TimePoint now, int in_flight);
    /// When there is room if there is none now and no attempt ends; nothing if only that, or a hand, makes room.
    std::optional<TimePoint> opens(TimePoint now, int in_flight);
    /// What starts now is a probe.
    bool probing(TimePoint now) const { return policy_.breaker && breaker_.state(now) == Breaker::State::HalfOpen; }
    void started(int count, TimePoint now);
    struct Change {
        bool breaker = false;  ///< opened, closed or paused
        bool waits = false;    ///< asked to be left alone
        bool looks = false;    ///< state() is another
    };
    /// `answered`: the target itself said so, not something on the way.
    Change ended(const Outcome& outcome, bool answered, TimePoint now);

    bool pause(std::string reason);
    bool resume(TimePoint now);
    void start_slowly() { breaker_.start_slowly(); }

    GateState state(TimePoint now) const;
    /// Nothing is known that would have to be remembered.
    bool at_rest(TimePoint now) const;

    /// What must survive a restart, as JSON text, and back. After restore() the rate begins empty: nobody knows
    /// what was used.
    std::string save() const;
    void restore(std::string_view saved);

private:
    int allowance(TimePoint now) const;
    bool wait(milliseconds at_least, TimePoint now);

    GatePolicy policy_;
    Breaker breaker_;
    TokenBucket bucket_;
    std::optional<TimePoint> wait_until_;
    std::optional<TimePoint> next_token_;
};

}  // namespace orbridge
