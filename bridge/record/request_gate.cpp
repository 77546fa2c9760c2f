#include "bridge/record/request_gate.h"

#include <algorithm>

namespace orbridge {
namespace {

constexpr milliseconds kGivenUpAfter{1'000};
constexpr milliseconds kAskAgain{20};  ///< while nobody can say when it will be

}  // namespace

std::optional<TimePoint> RequestWindow::next(TimePoint now) {
    while (!until_.empty() && until_.front() <= now) until_.pop_front();
    for (auto& until : until_) until = std::min(until, now + limit_.per);  // the clock was set back
    if (under_way_ + static_cast<int>(until_.size()) < limit_.requests) return now;
    if (until_.empty()) return std::nullopt;
    return until_.front();
}

void RequestWindow::end(TimePoint now) {
    --under_way_;
    until_.push_back(now + limit_.per);
}

RequestGate::Ticket RequestGate::queue() {
    waiting_.push_back(++last_ticket_);
    return last_ticket_;
}

void RequestGate::give_up_unasked(TimePoint now) {
    if (asking_ == 0 || now <= asked_until_) return;
    std::erase(waiting_, asking_);
    asking_ = 0;
    changed_.notify_all();
}

bool RequestGate::enter() {
    std::unique_lock lock(mutex_);
    const auto ticket = queue();
    while (open_) {
        const auto now = clock_.now();
        give_up_unasked(now);
        const auto next = waiting_.front() == ticket ? window_.next(now) : std::nullopt;
        if (next && *next <= now) break;
        if (next) {
            changed_.wait_for(lock, *next - now);
        } else if (asking_ != 0) {
            changed_.wait_for(lock, kGivenUpAfter);
        } else {
            changed_.wait(lock);
        }
    }
    std::erase(waiting_, ticket);
    if (open_) window_.begin();
    changed_.notify_all();
    return open_;
}

std::optional<TimePoint> RequestGate::try_enter() {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.now();
    give_up_unasked(now);
    if (!open_) return now + kGivenUpAfter;
    if (asking_ == 0) asking_ = queue();
    const auto next = waiting_.front() == asking_ ? window_.next(now) : std::nullopt;
    if (!next || *next > now) {
        const auto again = next.value_or(now + kAskAgain);
        asked_until_ = again + kGivenUpAfter;
        changed_.notify_all();
        return again;
    }
    std::erase(waiting_, asking_);
    asking_ = 0;
    window_.begin();
    changed_.notify_all();
    return std::nullopt;
}

void RequestGate::leave() {
    const std::lock_guard lock(mutex_);
    window_.end(clock_.now());
    changed_.notify_all();
}

void RequestGate::set_open(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
}

}  // namespace orbridge
