#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "bridge/core/clock.h"

namespace orbridge::sim {

/// Time that passes only when somebody says so. `elapsed` never goes back; `now`, like any computer's clock,
/// can be put forward and back.
class VirtualClock final : public Clock {
public:
    static constexpr TimePoint kStart{std::chrono::hours{500'000}};

    TimePoint now() const override { return kStart + elapsed_ + offset_; }
    milliseconds elapsed() const { return elapsed_; }
    void run_to(milliseconds elapsed) { elapsed_ = std::max(elapsed_, elapsed); }
    void step(milliseconds by) { offset_ += by; }

private:
    milliseconds elapsed_{0};
    milliseconds offset_{0};
};

/// What is going to happen, each at its time; at equal times in the order in which it was asked for.
class Agenda {
public:
    explicit Agenda(VirtualClock& clock) : clock_(clock) {}

    void at(milliseconds when, std::function<void()> what) {
        entries_.emplace(std::pair(when, ++number_), std::move(what));
    }
    void in(milliseconds wait, std::function<void()> what) { at(clock_.elapsed() + wait, std::move(what)); }
    bool empty() const { return entries_.empty(); }
    void run_next() {
        auto next = entries_.extract(entries_.begin());
        clock_.run_to(next.key().first);
        next.mapped()();
    }

private:
    VirtualClock& clock_;
    std::map<std::pair<milliseconds, std::uint64_t>, std::function<void()>> entries_;
    std::uint64_t number_ = 0;
};

}  // namespace orbridge::sim
