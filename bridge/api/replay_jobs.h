#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bridge/api/replay.h"
#include "bridge/core/clock.h"
#include "bridge/core/ids.h"
#include "bridge/core/json.h"
#include "bridge/core/log.h"
#include "bridge/core/result.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// A replay that is under way, or was.
struct ReplayJob {
    enum class State { Running, Done, Cancelled };

    ReplayId replay;
    ReplayOrder order;
    ReplayState progress;
    State state = State::Running;
    std::uint64_t total = 0;      ///< as counted when it was ordered
    bool total_is_least = false;  ///< there are more than were counted, or not all is known yet
    std::optional<TimePoint> ended_at;
    std::string trouble;  ///< why it stands still, if it does
};

const char* to_text(ReplayJob::State state);
void write_replay_job(JsonWriter& json, const ReplayJob& job);
inline bool is_backfill(const ReplayJob& job) { return !job.order.backfill.empty(); }

/// Pure: how many deliveries a second may be made again, so long after the job has begun or been taken up again.
int replay_rate(const ReplaySettings& settings, milliseconds running);

/// Replays as jobs: each begins slowly and grows faster, tells how far it is, can be cancelled, and goes on where it
/// was after a restart, making nothing twice. Safe from any thread but step(), which one thread drives. Everything
/// given to it must outlive it.
class ReplayJobs {
public:
    ReplayJobs(Replay& replay, Store& store, IdMaker& ids, const Clock& clock, Log& log);

    void set_limits(const ReplaySettings& settings);
    /// Takes up what a stop has interrupted. Before the first step.
    Status load();
    /// There is something to do. Set before the first order.
    void when_work(std::function<void()> wake) { wake_ = std::move(wake); }

    /// Invalid: what is wrong with the order. Unavailable: it could not be stored, or too many are under way.
    Result<ReplayJob> start(const ReplayOrder& order);
    /// Once this returns it makes nothing more; what it has made goes on. Waits for the part that is being made.
    /// NotFound. Conflict: it has ended.
    Result<ReplayJob> cancel(const std::string& id);
    /// How many tell of this subject.
    std::uint64_t naming(const std::string& subject) const;
    /// None tells of it any more; those that were to replay it end. How many did. Unavailable: nothing was changed.
    Result<std::uint64_t> forget(const std::string& subject, const std::string& name_from_now_on);
    std::optional<ReplayJob> find(const std::string& id) const;
    std::vector<ReplayJob> all() const;  ///< newest first
    /// The job as it is when it has ended, or after so long.
    std::optional<ReplayJob> wait(const std::string& id, milliseconds at_most);

    /// A part of each. How long it may sleep.
    milliseconds step();

private:
    struct Kept {
        ReplayJob job;
        TimePoint taken_up{};  ///< by this process
        TimePoint last_step{};
        double credit = 0;  ///< deliveries that may be made now
    };
    std::optional<std::size_t> place_of(const std::string& id) const;
    Kept* known(const std::string& id);
    Status save(const std::vector<Kept>& jobs);
    void count_backfill(ReplayJob& job);
    void forget_old(std::vector<Kept>& jobs) const;
    int allowed(Kept& kept, TimePoint now) const;
    void work_on(const std::string& id, TimePoint now);
    void end(Kept& kept, ReplayJob::State as);

    Replay& replay_;
    Store& store_;
    IdMaker& ids_;
    const Clock& clock_;
    Log& log_;
    std::function<void()> wake_ = [] {};

    std::mutex part_;           ///< held while a part is made; taken before mutex_
    mutable std::mutex mutex_;  ///< not held then
    std::condition_variable ended_;
    ReplaySettings settings_;
    std::vector<Kept> jobs_;  ///< oldest first
};

}  // namespace orbridge
