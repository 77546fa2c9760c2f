#include "bridge/poll/source_poll.h"

#include <algorithm>

#include "bridge/settings/values.h"

namespace orbridge {
namespace {

constexpr milliseconds kIdle{std::chrono::hours{1}};

std::string untold_note(const SourceId& source) { return "poll.untold:" + source.value; }

/// What could not be told stays untold after a restart.
std::uint64_t untold_before(Store& store, const SourceId& source) {
    const auto kept = store.note(untold_note(source));
    if (!kept || !*kept) return 0;
    return static_cast<std::uint64_t>(std::max<std::int64_t>(parse_integer(**kept).value_or(0), 0));
}

}  // namespace

SourcePoll::SourcePoll(SourceId source, std::unique_ptr<Poller> poller, PollSettings settings, Tools tools)
    : source_(std::move(source)),
      poller_(std::move(poller)),
      settings_(std::move(settings)),
      tools_(std::move(tools)),
      due_(tools_.clock.now()) {
    report_.with([&](PollReport& report) {
        report.source = source_;
        report.untold = untold_before(tools_.store, source_);
    });
}

milliseconds SourcePoll::step() {
    const auto now = tools_.clock.now();
    const bool hurry = hurry_.with([](Hurry& wish) { return std::exchange(wish.asked, false); });
    if (!hurry && (!due_ || *due_ > now)) return due_ ? *due_ - now : kIdle;
    bool more = false;
    const auto trouble = poll(more);
    const auto after = tools_.clock.now();
    if (trouble) {
        went_wrong(*trouble, after);
    } else {
        went_well(more, after);
    }
    if (tools_.ended) tools_.ended(source_, trouble ? trouble->message : std::string());
    report_.with([&](PollReport& report) {
        report.checked_at = after;
        report.next_poll = due_;
        report.reads = poller_->reads();
        report.cannot_tell = poller_->cannot_tell();
    });
    return due_ ? std::max(*due_ - after, milliseconds{0}) : kIdle;
}

RefreshVerdict SourcePoll::refresh(TimePoint now) {
    return hurry_.with([&](Hurry& hurry) -> RefreshVerdict {
        if (hurry.asked) return {.taken = true};
        if (hurry.refreshed_at && now < *hurry.refreshed_at + settings_.refresh_min)
            return {.again_at = *hurry.refreshed_at + settings_.refresh_min};
        hurry = {.asked = true, .refreshed_at = now};
        return {.taken = true, .new_poll = true};
    });
}

std::optional<Trouble> SourcePoll::poll(bool& more) {
    const auto key = "poll:" + source_.value;
    const auto cursor = tools_.store.note(key);
    if (!cursor) return Trouble{Trouble::Kind::Configuration, cursor.error().message};
    const auto began = tools_.clock.now();
    const auto found = poller_->step(cursor->value_or(""));
    if (found.trouble) return found.trouble;
    more = found.more;
    if (found.untold > 0) {  // first, so that it is rather counted twice than not at all
        const auto untold = report_.with([&](PollReport& report) { return report.untold += found.untold; });
        if (const auto kept = tools_.store.set_note(untold_note(source_), std::to_string(untold)); !kept)
            return Trouble{Trouble::Kind::Configuration, kept.error().message};
    }
    const auto taken = tools_.take(source_, found.found, began, {key, found.cursor});
    if (!taken)
        return Trouble{Trouble::Kind::Configuration, "what was found could not be stored: " + taken.error().message};
    report_.with([&](PollReport& report) {
        report.recovered += taken->events;
        report.caught_up += caught_up_ ? 0 : taken->events;
        report.duplicates += taken->duplicates;
    });
    return std::nullopt;
}

void SourcePoll::went_well(bool more, TimePoint now) {
    const auto pushed = last_push();
    const auto pushes = push_state(settings_, pushed, now);
    due_ = more ? now : now + poll_pause(settings_, pushed, now, tools_.random.unit());
    const auto before = report_.with([&](PollReport& report) {
        auto old = report;
        report.fetched_at = now;
        report.failures = 0;
        report.error.clear();
        report.pushes = pushes;
        return old;
    });
    if (before.failures > 0) tools_.log.info("poll.recovered", {{"source", source_}, {"failures", before.failures}});
    if (more || caught_up_) return;
    // Only then a backfill knows whom it need not tell of.
    if (const auto marked = tools_.store.mark_told(source_); !marked) {
        tools_.log.warn("poll.failed", {{"source", source_}, {"failures", 0}, {"reason", marked.error().message}});
        return;
    }
    caught_up_ = true;
    report_.with([](PollReport& report) { report.complete = true; });
    tools_.log.info(
        "poll.caught_up",
        {{"source", source_}, {"reads", poller_->reads()}, {"events", static_cast<std::int64_t>(before.caught_up)}});
}

void SourcePoll::went_wrong(const Trouble& trouble, TimePoint now) {
    const auto failures = report_.with([&](PollReport& report) {
        report.error = trouble.message;
        return ++report.failures;
    });
    const auto pause = poll_backoff(settings_, trouble, failures, tools_.random.unit());
    due_ = pause ? std::optional(now + *pause) : std::nullopt;
    tools_.log.warn("poll.failed", {{"source", source_}, {"failures", failures}, {"reason", trouble.message}});
}

std::optional<TimePoint> SourcePoll::last_push() const {
    const auto heard = tools_.store.intakes_heard();
    if (!heard) return std::nullopt;
    std::optional<TimePoint> last;
    for (const auto& each : *heard) {
        if (each.source == source_.value && each.intake != Intake::Poll)
            last = std::max(last.value_or(each.last_at), each.last_at);
    }
    return last;
}

}  // namespace orbridge
