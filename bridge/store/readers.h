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
    Readers(const std::string& path, int count) {
        for (int i = 0; i < count; ++i) free_.push_back(std::make_unique<Database>(path, Database::Mode::ReadOnly));
    }

    template <class F>
    decltype(auto) with(F&& work) {
        const Loan loan(*this);
        return std::forward<F>(work)(*loan.db);
    }

private:
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
        returned_.wait(lock, [this] { return !free_.empty(); });
        auto db = std::move(free_.back());
        free_.pop_back();
        return db;
    }
    void give_back(std::unique_ptr<Database> db) {
        const std::lock_guard lock(mutex_);
        free_.push_back(std::move(db));
        returned_.notify_one();
    }

    std::mutex mutex_;
    std::condition_variable returned_;
    std::vector<std::unique_ptr<Database>> free_;
};

}  // namespace orbridge
