#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bridge/core/clock.h"

namespace orbridge::sim {

/// What is promised about how much a target is asked. Zero: nothing is.
struct GateTerms {
    int failures_in_a_row = 0;   ///< after so many it is left alone …
    milliseconds open_least{0};  ///< … at least so long, and then asked by one delivery at a time
    int requests = 0;            ///< at most so many attempts at once, and so many again …
    milliseconds per{1'000};     ///< … in each such time
};

/// Keeps the books of one target's gate, from what the other side did and what the store was given to keep.
class GateBook {
public:
    void set_terms(const GateTerms& terms) { terms_ = terms; }

    void failed(TimePoint now);
    void fine();
    /// It is in its right mind, but does not take this one delivery.
    void answered();
    void paused(milliseconds elapsed);
    void resumed();
    /// The store says that it keeps this of the gate.
    void noted(std::string_view value);
    /// What no store was asked to keep is forgotten.
    void died();
    /// The clock is set back: how long something lasts cannot be told any more.
    void set_back();

    struct Broken {
        std::string checker, text;
    };
    /// So many attempts are about to begin, while so many others that began after the breaker opened are under way.
    std::optional<Broken> claimed(int count, int probes, TimePoint now, milliseconds elapsed);
    /// Since when it is open or half-open.
    bool open() const { return closed_until_.has_value(); }
    /// Nothing is to be expected of it before somebody resumes it.
    bool is_paused() const { return paused_at_.has_value(); }

private:
    void forget_failures();
    bool within_rate(int count, TimePoint now);

    GateTerms terms_;
    int in_a_row_ = 0;
    std::optional<TimePoint> closed_until_;  ///< no attempt before
    std::optional<TimePoint> kept_until_;    ///< … by what the store keeps
    std::optional<milliseconds> paused_at_;
    bool pause_kept_ = false;
    std::optional<double> tokens_;
    TimePoint filled_at_{};
};

}  // namespace orbridge::sim
