#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bridge/store/sqlite.h"

namespace orbridge {

/// A few read-only connections. In WAL mode readers see the last committed state and wait for no writer.
/// Safe from any thread; waits while all are in use.
class Readers {
public:
    Readers(const std::string& path, int count, const std::string& vfs = {}) : count_(static_cast<std::size_t>(count)) {
        for (int i = 0; i < count; ++i)
            free_.push_back(std::make_unique<Database>(path, Database::Mode::ReadOnly, vfs));
    }

    template <class F>
    decltype(auto) with(F&& work) {
        const Loan loan(*this);
        return std::forward<F>(work)(*loan.db);
    }

    /// Waits until none is in use; meanwhile, and while `work(databases)` runs, nobody gets one.
    template <class F>
    void with_all(F&& work) {
        std::unique_lock lock(mutex_);
        closed_ = true;
        returned_.wait(lock, [this] { return free_.size() == count_; });
        const Reopen at_end{*this};
        std::forward<F>(work)(free_);
    }

private:
    struct Reopen {
        ~Reopen() {
            readers.closed_ = false;
            readers.returned_.notify_all();
        }
        Readers& readers;
    };
    struct Loan {
        explicit Loan(Readers& from) : readers(from), db(from.take()) {}
        ~Loan() { readers.give_back(std::move(db)); }
        Loan(const Loan&) = delete;
        Loan& operator=(const Loan&) = delete;
        Readers& readers;
        std::unique_ptr<Database> db;
    };
    std::unique_ptr<Database> take() {
        std::unique_lock lock(mutex_);
        returned_.wait(lock, [this] { return !closed_ && !free_.empty(); });
        auto db = std::move(free_.back());
        free_.pop_back();
        return db;
    }
    void give_back(std::unique_ptr<Database> db) {
        const std::lock_guard lock(mutex_);
        free_.push_back(std::move(db));
        returned_.notify_all();  // one may wait for any, and one for all
    }

    const std::size_t count_;
    bool closed_ = false;
    std::mutex mutex_;
    std::condition_variable returned_;
    std::vector<std::unique_ptr<Database>> free_;
};

}  // namespace orbridge
