#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "bridge/core/clock.h"
#include "bridge/core/ids.h"

namespace orbridge {

/// Readers that wait for a subject to change. Each keeps the thread it came on, which is why there are only so many.
/// Safe from any thread.
class SnapshotWaiters {
public:
    enum class End { Seen, TimedOut, Full };

    /// `most`: asked each time; that many wait at once.
    explicit SnapshotWaiters(std::function<int()> most) : most_(std::move(most)) {}

    /// Until `look` is true, which is asked at once, after each change, and every second in case one went untold.
    /// Full: nothing was waited for.
    End wait(const SourceId& source, const std::string& subject, milliseconds longest,
             const std::function<bool()>& look);
    /// Of the subject there is something new. Costs nothing while nobody waits.
    void changed(const SourceId& source, const std::string& subject);
    /// Lets all go, and none wait any more.
    void stop();
    int waiting() const { return waiting_; }

private:
    struct Waiter {
        bool told = false;
        std::condition_variable wake{};
    };
    using Key = std::pair<SourceId, std::string>;

    std::function<int()> most_;
    std::mutex mutex_;
    std::multimap<Key, Waiter*> waiters_;
    std::atomic<int> waiting_{0};
    bool stopped_ = false;
};

}  // namespace orbridge
