#include "bridge/api/snapshot_waiters.h"

#include <algorithm>
#include <chrono>

namespace orbridge {
namespace {

constexpr milliseconds kLookEvery{1'000};

}  // namespace

SnapshotWaiters::End SnapshotWaiters::wait(const SourceId& source, const std::string& subject, milliseconds longest,
                                           const std::function<bool()>& look) {
    const auto until = std::chrono::steady_clock::now() + longest;
    Waiter self;
    std::unique_lock lock(mutex_);
    if (static_cast<int>(waiters_.size()) >= most_()) return End::Full;
    const auto place = waiters_.emplace(Key{source, subject}, &self);  // before the first look: nothing is missed
    ++waiting_;
    auto end = End::TimedOut;
    while (!stopped_) {
        lock.unlock();
        const bool seen = look();
        lock.lock();
        const auto now = std::chrono::steady_clock::now();
        if (seen) end = End::Seen;
        if (seen || now >= until) break;
        self.wake.wait_until(lock, std::min(until, now + kLookEvery), [&] { return self.told || stopped_; });
        self.told = false;
    }
    waiters_.erase(place);
    --waiting_;
    return end;
}

void SnapshotWaiters::changed(const SourceId& source, const std::string& subject) {
    if (waiting_ == 0) return;
    const std::lock_guard lock(mutex_);
    const auto [from, to] = waiters_.equal_range(Key{source, subject});
    std::for_each(from, to, [](const auto& each) {
        each.second->told = true;
        each.second->wake.notify_one();
    });
}

void SnapshotWaiters::stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    for (const auto& [key, waiter] : waiters_) waiter->wake.notify_one();
}

}  // namespace orbridge
