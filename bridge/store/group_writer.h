#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "bridge/core/result.h"
#include "bridge/store/signal.h"
#include "bridge/store/sqlite.h"

namespace orbridge {

/// All writing to one database: one thread, one connection, group commit. What is queued when the
/// writer is free goes into one transaction and shares one fsync; a lone write never waits for company.
/// Safe from any thread; writers block until their change is durable or has failed.
class GroupWriter {
public:
    struct Limits {
        int batch_max = 128;           ///< writes in one transaction
        std::size_t queue_max = 4096;  ///< waiting writes; more are refused as Unavailable
    };
    /// Asked on the writer's thread. An Error from either fails all that wait in the transaction.
    struct Watch {
        std::function<Status()> before = [] { return Ok{}; };  ///< may it be begun?
        std::function<Status()> after = [] { return Ok{}; };   ///< it is committed: may it be called stored?
        std::function<void(const SqliteProblem&)> failed = [](const SqliteProblem&) {};
    };
    /// Takes over `db`: nobody else may use it as long as this lives, the watch excepted.
    GroupWriter(Database& db, const Limits& limits, Watch watch);
    /// Ends after everything queued is written. Nobody may be calling `write` any more.
    ~GroupWriter();
    GroupWriter(const GroupWriter&) = delete;
    GroupWriter& operator=(const GroupWriter&) = delete;

    /// Runs `work(db)` -> Status inside a transaction on the writer's thread. Ok means committed. An
    /// Error, its own or SQLite's, means that nothing of it was stored. `work` may run twice, the first
    /// time undone: when a neighbour in its transaction failed.
    template <class F>
    Status write(std::string_view doing, F&& work) {
        Write one{doing, &work, [](void* f, Database& db) { return (*static_cast<std::decay_t<F>*>(f))(db); }};
        return enqueue(one);
    }

    using Work = std::function<Status(Database&)>;
    using Done = std::function<void(const Status&)>;
    /// The same without waiting: `done` is told, once, on a thread of the writer's that tells all of a transaction
    /// together, or before this returns if nothing more can wait. It must not throw, and must be quick: others wait to
    /// be told; it may write by this function, not by the other. `doing` lives for the whole program.
    void write_later(std::string_view doing, Work work, Done done);

private:
    struct Later {
        Work work;
        Done done;
    };
    struct Write {
        std::string_view doing;
        void* work;
        Status (*call)(void* work, Database& db);
        Status result = Ok{};
        Signal done{};
        std::unique_ptr<Later> later{};  ///< nobody waits for it: the writer owns it
    };
    using Batch = std::vector<Write*>;

    Status enqueue(Write& one);
    Status add(Write& one);
    void finish(const Batch& batch);
    void tell();
    void loop();
    bool take(Batch& batch);
    void commit(const Batch& batch);
    bool run_all(const Batch& batch);
    Status run(const Batch& batch, std::string_view& doing);
    void rollback();

    Database& db_;
    const Limits limits_;
    const Watch watch_;
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::vector<Write*> queue_;
    bool idle_ = false;
    bool stopping_ = false;
    std::mutex ended_mutex_;
    std::condition_variable some_ended_;
    std::vector<std::unique_ptr<Write>> ended_;  ///< nobody was told yet
    bool all_ended_ = false;
    std::thread teller_;  // uses everything above
    std::thread thread_;  // last: uses everything above
};

}  // namespace orbridge
