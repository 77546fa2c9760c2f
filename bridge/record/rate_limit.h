#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "bridge/core/clock.h"

namespace orbridge {

/// `requests` at once, and so many again in each `per`, evenly refilled. Zero requests: no limit.
struct RateLimit {
    int requests = 0;
    milliseconds per{1'000};
    friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

/// A token bucket. It begins empty but for one token, so that a restart in the middle of a period never
/// allows more than the limit, unless told otherwise. Pure: times are passed in; a clock that steps back refills
/// nothing.
class TokenBucket {
public:
    explicit TokenBucket(RateLimit limit = {}, int tokens = 1) : limit_(limit), tokens_(tokens) {}

    /// Takes one token if there is one.
    bool take(TimePoint now) {
        if (limit_.requests == 0) return true;
        refill(now);
        if (tokens_ < 1) return false;
        tokens_ -= 1;
        return true;
    }
    /// How often take() would succeed now.
    int available(TimePoint now) {
        if (limit_.requests == 0) return std::numeric_limits<int>::max();
        refill(now);
        return static_cast<int>(tokens_);
    }
    void empty() { tokens_ = 0; }
    /// When take() will next succeed.
    TimePoint next(TimePoint now) {
        if (limit_.requests == 0) return now;
        refill(now);
        if (tokens_ >= 1) return now;
        const auto wait = (1 - tokens_) * static_cast<double>(limit_.per.count()) / limit_.requests;
        return now + milliseconds{static_cast<std::int64_t>(wait) + 1};
    }

private:
    void refill(TimePoint now) {
        if (!started_ || now < at_) {
            at_ = now;
            started_ = true;
        }
        const auto passed = static_cast<double>((now - at_).count());
        tokens_ = std::min<double>(limit_.requests,
                                   tokens_ + passed * limit_.requests / static_cast<double>(limit_.per.count()));
        at_ = now;
    }

    RateLimit limit_;
    double tokens_;
    TimePoint at_{};
    bool started_ = false;
};

}  // namespace orbridge
