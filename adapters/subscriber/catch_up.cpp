#include "adapters/subscriber/catch_up.h"

#include <algorithm>
#include <utility>

#include "adapters/subscriber/book.h"
#include "adapters/subscriber/matcher.h"
#include "bridge/core/json.h"

namespace orbridge {
namespace {

constexpr const char* kNote = "subscriptions.catch_up";
constexpr int kBatch = 100;
constexpr milliseconds kPause{100};
constexpr milliseconds kIdle{std::chrono::hours{1}};
/// An event that was being accepted while the subscription was made may have missed it.
constexpr milliseconds kOverlap{5'000};

void add_to(SubscriptionMatcher& matcher, const Subscription& subscription) {
    if (const auto filter = read_event_filter(subscription.event_filter))
        matcher.add(subscription.hook, subscription.channel, *filter);
}

std::uint64_t number(const Json& task, std::string_view name) {
    return static_cast<std::uint64_t>(task[name].integer().value_or(0));
}

}  // namespace

CatchUp::CatchUp(Store& store, IdMaker& ids, const Clock& clock, Log& log, Find find, Wake wake)
    : store_(store), ids_(ids), clock_(clock), log_(log), find_(std::move(find)), wake_(std::move(wake)) {}

void CatchUp::set_limits(const CatchUpLimits& limits) {
    shared_.with([&](Shared& shared) {
        const auto& before = shared.limits.rate;
        if (limits.rate.requests != before.requests || limits.rate.per != before.per)
            shared.bucket = TokenBucket(limits.rate);
        shared.limits = limits;
    });
}

Status CatchUp::load() {
    const auto note = store_.note(kNote);
    if (!note) return note.error();
    const auto document = JsonDocument::parse(note->value_or("[]"));
    if (!document) return Ok{};  // nothing that can be taken up
    std::vector<Task> tasks;
    for (const auto& member : (*document)->root().members())
        tasks.push_back({number(member.value, "registration"), number(member.value, "after")});
    shared_.with([&](Shared& shared) { shared.tasks = std::move(tasks); });
    return Ok{};
}

Status CatchUp::save(const std::vector<Task>& tasks) {
    JsonWriter json;
    json.array();
    for (const auto& task : tasks) {
        json.object().member("registration", static_cast<std::int64_t>(task.registration));
        json.member("after", static_cast<std::int64_t>(task.after)).end();
    }
    json.end();
    return store_.set_note(kNote, json.text());
}

// ---- where it begins ------------------------------------------------------------------------------

Result<std::uint64_t> CatchUp::last_sequence() {
    EventQuery newest;
    newest.limit = 1;
    const auto events = store_.events(newest);
    if (!events) return events.error();
    return events->empty() ? std::uint64_t{0} : events->front().sequence;
}

Result<std::uint64_t> CatchUp::sequence_before(const Since& since) {
    if (!since.event.empty()) {
        const auto event = store_.event({since.event});
        if (event) return event->sequence;
        if (event.error().kind != Error::Kind::NotFound) return event.error();
        return Error{Error::Kind::Invalid, "since: there is no such event, or not any more"};
    }
    EventQuery first;
    first.since = since.time;
    first.oldest_first = true;
    first.limit = 1;
    const auto events = store_.events(first);
    if (!events) return events.error();
    return events->empty() ? last_sequence() : Result<std::uint64_t>(events->front().sequence - 1);
}

Result<std::uint64_t> CatchUp::locate(const Since& since) {
    auto after = sequence_before(since);
    if (!after) return after;
    const auto last = last_sequence();
    if (!last) return last.error();
    const auto most = shared_.with([](const Shared& shared) { return shared.limits.events_max; });
    if (*last > *after && *last - *after > static_cast<std::uint64_t>(most)) {
        return Error{Error::Kind::Invalid, "since: " + std::to_string(*last - *after) +
                                               " events have come since then, at most " + std::to_string(most) +
                                               " can be caught up with"};
    }
    return after;
}

Status CatchUp::begin(const Subscription& subscription, std::uint64_t after) {
    return shared_.with([&](Shared& shared) -> Status {
        if (shared.tasks.size() >= shared.limits.subscribers_max)
            return Error{Error::Kind::Unavailable, "too many subscribers are catching up"};
        auto changed = shared.tasks;
        changed.push_back({subscription.registration, after});
        auto saved = save(changed);
        if (saved) shared.tasks = std::move(changed);
        return saved;
    });
}

// ---- and goes on ----------------------------------------------------------------------------------

milliseconds CatchUp::step() {
    const auto tasks = shared_.with([](const Shared& shared) { return shared.tasks; });
    if (tasks.empty()) return kIdle;
    const auto now = clock_.now();
    const auto tokens = shared_.with([&](Shared& shared) { return shared.bucket.available(now); });
    const int budget = std::min<int>(kBatch, tokens / static_cast<int>(tasks.size()));
    std::vector<Task> left;
    for (auto task : tasks) {
        const auto subscription = find_(task.registration);
        if (subscription && advance(task, *subscription, std::max(1, budget))) left.push_back(task);
    }
    return shared_.with([&](Shared& shared) {
        // What began meanwhile stands behind the others.
        left.insert(left.end(), shared.tasks.begin() + static_cast<std::ptrdiff_t>(tasks.size()), shared.tasks.end());
        shared.tasks = std::move(left);
        if (const auto saved = save(shared.tasks); !saved)
            log_.error("subscription.not_stored", {{"reason", saved.error().message}});
        return shared.tasks.empty() ? kIdle : kPause;
    });
}

/// False: it has caught up.
bool CatchUp::advance(Task& task, const Subscription& subscription, int budget) {
    EventQuery next;
    next.state = EventState::Mapped;
    next.channel = subscription.channel;
    next.after_sequence = task.after;
    next.oldest_first = true;
    next.limit = budget;
    const auto events = store_.events(next);
    if (!events) return true;
    SubscriptionMatcher matcher;
    add_to(matcher, subscription);
    const auto now = clock_.now();
    for (const auto& event : *events) {
        if (event.received_at > subscription.registered_at + kOverlap) return false;
        if (!offer(event, subscription, matcher)) return true;  // this one again, next time
        task.after = event.sequence;
        shared_.with([&](Shared& shared) { shared.bucket.take(now); });
    }
    wake_({target_of_hook(subscription.hook)});
    return static_cast<int>(events->size()) == budget || now <= subscription.registered_at + kOverlap;
}

Status CatchUp::offer(const Event& event, const Subscription& subscription, const SubscriptionMatcher& matcher) {
    if (matcher.match(event.channel, event.event_name).empty()) return Ok{};
    const auto target = target_of_hook(subscription.hook);
    NewDelivery delivery;
    delivery.id = ids_.delivery_id();
    delivery.target = target;
    delivery.route = route_of_registration(subscription.registration);
    delivery.order_key = event.subject;
    delivery.due_at = clock_.now();
    DeliveryQuery known;
    known.target = target.value;
    known.event = event.id.value;
    const auto rows = store_.deliveries(known);
    if (!rows) return rows.error();
    const bool there = std::any_of(rows->begin(), rows->end(), [&](const DeliveryRow& row) {
        return row.route == delivery.route || row.state == DeliveryState::Delivered;
    });
    return there ? Status(Ok{}) : store_.add_deliveries(event.id, {delivery});
}

}  // namespace orbridge
