#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/core/clock.h"
#include "bridge/core/delivery.h"

namespace orbridge {

struct BreakerPolicy {
    int failures_in_a_row = 10;  ///< opens at so many …
    double failure_share = 0.7;  ///< … or when this share of the window's attempts failed,
    int share_least = 10;        ///<   if there were at least so many
    milliseconds window{std::chrono::minutes{5}};
    milliseconds open_least{10'000};  ///< first time open; doubled each time a probe fails …
    milliseconds open_most{300'000};  ///< … up to this
    milliseconds pause_after{
        std::chrono::days{5}};  ///< failing without one success for so long: paused, until resumed by hand
};

/// Keeps a target that fails from being asked again and again, and one that heals from being stampeded.
/// What it holds back stays pending and costs no attempt. Pure: times are passed in. One thread.
///
///     closed ── too many failures ──► open ── time passes ──► half-open ── a probe succeeds ──► closed, slowly
///                                      ▲                         │
///                                      └──── the probe fails ────┘     … for days ──► paused
class Breaker {
public:
    enum class State { Closed, Open, HalfOpen, Paused };

    explicit Breaker(BreakerPolicy policy = {}) : policy_(policy) {}

    /// From the next attempt on.
    void set_policy(const BreakerPolicy& policy) { policy_ = policy; }

    State state(TimePoint now) const;
    /// How many may be in flight at once, of at most `cap`. One in half-open; after closing it doubles with
    /// every success, so that a target that has just healed, or a start with a backlog, begins gently.
    int allowance(TimePoint now, int cap) const;
    /// When to ask again if nothing is allowed now; nothing if only a hand resumes it.
    std::optional<TimePoint> next_change(TimePoint now) const;

    void succeeded(TimePoint now);
    void failed(TimePoint now, std::string reason);
    /// It is there and in its right mind, but did not take what it was given: no success, and yet enough to close.
    void answered();
    /// Begin gently from here on: a start, a replay, a target resumed by hand.
    void start_slowly() { slow_limit_ = 1; }
    /// By hand. Keeps what else is known.
    void pause(std::string reason);
    void resume(TimePoint now);

    const std::string& last_reason() const { return reason_; }
    std::optional<TimePoint> failing_since() const { return failing_since_; }
    std::optional<TimePoint> open_until() const { return open_until_; }

    /// What must survive a restart, as JSON text, and back. A text that cannot be read changes nothing.
    std::string save() const;
    void restore(std::string_view saved);

private:
    void close();
    void grow();
    void forget_old(TimePoint now);
    bool too_many() const;

    struct Ended {
        TimePoint at;
        bool failed = false;
    };

    BreakerPolicy policy_;
    std::deque<Ended> recent_;
    int in_a_row_ = 0;
    int opened_in_a_row_ = 0;
    int slow_limit_ = 1;  ///< 0: no limit any more
    std::optional<TimePoint> open_until_;
    std::optional<TimePoint> failing_since_;
    bool paused_ = false;
    std::string reason_;
};

const char* to_text(Breaker::State state);

/// What an attempt's outcome says of its target: nothing, if it answers in its right mind although it does
/// not take this one delivery, or if it only asks for patience.
std::optional<bool> target_failed(const Outcome& outcome);

}  // namespace orbridge
