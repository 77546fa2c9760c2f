#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "bridge/core/clock.h"

namespace orbridge {

/// Threads for work that blocks. They start on demand and end when idle; the one that became idle last
/// works first, so that a quiet daemon shrinks to few warm threads.
class HandlerPool {
public:
    using Job = std::function<void()>;

    HandlerPool(int threads_max, int queued_max, milliseconds idle_max);
    ~HandlerPool() { stop(); }
    HandlerPool(const HandlerPool&) = delete;
    HandlerPool& operator=(const HandlerPool&) = delete;

    /// False: all threads are busy and the queue is full, or stopped; the job was not taken. Jobs must not throw.
    bool submit(Job job);

    /// Waits for the jobs that run; those that wait are dropped. Not from a job.
    void stop();

private:
    struct Worker {
        std::thread thread{};
        std::condition_variable wake{};
        Job job{};
    };
    using Workers = std::list<Worker>;

    void run(Workers::iterator self);
    Job next(Worker& self, std::unique_lock<std::mutex>& lock);
    bool start_worker(Job& job);
    bool enqueue(Job& job);
    void join_ended(std::unique_lock<std::mutex>& lock);

    const std::size_t threads_max_;
    const std::size_t queued_max_;
    const milliseconds idle_max_;
    std::mutex mutex_;
    std::condition_variable all_ended_;
    std::deque<Job> queue_;
    std::vector<Worker*> idle_;
    Workers workers_;
    Workers ended_;  ///< to be joined
    bool stopping_ = false;
};

}  // namespace orbridge
