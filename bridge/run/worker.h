#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "bridge/core/clock.h"

namespace orbridge {

/// A thread around a bounded step() that says how long it may sleep. Tests call the step themselves.
/// An exception out of a step ends the daemon (std::terminate), never just its thread.
class Worker {
public:
    explicit Worker(std::function<milliseconds()> step)
        : step_(std::move(step)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

    /// There is something to do: ends the current sleep. Safe from any thread.
    void wake() {
        const std::lock_guard lock(mutex_);
        woken_ = true;
        wake_.notify_one();
    }

private:
    void run(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const auto pause = step_();
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, stop, pause, [this] { return woken_; });
            woken_ = false;
        }
    }

    std::function<milliseconds()> step_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    bool woken_ = false;
    std::jthread thread_;  // last member: joined before anything it uses is gone
};

}  // namespace orbridge
