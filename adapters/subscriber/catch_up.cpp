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
constexpr milliseconds kPauseAtEnd{std::chrono::seconds{1}};
constexpr milliseconds kIdle{std::chrono::hours{1}};
/// Longer than storing an event takes, even on a disk that stalls.
constexpr milliseconds kComingIn{std::chrono::minutes{1}};

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
        tasks.push_back({number(member.value, "registration"), number(member.value, "after"), std::nullopt});
    shared_.with([&](Shared& shared) {
        shared.tasks = std::move(tasks);
        count_behind(shared);
    });
    return Ok{};
}

/// Not under shared_, which every event asks for.
Status CatchUp::save() {
    const auto tasks = shared_.with([](const Shared& shared) { return shared.tasks; });
    JsonWriter json;
    json.array();
    for (const auto& task : tasks) {
        json.object().member("registration", static_cast<std::int64_t>(task.registration));
        json.member("after", static_cast<std::int64_t>(task.after)).end();
    }
    json.end();
    if (json.text() == saved_) return Ok{};
    auto written = store_.set_note(kNote, json.text());
    if (written) saved_ = json.text();
    return written;
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
    const auto [limits, tasks] =
        shared_.with([](const Shared& shared) { return std::pair(shared.limits, shared.tasks.size()); });
    if (tasks >= limits.subscribers_max)
        return Error{Error::Kind::Unavailable, "since: too many subscribers are catching up"};
    if (since.event.empty() && since.time < clock_.now() - limits.kept) {
        return Error{Error::Kind::Invalid, "since: events are kept from " + to_iso8601(clock_.now() - limits.kept) +
                                               " on; what came earlier is gone"};
    }
    auto after = sequence_before(since);
    if (!after) return after;
    const auto last = last_sequence();
    if (!last) return last.error();
    if (*last > *after && *last - *after > static_cast<std::uint64_t>(limits.events_max)) {
        return Error{Error::Kind::Invalid, "since: " + std::to_string(*last - *after) +
                                               " events have come since then, at most " +
                                               std::to_string(limits.events_max) + " can be caught up with"};
    }
    return after;
}

Status CatchUp::begin(const Subscription& subscription, std::uint64_t after) {
    const std::lock_guard saving(saving_);
    const auto change = [&](const auto& how) {
        shared_.with([&](Shared& shared) {
            how(shared.tasks);
            count_behind(shared);
        });
    };
    change([&](std::vector<Task>& tasks) { tasks.push_back({subscription.registration, after, std::nullopt}); });
    auto saved = save();
    if (saved) return saved;
    change([](std::vector<Task>& tasks) { tasks.pop_back(); });
    return Error{saved.error().kind, "registered, but not to be told what was missed: " + saved.error().message};
}

// ---- and goes on ----------------------------------------------------------------------------------

bool CatchUp::behind(std::uint64_t registration) const {
    if (behind_.load() == 0) return false;
    return shared_.with([&](const Shared& shared) {
        return std::any_of(shared.tasks.begin(), shared.tasks.end(),
                           [&](const Task& task) { return task.registration == registration && !task.up_to_date; });
    });
}

void CatchUp::count_behind(const Shared& shared) {
    behind_ = static_cast<std::size_t>(
        std::count_if(shared.tasks.begin(), shared.tasks.end(), [](const Task& task) { return !task.up_to_date; }));
}

milliseconds CatchUp::step() {
    auto [tasks, limits] = shared_.with([](const Shared& shared) { return std::pair(shared.tasks, shared.limits); });
    if (tasks.empty()) return kIdle;
    const auto done = advance_all(tasks, limits);
    put_back(std::move(tasks), done);
    const auto left = shared_.with([](const Shared& shared) { return shared.tasks.size(); });
    if (left == 0) return kIdle;
    return behind_ == 0 ? kPauseAtEnd : kPause;
}

/// Shares what the rate allows, beginning with another one each time, so that all get on if it is little.
std::vector<bool> CatchUp::advance_all(std::vector<Task>& tasks, const CatchUpLimits& limits) {
    const auto count = tasks.size();
    const auto now = clock_.now();
    auto tokens = shared_.with([&](Shared& shared) { return shared.bucket.available(now); });
    const auto share = std::clamp(tokens / static_cast<int>(count), 1, kBatch);
    std::vector<bool> done(count);
    const auto first = turn_;
    for (; turn_ < first + count && tokens > 0; ++turn_) {
        const auto which = turn_ % count;
        auto& task = tasks[which];
        const auto subscription = find_(task.registration);
        done[which] = !subscription;
        if (!subscription) continue;
        const auto waiting = store_.pending_for(target_of_hook(subscription->hook));
        const auto room = limits.waiting_max - static_cast<std::int64_t>(waiting);
        if (room <= 0) continue;
        const auto progress = advance(task, *subscription, limits.backfilled,
                                      static_cast<int>(std::min<std::int64_t>({share, tokens, room})));
        tokens -= progress.looked_at;
        done[which] = progress.done;
    }
    return done;
}

CatchUp::Progress CatchUp::advance(Task& task, const Subscription& subscription, bool backfilled, int budget) {
    EventQuery next;
    next.state = EventState::Mapped;
    next.channel = subscription.channel;
    next.after_sequence = task.after;
    next.oldest_first = true;
    next.limit = budget;
    const auto events = store_.events(next);
    if (!events) return {};
    SubscriptionMatcher matcher;
    add_to(matcher, subscription);
    const auto now = clock_.now();
    Progress progress;
    for (const auto& event : *events) {
        const bool wanted = backfilled || !event.backfilled;
        if (wanted && !offer(event, subscription, matcher)) return progress;  // this one again, next time
        task.after = event.sequence;
        ++progress.looked_at;
        shared_.with([&](Shared& shared) { shared.bucket.take(now); });
    }
    if (progress.looked_at > 0) wake_({target_of_hook(subscription.hook)});
    if (progress.looked_at == budget) return progress;
    if (!task.up_to_date) task.up_to_date = now;
    progress.done = now > *task.up_to_date + kComingIn;
    return progress;
}

/// What began meanwhile stands behind the others.
void CatchUp::put_back(std::vector<Task> tasks, const std::vector<bool>& done) {
    const std::lock_guard saving(saving_);
    shared_.with([&](Shared& shared) {
        std::vector<Task> left;
        for (std::size_t i = 0; i < tasks.size(); ++i)
            if (!done[i]) left.push_back(tasks[i]);
        left.insert(left.end(), shared.tasks.begin() + static_cast<std::ptrdiff_t>(tasks.size()), shared.tasks.end());
        shared.tasks = std::move(left);
        count_behind(shared);
    });
    if (const auto saved = save(); !saved) log_.error("subscription.not_stored", {{"reason", saved.error().message}});
}

/// Due since it came in, so that what is due goes out in the order in which it came in.
Status CatchUp::offer(const Event& event, const Subscription& subscription, const SubscriptionMatcher& matcher) {
    if (matcher.match(event.channel, event.event_name).empty()) return Ok{};
    const auto target = target_of_hook(subscription.hook);
    NewDelivery delivery;
    delivery.id = ids_.delivery_id();
    delivery.target = target;
    delivery.route = route_of_registration(subscription.registration);
    delivery.order_key = event.subject;
    delivery.due_at = event.received_at;
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
