#include "bridge/api/snapshot_waiters.h"

#include <algorithm>

namespace orbridge {
namespace {

constexpr milliseconds kLookEvery{5'000};
constexpr milliseconds kIdle{std::chrono::hours{1}};

}  // namespace

bool SnapshotWaiters::wait(const SourceId& source, const std::string& subject, milliseconds longest, const Look& look) {
    bool ended = false;
    {
        const std::lock_guard lock(mutex_);
        ended = stopped_;
        if (!ended && static_cast<int>(waiters_.size()) >= most_()) return false;
        if (!ended) add({{source, subject}, {}, {}, look}, longest);
    }
    if (ended) {
        look(true);
    } else {
        wake_();
    }
    return true;
}

/// The first look is at once: what changed before the reader stood in here went untold.
void SnapshotWaiters::add(Waiter waiter, milliseconds longest) {
    const auto now = std::chrono::steady_clock::now();
    waiter.next_look = now;
    waiter.until = now + longest;
    const auto number = ++last_;
    by_subject_.emplace(waiter.key, number);
    by_time_.emplace(now, number);
    waiters_.emplace(number, std::move(waiter));
    ++waiting_;
}

void SnapshotWaiters::changed(const SourceId& source, const std::string& subject) {
    if (waiting_ == 0) return;
    {
        const std::lock_guard lock(mutex_);
        const auto [from, to] = by_subject_.equal_range(Key{source, subject});
        if (from == to) return;
        std::for_each(from, to, [&](const auto& each) { told_.push_back(each.second); });
    }
    wake_();
}

void SnapshotWaiters::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    wake_();
}

milliseconds SnapshotWaiters::step(Time now) {
    for (const auto number : take_due(now)) look(number, now);
    const std::lock_guard lock(mutex_);
    return pause(now);
}

/// Those told of something, and those whose time has come; all of them at the end.
std::vector<SnapshotWaiters::Number> SnapshotWaiters::take_due(Time now) {
    const std::lock_guard lock(mutex_);
    auto due = std::exchange(told_, {});
    for (const auto& [time, number] : by_time_) {
        if (time > now && !stopped_) break;
        due.push_back(number);
    }
    std::sort(due.begin(), due.end());
    due.erase(std::unique(due.begin(), due.end()), due.end());
    return due;
}

/// Without the lock, as it reads the store and writes an answer. Only this removes: it is the stepping thread's.
void SnapshotWaiters::look(Number number, Time now) {
    Look asked;
    bool last = false;
    {
        const std::lock_guard lock(mutex_);
        const auto found = waiters_.find(number);
        if (found == waiters_.end()) return;
        auto& waiter = found->second;
        last = stopped_ || waiter.until <= now;
        by_time_.erase({waiter.next_look, number});
        waiter.next_look = std::min(waiter.until, now + kLookEvery);
        by_time_.emplace(waiter.next_look, number);
        asked = waiter.look;
    }
    if (!asked(last) && !last) return;
    const std::lock_guard lock(mutex_);
    remove(number);
}

void SnapshotWaiters::remove(Number number) {
    const auto found = waiters_.find(number);
    by_time_.erase({found->second.next_look, number});
    auto [from, to] = by_subject_.equal_range(found->second.key);
    while (from != to && from->second != number) ++from;
    if (from != to) by_subject_.erase(from);
    waiters_.erase(found);
    --waiting_;
}

milliseconds SnapshotWaiters::pause(Time now) {
    if (!told_.empty()) return milliseconds{0};
    if (by_time_.empty()) return kIdle;
    const auto left = std::chrono::ceil<milliseconds>(by_time_.begin()->first - now);
    return std::clamp(left, milliseconds{0}, kIdle);
}

}  // namespace orbridge
