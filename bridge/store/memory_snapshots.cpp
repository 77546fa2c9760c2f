#include <algorithm>

#include "bridge/core/json.h"
#include "bridge/store/memory_queries.h"
#include "bridge/store/memory_store.h"

// The part of the store in memory that keeps subjects' states, and forgets subjects.
namespace orbridge {
namespace {

bool is_wanted(const UntoldQuery& query, const std::pair<SourceId, std::string>& place, const Snapshot& snapshot) {
    return place.first == query.source && place.second > query.after && is_untold(snapshot) &&
           within(snapshot.as_of.value_or(snapshot.updated_at), query.since, query.until);
}

}  // namespace

Result<std::optional<Snapshot>> MemoryStore::snapshot(const SourceId& source, const std::string& subject) {
    return state_.with([&](State& state) -> std::optional<Snapshot> {
        const auto found = state.snapshots.find({source, subject});
        return found == state.snapshots.end() ? std::nullopt : std::optional(found->second);
    });
}

Result<std::vector<UntoldSubject>> MemoryStore::untold(const UntoldQuery& query) {
    return state_.with([&](State& state) {
        std::vector<UntoldSubject> untold;
        for (const auto& [place, snapshot] : state.snapshots) {
            const bool wanted = is_wanted(query, place, snapshot);
            if (wanted && untold.size() < static_cast<std::size_t>(query.limit))
                untold.push_back({place.second, snapshot});
        }
        return untold;
    });
}

Result<std::uint64_t> MemoryStore::count_untold(const UntoldQuery& query) {
    return state_.with([&](State& state) {
        const auto wanted = std::count_if(state.snapshots.begin(), state.snapshots.end(),
                                          [&](const auto& each) { return is_wanted(query, each.first, each.second); });
        return static_cast<std::uint64_t>(wanted);
    });
}

Result<std::uint64_t> MemoryStore::mark_told(const SourceId& source) {
    return state_.with([&](State& state) {
        std::map<std::string, const Event*> last;
        for (const auto& [sequence, stored] : state.events) {
            const auto& event = stored.event;
            if (event.source == source && event.state == EventState::Mapped) last[event.subject] = &event;
        }
        std::uint64_t marked = 0;
        for (auto& [place, snapshot] : state.snapshots) {
            const auto told = last.find(place.second);
            if (place.first != source || !is_untold(snapshot) || told == last.end()) continue;
            if (told->second->event_name.starts_with("deleted:")) continue;
            snapshot.event = told->second->id;
            ++marked;
        }
        return marked;
    });
}

Result<std::vector<std::string>> MemoryStore::live_subjects(const SourceId& source, const std::string& beginning,
                                                            const std::string& after, int limit) {
    return state_.with([&](State& state) {
        std::vector<std::string> subjects;
        for (const auto& [place, snapshot] : state.snapshots) {
            const auto& subject = place.second;
            const bool wanted = place.first == source && snapshot.live && subject.starts_with(beginning);
            if (wanted && subject > after && subjects.size() < static_cast<std::size_t>(limit))
                subjects.push_back(subject);
        }
        return subjects;
    });
}

Result<std::vector<SnapshotRow>> MemoryStore::snapshots(const SourceId& source, const std::string& after, int limit) {
    return state_.with([&](State& state) {
        std::vector<SnapshotRow> rows;
        for (auto each = state.snapshots.upper_bound({source, after}); each != state.snapshots.end(); ++each) {
            const auto& [place, snapshot] = *each;
            if (place.first != source || static_cast<int>(rows.size()) >= limit) break;
            rows.push_back({place.second, snapshot.version, snapshot.live, snapshot.updated_at});
        }
        return rows;
    });
}

Status MemoryStore::use_snapshot(const SourceId& source, const std::string& subject, TimePoint now) {
    state_.with([&](State& state) {
        const auto found = state.snapshots.find({source, subject});
        if (found != state.snapshots.end()) found->second.used_at = std::max(found->second.used_at, now);
    });
    return Ok{};
}

Result<std::optional<Difference>> MemoryStore::difference(const EventId& id) {
    return state_.with([&](State& state) -> Result<std::optional<Difference>> {
        const auto known = state.event_ids.find(id);
        if (known == state.event_ids.end()) return std::optional<Difference>{};
        return state.events.at(known->second).difference;
    });
}

void MemoryStore::remove_snapshot(State& state, const std::pair<SourceId, std::string>& place) {
    auto& floor = state.floors[place.first];
    floor = std::max(floor, state.snapshots.at(place).version);
    state.snapshots.erase(place);
}

Result<std::uint64_t> MemoryStore::prune_snapshots(const SnapshotRetention& retention, TimePoint now, int limit) {
    return state_.with([&](State& state) -> Result<std::uint64_t> {
        std::vector<std::pair<TimePoint, std::pair<SourceId, std::string>>> removable;
        for (const auto& [place, snapshot] : state.snapshots) {
            if (!snapshot.live || !retention.polled.contains(place.first))
                removable.emplace_back(snapshot.used_at, place);
        }
        std::sort(removable.begin(), removable.end());
        auto above = static_cast<std::int64_t>(state.snapshots.size()) - retention.rows_max;
        std::uint64_t removed = 0;
        for (const auto& [used_at, place] : removable) {
            if (removed >= static_cast<std::uint64_t>(std::max(0, limit))) break;
            if (used_at >= now - retention.unused && above <= 0) break;
            remove_snapshot(state, place);
            --above;
            ++removed;
        }
        return removed;
    });
}

// ---- erase

namespace {

bool names(const RunRow& run, const std::string& subject) {
    return run.params.find(subject) != std::string::npos || run.message.find(subject) != std::string::npos;
}

void blank(RunRow& run) {
    run.params = "null";
    run.message.clear();
}

}  // namespace

void MemoryStore::erase_event(State& state, StoredEvent& stored, TimePoint now, Erasure& erasure) {
    for (int number = stored.deliveries - 1; number >= 0; --number) {  // the last first: none is promoted
        auto& delivery = state.deliveries.at({stored.event.sequence, number});
        if (delivery.state == DeliveryState::Pending) {
            end(state, delivery, DeliveryState::Cancelled, "erased", now);
            erasure.woken.push_back(delivery.asked.target);
        }
        if (!delivery.reason.empty()) delivery.reason = "erased";
        delivery.asked.mark.clear();
        for (auto& attempt : delivery.attempts) attempt.reason = attempt.answer = attempt.message = "";
        delivery.progress = {};
        for (auto& run : state.runs)
            if (run.delivery == delivery.asked.id.value) blank(run);
        const auto job = state.jobs.find(delivery.asked.id);
        if (job == state.jobs.end()) continue;
        job->second.result.clear();
        if (!job_ended(job->second)) job->second.state = "lost";
    }
    auto& event = stored.event;
    event.state = EventState::Erased;
    event.subject = erasure.name;
    event.event_name.resize(std::min(event.event_name.find(':'), event.event_name.size()));
    event.payload.clear();
    stored.headers.clear();
    stored.difference.reset();
}

Result<Erasure> MemoryStore::erase(const ErasureOrder& order, TimePoint now) {
    return state_.with([&](State& state) -> Result<Erasure> {
        Erasure erasure;
        erasure.name = erased_name(order.subject);
        const auto text = erasure_text(order);
        erasure.searched = !text.empty();
        for (auto each = state.events.rbegin(); each != state.events.rend(); ++each) {
            auto& stored = each->second;
            const bool about = stored.event.subject == order.subject;
            const bool names =
                stored.event.subject.empty() && !text.empty() && stored.event.payload.find(text) != std::string::npos;
            const bool wanted = (about || names) && wants(order.source, stored.event.source.value);
            if (!wanted || order.subject.empty() || stored.event.state == EventState::Erased) continue;
            ++erasure.events;
            erasure.without_subject += about ? 0 : 1;
            for (int number = 0; number < stored.deliveries; ++number) {
                const auto& delivery = state.deliveries.at({stored.event.sequence, number});
                if (delivery.state == DeliveryState::Pending) ++erasure.deliveries;
                erasure.attempts += delivery.attempts.size();
                erasure.jobs += state.jobs.count(delivery.asked.id);
            }
            if (!order.dry_run) erase_event(state, stored, now, erasure);
        }
        std::vector<std::pair<SourceId, std::string>> places;
        for (const auto& [place, snapshot] : state.snapshots)
            if (place.second == order.subject && wants(order.source, place.first.value)) places.push_back(place);
        erasure.snapshots = places.size();
        const auto named = json_string(order.subject);
        for (auto& row : state.audit) {
            if (row.subject != order.subject && row.detail.find(named) == std::string::npos) continue;
            ++erasure.audit;
            if (order.dry_run) continue;
            if (row.subject == order.subject) row.subject = erasure.name;
            row.detail = "{}";
        }
        for (auto& run : state.runs)
            if (!order.dry_run && names(run, order.subject)) blank(run);
        if (!order.dry_run)
            for (const auto& place : places) remove_snapshot(state, place);
        return erasure;
    });
}

}  // namespace orbridge
