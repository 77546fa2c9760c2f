#include "bridge/store/group_writer.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace orbridge {
namespace {

constexpr const char* kBegin = "BEGIN IMMEDIATE";
constexpr const char* kCommit = "COMMIT";
constexpr const char* kRollback = "ROLLBACK";

}  // namespace

GroupWriter::GroupWriter(Database& db, const Limits& limits, Watch watch)
    : db_(db), limits_(limits), watch_(std::move(watch)), teller_([this] { tell(); }), thread_([this] { loop(); }) {}

GroupWriter::~GroupWriter() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    arrived_.notify_one();
    thread_.join();
    {
        const std::lock_guard lock(ended_mutex_);
        all_ended_ = true;
    }
    some_ended_.notify_one();
    teller_.join();
}

Status GroupWriter::enqueue(Write& one) {
    if (auto added = add(one); !added) return added;
    one.done.wait();
    return std::move(one.result);
}

void GroupWriter::write_later(std::string_view doing, Work work, Done done) {
    auto one = std::make_unique<Write>();
    one->doing = doing;
    one->later = std::make_unique<Later>(Later{std::move(work), std::move(done)});
    one->work = &one->later->work;
    one->call = [](void* f, Database& db) { return (*static_cast<Work*>(f))(db); };
    if (auto added = add(*one); !added) return one->later->done(added);
    // It is the writer's from now on, and may be gone already.
    [[maybe_unused]] const auto* given = one.release();
}

Status GroupWriter::add(Write& one) {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= limits_.queue_max) {
        return Error{Error::Kind::Unavailable,
                     "cannot " + std::string(one.doing) + ": too many writes are waiting for the disk"};
    }
    queue_.push_back(&one);
    if (idle_) arrived_.notify_one();
    idle_ = false;
    return Ok{};
}

void GroupWriter::loop() {
    Batch batch;
    while (take(batch)) {
        commit(batch);
        finish(batch);
    }
}

/// Who waits is told here, the others by the teller, so that the next transaction does not wait for what they do.
void GroupWriter::finish(const Batch& batch) {
    std::vector<std::unique_ptr<Write>> later;
    for (auto* one : batch) {
        if (one->later) {
            later.emplace_back(one);
        } else {
            one->done.set();
        }
    }
    if (later.empty()) return;
    {
        const std::lock_guard lock(ended_mutex_);
        std::move(later.begin(), later.end(), std::back_inserter(ended_));
    }
    some_ended_.notify_one();
}

void GroupWriter::tell() {
    std::unique_lock lock(ended_mutex_);
    for (;;) {
        some_ended_.wait(lock, [this] { return !ended_.empty() || all_ended_; });
        if (ended_.empty()) return;
        auto ended = std::exchange(ended_, {});
        lock.unlock();
        for (auto& one : ended) {
            one->later->done(one->result);
            one.reset();  // what it holds is not kept for the others' sake
        }
        ended.clear();
        lock.lock();
    }
}

/// False: stopped, and nothing is left.
bool GroupWriter::take(Batch& batch) {
    batch.clear();
    std::unique_lock lock(mutex_);
    idle_ = queue_.empty();
    arrived_.wait(lock, [this] { return !queue_.empty() || stopping_; });
    idle_ = false;
    const auto count = std::min(queue_.size(), static_cast<std::size_t>(std::max(1, limits_.batch_max)));
    const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
    batch.assign(queue_.begin(), end);
    queue_.erase(queue_.begin(), end);
    return !batch.empty();
}

/// One bad write must hurt nobody else: if the batch fails for what is in it, each gets a transaction of its own.
void GroupWriter::commit(const Batch& batch) {
    if (run_all(batch) || batch.size() == 1) return;
    for (auto* one : batch) run_all({one});
}

/// False: it failed, and would perhaps not have without one of its writes. Otherwise each has its result.
bool GroupWriter::run_all(const Batch& batch) {
    const auto tell = [&](const Status& status) {
        for (auto* one : batch) one->result = status;
    };
    std::string_view doing = batch.front()->doing;
    if (auto fit = watch_.before(); !fit) {
        tell(fit);
        return true;
    }
    try {
        const auto status = run(batch, doing);
        if (!status) rollback();
        tell(status ? watch_.after() : status);
        return status.has_value();
    } catch (const SqliteProblem& problem) {
        rollback();
        tell(to_error(doing, problem));
        watch_.failed(problem);
        return is_trouble_with_file(problem);
    }
}

Status GroupWriter::run(const Batch& batch, std::string_view& doing) {
    db_.exec(kBegin);
    for (auto* one : batch) {
        doing = one->doing;
        auto done = one->call(one->work, db_);
        if (!done) return done;
    }
    db_.exec(kCommit);
    return Ok{};
}

void GroupWriter::rollback() {
    // After a full disk or an I/O error SQLite may have rolled back by itself.
    if (!db_.in_transaction()) return;
    [[maybe_unused]] const auto undone = attempt("undo a write", [&]() -> Status {
        db_.exec(kRollback);
        return Ok{};
    });
}

}  // namespace orbridge
