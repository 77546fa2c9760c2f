#include "bridge/receive/handler_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace orbridge {

HandlerPool::HandlerPool(int threads_max, int queued_max, milliseconds idle_max)
    : threads_max_(static_cast<std::size_t>(std::max(threads_max, 1))),
      queued_max_(static_cast<std::size_t>(std::max(queued_max, 0))),
      idle_max_(idle_max) {}

bool HandlerPool::submit(Job job) {
    std::unique_lock lock(mutex_);
    join_ended(lock);
    if (stopping_) return false;
    if (!idle_.empty()) {
        auto* worker = idle_.back();
        idle_.pop_back();
        worker->job = std::move(job);
        lock.unlock();  // woken first, it would only wait for the lock
        worker->wake.notify_one();
        return true;
    }
    return start_worker(job) || enqueue(job);
}

bool HandlerPool::start_worker(Job& job) {
    if (workers_.size() >= threads_max_) return false;
    const auto worker = workers_.emplace(workers_.end());
    worker->job = std::move(job);
    try {
        worker->thread = std::thread([this, worker] { run(worker); });
        return true;
    } catch (const std::system_error&) {  // the system has no thread left for us: those we have go on
        job = std::move(worker->job);
        workers_.erase(worker);
        return false;
    }
}

bool HandlerPool::enqueue(Job& job) {
    if (queue_.size() >= queued_max_ || workers_.empty()) return false;
    queue_.push_back(std::move(job));
    return true;
}

void HandlerPool::run(Workers::iterator self) {
    std::unique_lock lock(mutex_);
    while (auto job = next(*self, lock)) {
        lock.unlock();
        job();
        job = nullptr;
        lock.lock();
    }
    ended_.splice(ended_.end(), workers_, self);
    if (workers_.empty()) all_ended_.notify_all();
}

HandlerPool::Job HandlerPool::next(Worker& self, std::unique_lock<std::mutex>& lock) {
    if (self.job) return std::exchange(self.job, nullptr);
    if (stopping_) return nullptr;
    if (!queue_.empty()) {
        auto job = std::move(queue_.front());
        queue_.pop_front();
        return job;
    }
    idle_.push_back(&self);
    self.wake.wait_for(lock, idle_max_, [&] { return self.job || stopping_; });
    std::erase(idle_, &self);
    return std::exchange(self.job, nullptr);
}

void HandlerPool::join_ended(std::unique_lock<std::mutex>& lock) {
    if (ended_.empty()) return;
    Workers ended;
    ended.swap(ended_);
    lock.unlock();
    for (auto& worker : ended) worker.thread.join();
    lock.lock();
}

void HandlerPool::stop() {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    queue_.clear();
    for (auto* worker : idle_) worker->wake.notify_one();
    all_ended_.wait(lock, [this] { return workers_.empty(); });
    join_ended(lock);
}

}  // namespace orbridge
