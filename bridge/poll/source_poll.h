#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bridge/core/guarded.h"
#include "bridge/core/log.h"
#include "bridge/core/random.h"
#include "bridge/poll/poller.h"
#include "bridge/poll/schedule.h"
#include "bridge/store/store.h"

namespace orbridge {

/// How polling a source goes.
struct PollReport {
    SourceId source{};
    std::string reads{};  ///< Poller::reads()
    PushState pushes = PushState::None;
    bool complete = false;                  ///< since the start all that is there was read to its end once
    std::optional<TimePoint> checked_at{};  ///< end of the last step, whatever came of it
    std::optional<TimePoint> fetched_at{};  ///< of the last one that went well
    std::optional<TimePoint> next_poll{};   ///< nothing: not by itself
    std::string error{};                    ///< of the last step; empty: it went well
    int failures = 0;                       ///< in a row
    std::uint64_t recovered = 0;            ///< events that no push had brought before, since the start
    std::uint64_t caught_up = 0;            ///< of those, what the first round after the start brought
    std::uint64_t duplicates = 0;           ///< found, and known already
    std::uint64_t untold = 0;               ///< changes whose content could not be read any more, since the start
    std::vector<std::string> cannot_tell{};
};

/// What became of what a step found.
struct Observation {
    std::uint64_t events = 0, duplicates = 0;
};

/// What became of the wish that a source be polled now.
struct RefreshVerdict {
    bool taken = false;                   ///< it will be polled
    bool new_poll = false;                ///< and nobody had wished for that before
    std::optional<TimePoint> again_at{};  ///< not taken: wish again then
};

/// Polls one source: at once, then again and again. step() belongs to one thread; everything else is safe from any.
class SourcePoll {
public:
    /// Stores what was found together with the bookmark, in one transaction.
    /// Reading began at the time given.
    using Take =
        std::function<Result<Observation>(const SourceId&, const std::vector<Observed>&, TimePoint, const Bookmark&)>;

    struct Tools {  ///< must outlive it
        Store& store;
        const Clock& clock;
        Random& random;
        Log& log;
        Take take;
        /// Told of the end of each step: what went wrong, or nothing.
        std::function<void(const SourceId&, const std::string& error)> ended{};
    };

    SourcePoll(SourceId source, std::unique_ptr<Poller> poller, PollSettings settings, Tools tools);

    /// One step if it is due; says when to come again.
    milliseconds step();
    /// Poll as soon as possible. Afterwards wake the thread that steps.
    void soon() {
        hurry_.with([](Hurry& hurry) { hurry.asked = true; });
    }
    /// Likewise, but one poll serves all who ask before it begins, and there are `refresh_min` between two that were
    /// asked for.
    RefreshVerdict refresh(TimePoint now);
    PollReport report() const {
        return report_.with([](const PollReport& report) { return report; });
    }

private:
    std::optional<Trouble> poll(bool& more);
    std::optional<TimePoint> last_push() const;
    void went_well(bool more, TimePoint now);
    void went_wrong(const Trouble& trouble, TimePoint now);

    SourceId source_;
    std::unique_ptr<Poller> poller_;
    PollSettings settings_;
    Tools tools_;
    std::optional<TimePoint> due_;
    bool caught_up_ = false;
    struct Hurry {
        bool asked = false;
        std::optional<TimePoint> refreshed_at{};
    };
    Guarded<Hurry> hurry_;
    Guarded<PollReport> report_;
};

}  // namespace orbridge
