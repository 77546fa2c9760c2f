#include "bridge/store/snapshot.h"

#include <algorithm>

#include "bridge/core/json.h"

namespace orbridge {
namespace {

/// Where a state has what is its own, if it is not all of it: objects of OpenRegister, items of polled lists.
constexpr const char* kOwnMembers[] = {"item", "data"};

/// Intakes know different parts of the same thing: what only one of them tells is no difference. Inside of what they
/// both tell everything counts, except that `nested` objects are compared in the same way once more.
bool agree(const Json& a, const Json& b, int nested) {
    if (!a.is_object() || !b.is_object()) return a.raw() == b.raw() || canonical_json(a) == canonical_json(b);
    for (const auto& member : a.members()) {
        const auto other = b[member.key];
        if (member.value.is_null() || !other.present() || other.is_null()) continue;
        const bool self = member.key == "@self" && nested > 0;
        const bool same =
            self ? agree(member.value, other, nested - 1) : canonical_json(member.value) == canonical_json(other);
        if (!same) return false;
    }
    return true;
}

bool equal(const std::string& a, const std::string& b) {
    if (a == b) return true;
    const auto before = JsonDocument::parse(a), now = JsonDocument::parse(b);
    return before && now && agree((*before)->root(), (*now)->root(), 1);
}

bool older(const Snapshot& before, const SubjectState& now) {
    return now.as_of && before.as_of && *now.as_of < *before.as_of;
}

/// An end is told in whole seconds, and what it ended perhaps in parts of them: in the same second it is not before it.
bool ended_before(const Snapshot& before, const SubjectState& now) {
    return now.as_of && before.as_of && *now.as_of < std::chrono::floor<seconds>(*before.as_of);
}

/// By push an end is told twice only if it happened twice (a deleted object is purged); polling cannot tell the two
/// apart, so one of each is one end. An end before what polling knows to live is over: telling it would end that.
/// Pushes alone come as it happens, whatever their clocks say.
SnapshotVerdict judge_end(const Snapshot& before, const SubjectState& now, Intake intake) {
    // What was found missing is missing by our clock, and the state's time is by another.
    if (before.live && now.read_after) return {.same = before.updated_at >= *now.read_after};
    const bool by_poll = intake == Intake::Poll || before.polled;
    if (before.live) return {.same = by_poll && ended_before(before, now)};
    return {.same = by_poll, .keep = !by_poll};
}

/// What is now, held against what was known when it was read.
SnapshotVerdict judge_present(const Snapshot& before, const SubjectState& now) {
    if (before.updated_at >= *now.read_after) return {.same = true};  // overtaken: the next reading tells
    if (before.live && older(before, now)) return {.same = true};
    if (before.live && equal(before.state, now.text)) return {.same = true};
    return {.real = true};
}

std::vector<std::string> differing(const Json& before, const Json& now) {
    std::vector<std::string> names;
    const auto look = [&](const Json& all, const Json& other) {
        for (const auto& member : all.members()) {
            const auto known = other[member.key];
            if (member.key == "@self" || (member.value.is_null() && !known.present())) continue;
            if (canonical_json(member.value) != canonical_json(known)) names.push_back(member.key);
        }
    };
    look(before, now);
    look(now, before);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

std::string to_json(const std::vector<std::string>& names) {
    JsonWriter json;
    json.array();
    for (const auto& name : names) json.value(name);
    json.end();
    return std::move(json).text();
}

}  // namespace

SnapshotVerdict judge(const std::optional<Snapshot>& before, const SubjectState& now, Intake intake) {
    if (!before) return {};
    if (now.ended) return judge_end(*before, now, intake);
    if (now.read_after) return judge_present(*before, now);
    if (older(*before, now)) return {.keep = true};
    const bool by_poll = intake == Intake::Poll || before->polled;
    // What was only seen so far is told by whoever comes first: it may have been seen a moment after it was made.
    return {.same = before->live && by_poll && !is_untold(before) && equal(before->state, now.text)};
}

SnapshotVerdict judge_late(const std::optional<Snapshot>& before, const SubjectState& now, const Event& event) {
    if (!before) return {};
    const bool orders = now.as_of && before->as_of;  // else the times of arrival do
    const bool late = orders ? older(*before, now) : before->updated_at > event.received_at;
    const bool ended_since = !before->live && before->updated_at > event.received_at;
    return {.keep = late || ended_since || (!before->live && now.ended)};
}

bool is_untold(const std::optional<Snapshot>& known) { return known && known->live && known->event.value.empty(); }

StateChange compare_states(const std::string& before, const std::string& now) {
    const auto a = JsonDocument::parse(before), b = JsonDocument::parse(now);
    if (!a || !b) return {};
    StateChange change;
    change.changed = differing((*a)->root(), (*b)->root());
    for (const auto* own : kOwnMembers) {
        if ((*a)->root()[own].is_object() && (*b)->root()[own].is_object())
            change.changed = differing((*a)->root()[own], (*b)->root()[own]);
    }
    change.same = change.changed.empty() && canonical_json((*a)->root()) == canonical_json((*b)->root());
    return change;
}

SnapshotUpdate following(const std::optional<Snapshot>& before, std::uint64_t floor, const SubjectState& now,
                         const Event& event, const EventId& stored_as, std::size_t before_bytes_max) {
    SnapshotUpdate update;
    auto& after = update.after;
    after.version = before ? before->version + 1 : floor + 1;
    if (before && before->live && !now.ended) {
        const auto change = compare_states(before->state, now.text);
        if (change.same) after.version = before->version;
        const bool fits = before->state.size() <= before_bytes_max;
        update.difference = Difference{fits ? before->state : std::string(), to_json(change.changed)};
    }
    after.live = !now.ended;
    after.polled = event.intake == Intake::Poll;
    if (!now.ended || !now.read_after) after.as_of = now.as_of;
    if (!after.as_of && before) after.as_of = before->as_of;
    after.updated_at = after.used_at = event.received_at;
    after.event = stored_as;
    after.state = now.text;
    return update;
}

Snapshot first_sight(const SubjectState& state, std::uint64_t floor, TimePoint now) {
    return {.version = floor + 1,
            .live = !state.ended,
            .polled = true,
            .as_of = state.as_of,
            .updated_at = now,
            .used_at = now,
            .event = {},
            .state = state.text};
}

std::string again_key(const std::string& dedup_key, std::uint64_t version_before) {
    return dedup_key + "\nafter version " + std::to_string(version_before);
}

}  // namespace orbridge
