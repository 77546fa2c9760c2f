#include "bridge/api/replay.h"

#include <algorithm>
#include <set>
#include <utility>

namespace orbridge {
namespace {

constexpr std::size_t kProblemsMax = 20;
constexpr int kPage = 500;
constexpr int kLookedAtMost = 10'000;  // in one call, if little of it is wanted
constexpr int kCountPage = 2'000;
constexpr int kToldAtOnce = 100;  // in one transaction

bool wanted(const ReplayOrder& order, const std::string& subject, const std::string& channel) {
    return (order.subject.empty() || order.subject == subject) && (order.channel.empty() || order.channel == channel);
}

bool wanted(const ReplayOrder& order, const DeliveryRow& row) {
    return row.state != DeliveryState::Pending && wanted(order, row.subject, row.channel);
}

bool wanted(const ReplayOrder& order, const Event& event) {
    return (order.event.empty() || event.id.value == order.event) && wanted(order, event.subject, event.channel);
}

/// One event without a state means the event itself, by the routes of now, whatever became of it before.
bool is_event_itself(const ReplayOrder& order) { return !order.event.empty() && !order.state && !order.unmapped; }

TimePoint end_of(const ReplayOrder& order, const ReplayId& replay) {
    return std::min(order.until.value_or(replay.at), replay.at);
}

DeliveryQuery query_of(const ReplayOrder& order, const ReplayId& replay, const ReplayState& state, int limit) {
    DeliveryQuery query;
    query.state = order.state;
    query.target = order.target;
    query.event = order.event;
    query.since = order.since;
    query.until = end_of(order, replay);
    query.after_id = state.after_delivery;
    query.oldest_first = true;
    query.limit = limit;
    return query;
}

EventQuery unmapped_of(const ReplayOrder& order, const ReplayId& replay, const ReplayState& state, int limit) {
    EventQuery query;
    query.state = EventState::Unmapped;
    query.since = order.since;
    query.until = end_of(order, replay);
    query.after_sequence = state.after_event;
    query.oldest_first = true;
    query.limit = limit;
    return query;
}

UntoldQuery untold_of(const ReplayOrder& order, const ReplayState& state, int limit) {
    return {.source = {order.backfill},
            .since = order.since,
            .until = order.until,
            .after = state.after_subject,
            .limit = limit};
}

void note(ReplayState& state, const Status& status, const std::string& what) {
    if (status) {
        ++state.replayed;
    } else if (state.problems.size() < kProblemsMax) {
        state.problems.push_back(what + ": " + status.error().message);
    }
}

/// One for each event and target.
DeliveryId id_of(const ReplayId& replay, const EventId& event, const TargetId& target) {
    return derived_delivery_id(replay.at, replay.id + '\n' + event.value + '\n' + target.value);
}

/// It may succeed later: then the same is tried again, and nothing is counted.
bool passing(const Status& status) { return !status && status.error().kind == Error::Kind::Unavailable; }

}  // namespace

Replay::Replay(Store& store, Remap remap, RouterNow router, HasTarget has_target, Wake wake, Backfilling backfilling)
    : store_(store),
      remap_(std::move(remap)),
      router_(std::move(router)),
      has_target_(std::move(has_target)),
      wake_(std::move(wake)),
      backfilling_(std::move(backfilling)) {}

Status Replay::check(const ReplayOrder& order) const {
    if (!order.backfill.empty()) {
        auto ready = backfilling_.ready({order.backfill});
        return passing(ready) ? Status(Ok{}) : ready;
    }
    if (order.unmapped) return Ok{};
    if (!order.target.empty() && !has_target_({order.target}))
        return Error{Error::Kind::Invalid, "target: no target `" + order.target + "` is configured"};
    if (order.target.empty() && order.event.empty() && order.subject.empty() && order.channel.empty() && !order.state &&
        !order.since) {
        return Error{Error::Kind::Invalid,
                     "name an event, a subject, a channel, a target, a state or a time to replay from"};
    }
    if (!is_event_itself(order)) return Ok{};
    const auto event = store_.event({order.event});
    return event ? Status(Ok{}) : Status(event.error());
}

Result<std::uint64_t> Replay::count(const ReplayOrder& order, const ReplayId& replay, std::uint64_t most) {
    if (!order.backfill.empty()) return left(order, {});
    if (is_event_itself(order)) {
        const auto event = store_.event({order.event});
        if (!event) return event.error();
        return event->state == EventState::Unmapped ? std::uint64_t{1} : targets_of(order, *event).size();
    }
    ReplayState state;
    for (bool more = true; more && state.matched < most;) {
        if (order.unmapped) {
            const auto page = store_.events(unmapped_of(order, replay, state, kCountPage));
            if (!page) return page.error();
            for (const auto& event : *page) state.matched += wanted(order, event) ? 1 : 0;
            more = page->size() == kCountPage;
            if (more) state.after_event = page->back().sequence;
        } else {
            const auto page = store_.deliveries(query_of(order, replay, state, kCountPage));
            if (!page) return page.error();
            for (const auto& row : *page) state.matched += wanted(order, row) ? 1 : 0;
            more = page->size() == kCountPage;
            if (more) state.after_delivery = page->back().id.value;
        }
    }
    return std::min(state.matched, most);
}

Result<std::uint64_t> Replay::left(const ReplayOrder& order, const ReplayState& state) {
    return store_.count_untold(untold_of(order, state, 0));
}

Status Replay::advance(const ReplayOrder& order, const ReplayId& replay, ReplayState& state, int most) {
    if (!order.backfill.empty()) return backfill_some(order, state, most);
    if (order.unmapped) return remap_some(order, replay, state, most);
    if (is_event_itself(order)) return repeat_event(order, replay, state);
    return repeat_some(order, replay, state, most);
}

/// One that was told of meanwhile is not looked at any more, so that a part may be done twice.
Status Replay::backfill_some(const ReplayOrder& order, ReplayState& state, int most) {
    const SourceId source{order.backfill};
    if (auto ready = backfilling_.ready(source); !ready) return ready;
    while (most > 0) {
        const auto limit = std::min(most, kToldAtOnce);
        const auto page = store_.untold(untold_of(order, state, limit));
        if (!page) return page.error();
        const auto told = backfilling_.tell(source, *page);
        if (!told) return told.error();
        state.matched += page->size();
        state.replayed += told->events;
        for (const auto& problem : told->problems)
            if (state.problems.size() < kProblemsMax) state.problems.push_back(problem);
        if (!page->empty()) state.after_subject = page->back().subject;
        state.done = page->size() < static_cast<std::size_t>(limit);
        if (state.done) return Ok{};
        most -= limit;
    }
    return Ok{};
}

Status Replay::remap_some(const ReplayOrder& order, const ReplayId& replay, ReplayState& state, int most) {
    const auto end = state.matched + static_cast<std::uint64_t>(most);
    for (int looked_at = 0; looked_at < kLookedAtMost; looked_at += kPage) {
        const auto page = store_.events(unmapped_of(order, replay, state, kPage));
        if (!page) return page.error();
        for (const auto& event : *page) {
            if (state.matched == end) return Ok{};
            if (wanted(order, event)) {
                auto status = remap_(event);
                if (passing(status)) return status;
                ++state.matched;
                note(state, status, event.id.value);
            }
            state.after_event = event.sequence;
        }
        state.done = page->size() < kPage;
        if (state.done) return Ok{};
    }
    return Ok{};
}

std::vector<Match> Replay::targets_of(const ReplayOrder& order, const Event& event) const {
    auto matches = router_()->match(event);
    if (order.target.empty()) return matches;
    std::erase_if(matches, [&](const Match& match) { return match.target.value != order.target; });
    if (matches.empty()) matches.push_back({{order.target}, "replay", true});
    return matches;
}

Status Replay::repeat_event(const ReplayOrder& order, const ReplayId& replay, ReplayState& state) {
    const auto event = store_.event({order.event});
    if (!event) return event.error();
    ReplayState fresh;
    fresh.done = true;
    if (event->state == EventState::Unmapped) {
        auto status = remap_(*event);
        if (passing(status)) return status;
        fresh.matched = 1;
        note(fresh, status, event->id.value);
    } else {
        for (const auto& match : targets_of(order, *event)) {
            auto status = again(replay, event->id, event->subject, match);
            if (passing(status)) return status;
            ++fresh.matched;
            note(fresh, status, match.target.value);
        }
    }
    state = std::move(fresh);
    return Ok{};
}

Status Replay::repeat_some(const ReplayOrder& order, const ReplayId& replay, ReplayState& state, int most) {
    const auto end = state.matched + static_cast<std::uint64_t>(most);
    std::set<DeliveryId> made;
    for (int looked_at = 0; looked_at < kLookedAtMost; looked_at += kPage) {
        const auto page = store_.deliveries(query_of(order, replay, state, kPage));
        if (!page) return page.error();
        for (const auto& row : *page) {
            if (state.matched == end) return Ok{};
            if (wanted(order, row) && made.insert(id_of(replay, row.event, row.target)).second) {
                auto status = repeat(replay, row);
                if (passing(status)) return status;
                ++state.matched;
                note(state, status, row.id.value);
            }
            state.after_delivery = row.id.value;
        }
        state.done = page->size() < kPage;
        if (state.done) return Ok{};
    }
    return Ok{};
}

Status Replay::repeat(const ReplayId& replay, const DeliveryRow& row) {
    if (!has_target_(row.target))
        return Error{Error::Kind::NotFound, "target `" + row.target.value + "` is not configured"};
    // As the route is now; a subscriber's, or one that is gone, is in order.
    const auto manner = router_()->manner_of(row.route).value_or(Router::Manner{});
    return again(replay, row.event, row.subject, {row.target, row.route, manner.ordered, manner.latest_only});
}

/// Once for each event and target: a second one has the same id.
Status Replay::again(const ReplayId& replay, const EventId& event, const std::string& subject, const Match& to) {
    NewDelivery delivery;
    delivery.id = id_of(replay, event, to.target);
    delivery.target = to.target;
    delivery.route = to.route;
    if (to.ordered) delivery.order_key = subject;
    delivery.latest_only = to.latest_only;
    delivery.due_at = replay.at;
    delivery.replayed = true;
    auto status = store_.add_deliveries(event, {delivery});
    wake_({to.target});  // even if it failed: only the answer may have got lost
    return status;
}

}  // namespace orbridge
