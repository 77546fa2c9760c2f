#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/delivery.h"
#include "bridge/core/event.h"

namespace orbridge {

/// What an event leaves its subject as.
struct SubjectState {
    std::string text;    ///< JSON
    bool ended = false;  ///< the subject is no more; the text is what it was at last
    /// It was read from the source after this moment, as what is now: no older change told late.
    std::optional<TimePoint> read_after{};
    std::optional<TimePoint> as_of{};  ///< the state's own time, of an end when it ended: orders states
};

/// The latest known state of a subject.
struct Snapshot {
    std::uint64_t version = 0;  ///< grows by one per change, and goes on after an end
    bool live = true;
    bool polled = false;  ///< found by polling, not by a push
    std::optional<TimePoint> as_of{};
    TimePoint updated_at{};
    TimePoint used_at{};  ///< last changed or read
    EventId event;        ///< that made this version; empty: it was there before anything was told
    std::string state;
};

/// What an event is, held against what is known of its subject.
struct SnapshotVerdict {
    bool same = false;  ///< tells nothing that is not known: a duplicate
    bool keep = false;  ///< tells of an earlier state: the snapshot stays
    bool real = false;  ///< a change, even if its content was there before
};

/// Pure. `before`: nothing if the subject is not known.
SnapshotVerdict judge(const std::optional<Snapshot>& before, const SubjectState& now, Intake intake);
/// Likewise of an event that came some time ago and is only now understood: what came since stays.
SnapshotVerdict judge_late(const std::optional<Snapshot>& before, const SubjectState& now, const Event& event);

/// Whether a subject is there and no event was ever told of it: then a backfilled one may.
bool is_untold(const std::optional<Snapshot>& known);

/// What is known of two states of one subject, one after the other.
struct StateChange {
    bool same = false;                   ///< as canonical JSON
    std::vector<std::string> changed{};  ///< members that differ, sorted: of `data` or `item` if both have that, else
                                         ///< of the whole without `@self`
};
StateChange compare_states(const std::string& before, const std::string& now);

/// What an event leaves of its subject.
struct SnapshotUpdate {
    Snapshot after{};
    std::optional<Difference> difference{};  ///< of an update of what was known
};
/// `floor`: the highest version that was ever removed at this source. `before_bytes_max`: a larger state is not kept
/// with what followed it.
SnapshotUpdate following(const std::optional<Snapshot>& before, std::uint64_t floor, const SubjectState& now,
                         const Event& event, const EventId& stored_as, std::size_t before_bytes_max);
/// The snapshot of a subject that was there before anything was told of it.
Snapshot first_sight(const SubjectState& state, std::uint64_t floor, TimePoint now);
/// The dedup key of a content that comes a second time and is yet a change.
std::string again_key(const std::string& dedup_key, std::uint64_t version_before);

}  // namespace orbridge
