#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/log.h"
#include "bridge/store/store.h"

namespace orbridge {

struct RecorderSettings {
    std::size_t batch_max = 512;     ///< attempts in one transaction
    milliseconds retry_least{100};   ///< wait after the store has failed, doubled each time …
    milliseconds retry_most{5'000};  ///< … up to this
};

/// Writes the ends of attempts to the store, many in one transaction, so that the dispatcher's loop never
/// waits for a disk. What cannot be stored is kept and tried until it can; the dispatcher stops claiming
/// while too much is kept, which bounds it.
///
/// add(), backlog() and wait_until_empty() from any thread; step() from one at a time. The when_… functions
/// are set before the first of them.
class Recorder {
public:
    Recorder(Store& store, const Clock& clock, Log& log, RecorderSettings settings = {});

    /// Never blocks on I/O.
    void add(Settle settle);
    /// Stores a note soon, the last one of a key if there are several. Never blocks on I/O.
    void keep(const std::string& key, std::string value);
    std::size_t backlog() const { return backlog_; }
    /// Writes one batch. How long it may sleep unless woken.
    milliseconds step();
    /// For a stop: false if something is still kept after `limit`.
    bool wait_until_empty(milliseconds limit);

    /// There is something for step() to do.
    void when_work(std::function<void()> wake) { wake_ = std::move(wake); }
    /// An attempt was stored, for metrics.
    void when_recorded(std::function<void(const Settle&)> tell) { recorded_ = std::move(tell); }
    /// When each of these targets may have something to claim: a retry, or what waited behind it.
    using Dues = std::unordered_map<TargetId, TimePoint>;
    void when_due(std::function<void(const Dues&)> tell) { due_ = std::move(tell); }

private:
    milliseconds write_note();
    void take_batch();
    milliseconds failed(const Error& error);
    void tell(const std::vector<bool>& recorded);
    void log_attempt(const Settle& settle);
    void drop_batch();

    Store& store_;
    const Clock& clock_;
    Log& log_;
    const RecorderSettings settings_;
    std::function<void()> wake_;
    std::function<void(const Settle&)> recorded_;
    std::function<void(const Dues&)> due_;

    std::mutex mutex_;
    std::condition_variable empty_;
    std::deque<Settle> queue_;
    std::map<std::string, std::string> notes_;
    std::atomic<std::size_t> backlog_{0};

    // Of step() alone.
    std::vector<Settle> batch_;
    std::size_t batch_max_;
    milliseconds pause_{0};       ///< zero: the store is well
    milliseconds note_pause_{0};  ///< likewise
};

}  // namespace orbridge
