#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/ids.h"

namespace orbridge {

/// Readers that wait for a subject to change. They cost a few bytes each and no thread: one thread steps, and looks for
/// all of them. Safe from any thread, except that one thread steps.
class SnapshotWaiters {
public:
    using Time = std::chrono::steady_clock::time_point;
    /// Answers if there is something to answer with, and is true then; it must, if it is the last time it is asked.
    using Look = std::function<bool(bool last)>;

    /// `most`: asked each time; that many wait at once.
    explicit SnapshotWaiters(std::function<int()> most) : most_(std::move(most)) {}

    /// The stepping thread has something to do. To be set before the first reader waits.
    void when_work(std::function<void()> wake) { wake_ = std::move(wake); }

    /// Has `look` asked soon, after each change, and now and then in case one went untold; the last time after
    /// `longest`, or at the end. False: there are too many already, and it is never asked.
    bool wait(const SourceId& source, const std::string& subject, milliseconds longest, const Look& look);
    /// Of the subject there is something new. Costs nothing while nobody waits.
    void changed(const SourceId& source, const std::string& subject);
    /// Lets all go, and none wait any more; what still waits is answered by the next step.
    void stop();
    int waiting() const { return waiting_; }

    /// Looks where something may be new or the time is over. How long it may sleep.
    milliseconds step(Time now = std::chrono::steady_clock::now());

private:
    using Key = std::pair<SourceId, std::string>;
    using Number = std::uint64_t;
    struct Waiter {
        Key key;
        Time until{}, next_look{};
        Look look;
    };

    void add(Waiter waiter, milliseconds longest);
    std::vector<Number> take_due(Time now);
    void look(Number number, Time now);
    void remove(Number number);
    milliseconds pause(Time now);

    std::function<int()> most_;
    std::function<void()> wake_ = [] {};
    std::mutex mutex_;
    Number last_ = 0;
    std::map<Number, Waiter> waiters_;
    std::multimap<Key, Number> by_subject_;
    std::set<std::pair<Time, Number>> by_time_;  ///< of the next look
    std::vector<Number> told_;                   ///< something is new for them
    std::atomic<int> waiting_{0};
    bool stopped_ = false;
};

}  // namespace orbridge
