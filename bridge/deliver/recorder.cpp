#include "bridge/deliver/recorder.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace orbridge {
namespace {

/// Long, and yet short enough to be added to a time.
constexpr milliseconds kIdle{24 * 3'600'000};

/// At once if it has ended, or may have in favour of a newer one.
TimePoint due_after(const Settle& settle, TimePoint now) {
    const auto* retry = std::get_if<RetryAt>(&settle.settlement);
    return retry != nullptr && !settle.gives_way ? retry->due : now;
}

}  // namespace

Recorder::Recorder(Store& store, const Clock& clock, Log& log, RecorderSettings settings)
    : store_(store), clock_(clock), log_(log), settings_(settings), batch_max_(settings.batch_max) {}

void Recorder::add(Settle settle) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        first = queue_.empty();
        queue_.push_back(std::move(settle));
        ++backlog_;
    }
    if (first && wake_) wake_();
}

void Recorder::keep(const std::string& key, std::string value) {
    {
        const std::lock_guard lock(mutex_);
        notes_[key] = std::move(value);
    }
    if (wake_) wake_();
}

milliseconds Recorder::step() {
    const auto next_note = write_note();
    if (batch_.empty()) take_batch();
    if (batch_.empty()) return next_note;
    const auto recorded = store_.settle(batch_, clock_.now());
    if (!recorded) return failed(recorded.error());
    if (pause_.count() > 0) log_.info("recorder.recovered", {{"backlog", backlog_.load()}});
    pause_ = milliseconds{0};
    tell(*recorded);
    drop_batch();
    return milliseconds{0};
}

/// One at a time, so that attempts wait for none of them long. What was kept meanwhile is newer.
milliseconds Recorder::write_note() {
    std::map<std::string, std::string>::node_type note;
    {
        const std::lock_guard lock(mutex_);
        if (notes_.empty()) return kIdle;
        note = notes_.extract(notes_.begin());
    }
    const auto written = store_.set_note(note.key(), note.mapped());
    const std::lock_guard lock(mutex_);
    if (!written) {
        notes_.insert(std::move(note));
        if (note_pause_.count() == 0) log_.error("recorder.store_unavailable", {{"reason", written.error().message}});
        note_pause_ = std::clamp(note_pause_ * 2, settings_.retry_least, settings_.retry_most);
        return note_pause_;
    }
    note_pause_ = milliseconds{0};
    if (!notes_.empty()) return milliseconds{0};
    if (backlog_ == 0) empty_.notify_all();
    return kIdle;
}

void Recorder::take_batch() {
    const std::lock_guard lock(mutex_);
    const auto count = static_cast<std::ptrdiff_t>(std::min(batch_max_, queue_.size()));
    std::move(queue_.begin(), queue_.begin() + count, std::back_inserter(batch_));
    queue_.erase(queue_.begin(), queue_.begin() + count);
}

void Recorder::drop_batch() {
    const std::lock_guard lock(mutex_);
    backlog_ -= batch_.size();
    batch_.clear();
    if (backlog_ == 0) empty_.notify_all();
}

/// A store that is away is waited for. Any other refusal is about one of the batch: that one is found by writing
/// them singly, and left to run out of its hold.
milliseconds Recorder::failed(const Error& error) {
    if (error.kind == Error::Kind::Unavailable) {
        if (pause_.count() == 0)
            log_.error("recorder.store_unavailable", {{"reason", error.message}, {"backlog", backlog_.load()}});
        pause_ = std::clamp(pause_ * 2, settings_.retry_least, settings_.retry_most);
        return pause_;
    }
    if (batch_.size() == 1) {
        log_.error("recorder.refused", {{"delivery", batch_[0].claim.delivery.id}, {"reason", error.message}});
        drop_batch();
        batch_max_ = settings_.batch_max;
        return milliseconds{0};
    }
    const std::lock_guard lock(mutex_);
    queue_.insert(queue_.begin(), std::make_move_iterator(batch_.begin()), std::make_move_iterator(batch_.end()));
    batch_.clear();
    batch_max_ = 1;
    return milliseconds{0};
}

void Recorder::tell(const std::vector<bool>& recorded) {
    const auto now = clock_.now();
    Dues dues;
    for (std::size_t i = 0; i < batch_.size(); ++i) {
        const auto& settle = batch_[i];
        const auto& delivery = settle.claim.delivery;
        if (!recorded[i]) {
            log_.warn("delivery.claim_lost", {{"delivery", delivery.id}, {"target", delivery.target}});
            // Perhaps an earlier try recorded it and its answer got lost: then something may have come due.
            dues[delivery.target] = now;
            continue;
        }
        log_attempt(settle);
        if (recorded_) recorded_(settle);
        const auto due = due_after(settle, now);
        const auto [entry, added] = dues.emplace(delivery.target, due);
        if (!added) entry->second = std::min(entry->second, due);
    }
    if (due_) due_(dues);  // even if empty: there is room again
}

void Recorder::log_attempt(const Settle& settle) {
    const auto& delivery = settle.claim.delivery;
    const auto& attempt = settle.attempt;
    const auto* retry = std::get_if<RetryAt>(&settle.settlement);
    const Log::Fields fields = {{"event", delivery.event.id},
                                {"delivery", delivery.id},
                                {"target", delivery.target},
                                {"attempt", attempt.number},
                                {"status", attempt.status},
                                {"outcome", attempt.outcome},
                                {"reason", attempt.reason},
                                {"duration_ms", attempt.duration},
                                {"next_attempt_at", retry != nullptr ? to_iso8601(retry->due) : std::string()}};
    if (std::holds_alternative<Finished>(settle.settlement)) {
        log_.info("delivery.attempted", fields);
    } else {
        log_.warn("delivery.attempted", fields);
    }
}

bool Recorder::wait_until_empty(milliseconds limit) {
    std::unique_lock lock(mutex_);
    return empty_.wait_for(lock, limit, [this] { return backlog_ == 0 && notes_.empty(); });
}

}  // namespace orbridge
