#include "bridge/api/replay.h"

#include <set>

namespace orbridge {
namespace {

constexpr int kPage = 200;

bool wanted(const ReplayOrder& order, const std::string& subject, const std::string& channel) {
    return (order.subject.empty() || order.subject == subject) && (order.channel.empty() || order.channel == channel);
}

void note(ReplayReport& report, const Status& status, const std::string& what) {
    if (status) {
        ++report.replayed;
    } else if (report.problems.size() < 20) {
        report.problems.push_back(what + ": " + status.error().message);
    }
}

}  // namespace

Replay::Replay(Store& store, IdMaker& ids, const Clock& clock, Remap remap, RouterNow router, HasTarget has_target,
               Wake wake)
    : store_(store),
      ids_(ids),
      clock_(clock),
      remap_(std::move(remap)),
      router_(std::move(router)),
      has_target_(std::move(has_target)),
      wake_(std::move(wake)) {}

Result<ReplayReport> Replay::run(const ReplayOrder& order) {
    if (order.unmapped) return replay_unmapped(order);
    if (!order.target.empty() && !has_target_({order.target}))
        return Error{Error::Kind::Invalid, "target: no target `" + order.target + "` is configured"};
    if (!order.event.empty() && !order.state) return replay_event(order);
    if (order.target.empty() && order.event.empty() && order.subject.empty() && order.channel.empty() && !order.state &&
        !order.since) {
        return Error{Error::Kind::Invalid,
                     "name an event, a subject, a channel, a target, a state or a time to replay from"};
    }
    return replay_deliveries(order);
}

Result<ReplayReport> Replay::replay_unmapped(const ReplayOrder& order) {
    ReplayReport report;
    EventQuery query;
    query.state = EventState::Unmapped;
    query.since = order.since;
    query.until = order.until;
    query.limit = kPage;
    for (;;) {
        const auto page = store_.events(query);
        if (!page) return page.error();
        for (const auto& event : *page) {
            query.before_sequence = event.sequence;
            if (!order.event.empty() && event.id.value != order.event) continue;
            if (!wanted(order, event.subject, event.channel)) continue;
            if (report.matched == static_cast<std::uint64_t>(order.limit)) {
                report.more = true;
                return report;
            }
            ++report.matched;
            if (!order.dry_run) note(report, remap_(event), event.id.value);
        }
        if (page->size() < kPage) return report;
    }
}

Result<ReplayReport> Replay::replay_event(const ReplayOrder& order) {
    const auto event = store_.event({order.event});
    if (!event) return event.error();
    if (event->state == EventState::Unmapped) {
        auto unmapped = order;
        unmapped.unmapped = true;
        return replay_unmapped(unmapped);
    }
    ReplayReport report;
    auto matches = router_()->match(*event);
    if (!order.target.empty()) {
        std::erase_if(matches, [&](const Match& match) { return match.target.value != order.target; });
        if (matches.empty()) matches.push_back({{order.target}, "replay", true});
    }
    for (const auto& match : matches) {
        ++report.matched;
        if (order.dry_run) continue;
        note(report, again(event->id, match.target, match.route, match.ordered ? event->subject : std::string()),
             match.target.value);
    }
    return report;
}

Result<ReplayReport> Replay::replay_deliveries(const ReplayOrder& order) {
    ReplayReport report;
    DeliveryQuery query;
    query.state = order.state;
    query.target = order.target;
    query.event = order.event;
    query.since = order.since;
    query.until = order.until;
    query.limit = kPage;
    // Collected first: what a replay adds must not be found by its own search. Oldest are replayed first.
    std::vector<DeliveryRow> rows;
    for (;;) {
        const auto page = store_.deliveries(query);
        if (!page) return page.error();
        for (const auto& row : *page) {
            query.before_id = row.id.value;
            if (row.state != DeliveryState::Pending && wanted(order, row.subject, row.channel)) rows.push_back(row);
        }
        if (page->size() < kPage) break;
        if (rows.size() >= static_cast<std::size_t>(order.limit)) {
            report.more = true;
            break;
        }
    }
    report.matched = rows.size();
    if (order.dry_run) return report;
    std::set<std::pair<std::string, std::string>> done;
    for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
        if (!done.emplace(row->event.value, row->target.value).second) continue;  // once for each event and target
        if (!has_target_(row->target)) {
            note(report, Error{Error::Kind::NotFound, "target `" + row->target.value + "` is not configured"},
                 row->id.value);
            continue;
        }
        note(report, again(row->event, row->target, row->route, row->subject), row->id.value);
    }
    return report;
}

Status Replay::again(const EventId& event, const TargetId& target, const std::string& route,
                     const std::string& order_key) {
    auto status = store_.add_deliveries(event, {{ids_.delivery_id(), target, route, order_key, clock_.now(), true}});
    wake_({target});  // even if it failed: only the answer may have got lost
    return status;
}

}  // namespace orbridge
