#include "adapters/subscriber/book.h"

#include <algorithm>
#include <charconv>

#include "bridge/core/json.h"

namespace orbridge {
namespace {

constexpr milliseconds kSecretOverlap{std::chrono::hours{24}};
constexpr milliseconds kSleepMost{std::chrono::hours{1}};

/// The last third of the lease begins.
TimePoint warning_time(const Subscription& one) { return one.lease_end - (one.lease_end - one.leased_at) / 3; }

bool runs(const Subscription& one, TimePoint now) { return now < one.lease_end; }

bool meant(const Subscription& one, const LeaseSelector& which) {
    return (!which.hook || *which.hook == one.hook) && (!which.url || *which.url == one.url);
}

std::vector<std::string> hooks_of(const std::vector<SubscriptionBook::SubscriptionPtr>& all) {
    std::vector<std::string> hooks;
    hooks.reserve(all.size());
    for (const auto& one : all) hooks.push_back(one->hook);
    return hooks;
}

std::vector<std::uint64_t> registrations_of(const std::vector<SubscriptionBook::SubscriptionPtr>& all) {
    std::vector<std::uint64_t> registrations;
    registrations.reserve(all.size());
    for (const auto& one : all) registrations.push_back(one->registration);
    return registrations;
}

}  // namespace

std::string route_of_registration(std::uint64_t registration) { return "registration " + std::to_string(registration); }

SubscriptionBook::SubscriptionBook(Store& store, const Clock& clock, Log& log)
    : store_(store), clock_(clock), log_(log) {
    const auto as_it_is = [](const Subscription& one) { return one; };
    at_rest_ = {as_it_is, as_it_is, [](const Subscription&) { return true; }};
}

Status SubscriptionBook::load() {
    auto all = store_.subscriptions();
    if (!all) return all.error();
    const auto now = clock_.now();
    for (auto& one : *all) {
        const auto subscription = std::make_shared<const Subscription>(at_rest_.open(one));
        if (subscription->gone && !runs(*subscription, now)) {
            keep_for_grace(subscription);
        } else {
            enter(subscription);
        }
    }
    return Ok{};
}

Result<std::size_t> SubscriptionBook::reseal() {
    const std::lock_guard change(change_);
    const auto all = store_.subscriptions();
    if (!all) return all.error();
    std::vector<Subscription> changed;
    for (const auto& one : *all)
        if (!at_rest_.is_current(one)) changed.push_back(at_rest_.open(one));
    if (changed.empty()) return std::size_t{0};
    if (const auto stored = store_again(changed); !stored) return stored.error();
    return changed.size();
}

Status SubscriptionBook::store_again(const std::vector<Subscription>& changed) {
    std::vector<Subscription> sealed;
    sealed.reserve(changed.size());
    for (const auto& one : changed) sealed.push_back(at_rest_.seal(one));
    return store_.update_subscriptions(sealed);
}

// ---- in memory ------------------------------------------------------------------------------------

void SubscriptionBook::enter(const SubscriptionPtr& subscription) {
    const auto filter = read_event_filter(subscription->event_filter);
    if (!filter) {  // this version refuses what an earlier one took
        log_.error("subscription.filter_refused", {{"hook", subscription->hook}, {"reason", filter.error().message}});
    } else {
        matcher_.add(std::to_string(subscription->registration), subscription->channel, *filter);
    }
    replace(subscription);
}

void SubscriptionBook::replace(const SubscriptionPtr& subscription) {
    const std::unique_lock lock(mutex_);
    const auto registration = subscription->registration;
    strike(registration);
    state_.ended.erase(subscription->hook);
    state_.by_registration[registration] = subscription;
    state_.by_hook[subscription->hook] = subscription;
    state_.agenda.emplace(subscription->lease_end, registration, Act::End);
    if (subscription->notices) state_.agenda.emplace(warning_time(*subscription), registration, Act::Warn);
}

/// Off the agenda.
void SubscriptionBook::strike(std::uint64_t registration) {
    const auto known = state_.by_registration.find(registration);
    if (known == state_.by_registration.end()) return;
    state_.agenda.erase({known->second->lease_end, registration, Act::End});
    state_.agenda.erase({warning_time(*known->second), registration, Act::Warn});
}

void SubscriptionBook::leave(const SubscriptionPtr& subscription) {
    matcher_.remove(std::to_string(subscription->registration));
    const std::unique_lock lock(mutex_);
    strike(subscription->registration);
    state_.by_registration.erase(subscription->registration);
    const auto now = state_.by_hook.find(subscription->hook);
    if (now != state_.by_hook.end() && now->second->registration == subscription->registration)
        state_.by_hook.erase(now);
}

std::vector<SubscriptionBook::SubscriptionPtr> SubscriptionBook::select(const LeaseSelector& which,
                                                                        TimePoint now) const {
    const std::shared_lock lock(mutex_);
    std::vector<SubscriptionPtr> found;
    if (which.hook) {
        const auto one = state_.by_hook.find(*which.hook);
        if (one != state_.by_hook.end() && runs(*one->second, now) && meant(*one->second, which))
            found.push_back(one->second);
        return found;
    }
    for (const auto& [registration, one] : state_.by_registration)
        if (runs(*one, now) && meant(*one, which)) found.push_back(one);
    return found;
}

std::vector<Subscription> SubscriptionBook::find(const LeaseSelector& which, TimePoint now) const {
    std::vector<Subscription> found;
    for (const auto& one : select(which, now)) found.push_back(*one);
    return found;
}

SubscriptionBook::SubscriptionPtr SubscriptionBook::callable(const std::string& hook, TimePoint now) const {
    const std::shared_lock lock(mutex_);
    const auto found = state_.by_hook.find(hook);
    if (found == state_.by_hook.end() || !runs(*found->second, now) || found->second->gone) return nullptr;
    return found->second;
}

SubscriptionBook::SubscriptionPtr SubscriptionBook::running(std::uint64_t registration, TimePoint now) const {
    const std::lock_guard change(change_);
    const std::shared_lock lock(mutex_);
    const auto found = state_.by_registration.find(registration);
    if (found == state_.by_registration.end() || !runs(*found->second, now) || found->second->gone) return nullptr;
    return found->second;
}

std::vector<SubscriptionBook::SubscriptionPtr> SubscriptionBook::match(std::string_view channel,
                                                                       std::string_view event_name,
                                                                       TimePoint now) const {
    std::vector<SubscriptionPtr> found;
    const auto registrations = matcher_.match(channel, event_name);
    const std::shared_lock lock(mutex_);
    for (const auto& text : registrations) {
        std::uint64_t registration = 0;
        std::from_chars(text.data(), text.data() + text.size(), registration);
        const auto one = state_.by_registration.find(registration);
        if (one != state_.by_registration.end() && runs(*one->second, now) && !one->second->gone)
            found.push_back(one->second);
    }
    return found;
}

// ---- changes --------------------------------------------------------------------------------------

Status SubscriptionBook::add(Subscription subscription, const std::optional<Since>& since) {
    const std::lock_guard change(change_);
    const auto now = clock_.now();
    if (auto room = room_for(subscription.hook); !room) return room;
    std::optional<std::uint64_t> after;
    if (since) {
        const auto allowed = entitled(subscription.hook, *since);
        if (!allowed) return allowed.error();
        after = *allowed;
    }
    keep_secret_before(subscription, now);
    const auto registration = store_.put_subscription(at_rest_.seal(subscription));
    if (!registration) return registration.error();
    subscription.registration = *registration;
    // Before events find it, so that none overtakes what it missed.
    auto begun = after ? late_.begin(subscription, *after) : Status(Ok{});
    const auto replaced = before(subscription.hook);
    if (replaced) leave(replaced);
    enter(std::make_shared<const Subscription>(std::move(subscription)));
    if (replaced) end_deliveries(*replaced, DeliveryState::Cancelled, "registered again", now);
    wake_();
    return begun;
}

Status SubscriptionBook::room_for(const std::string& hook) const {
    const std::shared_lock lock(mutex_);
    if (state_.by_hook.size() < active_max_ || state_.by_hook.count(hook) != 0) return Ok{};
    return Error{Error::Kind::Invalid, "there are " + std::to_string(state_.by_hook.size()) +
                                           " active webhooks, and no more are taken (subscriptions.active_max)"};
}

/// The registration that a new one of this hook takes the place of; nothing if there is none.
SubscriptionBook::SubscriptionPtr SubscriptionBook::before(const std::string& hook) const {
    const std::shared_lock lock(mutex_);
    if (const auto found = state_.by_hook.find(hook); found != state_.by_hook.end()) return found->second;
    return nullptr;
}

/// The event after which it is to be told. A running lease counts too: who got no answer registers once more.
Result<std::uint64_t> SubscriptionBook::entitled(const std::string& hook, const Since& since) const {
    const auto known = [&] {
        const std::shared_lock lock(mutex_);
        return state_.by_hook.count(hook) != 0 || state_.ended.count(hook) != 0;
    };
    if (!late_.locate || grace_.load() == milliseconds{0} || !known())
        return Error{Error::Kind::Invalid, "since: there is no lease of this hookId that can be taken up again"};
    return late_.locate(since);
}

/// So that a subscriber can change its secret without a moment in which it knows only the wrong one.
void SubscriptionBook::keep_secret_before(Subscription& subscription, TimePoint now) const {
    const auto before = callable(subscription.hook, now);
    if (!before || before->secret.empty() || before->secret == subscription.secret) return;
    subscription.secret_before = before->secret;
    subscription.secret_before_until = now + kSecretOverlap;
}

Result<std::vector<std::string>> SubscriptionBook::renew(const LeaseSelector& which, TimePoint now,
                                                         TimePoint lease_end) {
    const std::lock_guard change(change_);
    std::vector<Subscription> renewed;
    for (const auto& one : select(which, now)) {
        renewed.push_back(*one);
        renewed.back().leased_at = now;
        renewed.back().lease_end = lease_end;
        renewed.back().gone = false;
    }
    std::vector<std::string> hooks;
    if (renewed.empty()) return hooks;
    if (const auto stored = store_again(renewed); !stored) return stored.error();
    for (auto& one : renewed) {
        hooks.push_back(one.hook);
        replace(std::make_shared<const Subscription>(std::move(one)));
    }
    wake_();
    return hooks;
}

Result<std::vector<std::string>> SubscriptionBook::remove(const LeaseSelector& which, TimePoint now) {
    const std::lock_guard change(change_);
    const auto meant = select(which, now);
    if (meant.empty()) return std::vector<std::string>{};
    for (const auto& one : meant) leave(one);  // first, so that nothing starts any more
    if (const auto stored = store_.remove_subscriptions(registrations_of(meant)); !stored) {
        for (const auto& one : meant) enter(one);
        return stored.error();
    }
    for (const auto& one : meant) {
        end_deliveries(*one, DeliveryState::Cancelled, "unregistered", now);
        missed_.with([&](auto& counts) { counts.erase(one->hook); });
        notify(*one, "removed", R"({"reason":"unregistered"})");
    }
    return hooks_of(meant);
}

/// Should this fail, the deliveries are ended by whoever comes upon them: they name a registration that is not there.
std::uint64_t SubscriptionBook::end_deliveries(const Subscription& subscription, DeliveryState as,
                                               const std::string& why, TimePoint now) {
    const auto ended = store_.end_pending(target_of_hook(subscription.hook), std::nullopt, as, why, now);
    if (ended) return *ended;
    log_.error("subscription.deliveries_left", {{"hook", subscription.hook}, {"reason", ended.error().message}});
    return 0;
}

// ---- as time passes -------------------------------------------------------------------------------

void SubscriptionBook::gone(const std::string& hook, std::uint64_t registration) {
    gone_.with([&](auto& waiting) { waiting.emplace_back(hook, registration); });
    wake_();
}

milliseconds SubscriptionBook::step() {
    const auto now = clock_.now();
    const std::lock_guard change(change_);
    take_gone(now);
    end_leases(now);
    forget(now);
    const std::shared_lock lock(mutex_);
    auto next = now + kSleepMost;
    if (!state_.agenda.empty()) next = std::min(next, std::get<TimePoint>(*state_.agenda.begin()));
    if (!state_.forget.empty()) next = std::min(next, state_.forget.begin()->first);
    return std::max(next - now, milliseconds{0});
}

void SubscriptionBook::take_gone(TimePoint now) {
    for (const auto& [hook, registration] : gone_.with([](auto& waiting) { return std::exchange(waiting, {}); })) {
        const auto known = callable(hook, now);
        if (!known || known->registration != registration) continue;
        auto changed = *known;
        changed.gone = true;
        if (const auto stored = store_again({changed}); !stored)
            log_.error("subscription.not_stored", {{"hook", hook}, {"reason", stored.error().message}});
        replace(std::make_shared<const Subscription>(changed));
        end_deliveries(changed, DeliveryState::Cancelled, "the subscriber answered 410 Gone", now);
        log_.warn("subscription.gone", {{"hook", hook}, {"channel", changed.channel}});
    }
}

/// Takes what is due off the agenda.
std::vector<std::pair<SubscriptionBook::SubscriptionPtr, SubscriptionBook::Act>> SubscriptionBook::due(TimePoint now) {
    std::vector<std::pair<SubscriptionPtr, Act>> found;
    const std::unique_lock lock(mutex_);
    auto& agenda = state_.agenda;
    while (!agenda.empty() && std::get<TimePoint>(*agenda.begin()) <= now) {
        const auto [time, registration, act] = *agenda.begin();
        agenda.erase(agenda.begin());
        found.emplace_back(state_.by_registration.at(registration), act);
    }
    return found;
}

void SubscriptionBook::end_leases(TimePoint now) {
    std::vector<SubscriptionPtr> ended;
    for (const auto& [one, act] : due(now)) {
        if (act == Act::End) {
            leave(one);
            ended.push_back(one);
        } else if (runs(*one, now)) {
            warn(*one, now);
        }
    }
    if (ended.empty()) return;
    remember_ended(ended);
    for (const auto& one : ended) {
        missed(*one, end_deliveries(*one, DeliveryState::Expired, "the lease is over", now));
        log_.info("subscription.expired", {{"hook", one->hook}, {"channel", one->channel}});
        tell_missed(*one);
        notify(*one, "removed", R"({"reason":"expired"})");
        expired_(*one);
    }
}

/// `gone` in the store says after a restart that its end is dealt with.
void SubscriptionBook::remember_ended(const std::vector<SubscriptionPtr>& ended) {
    std::vector<Subscription> changed;
    changed.reserve(ended.size());
    for (const auto& one : ended) {
        changed.push_back(*one);
        changed.back().gone = true;
        keep_for_grace(one);
    }
    if (grace_.load() == milliseconds{0}) return;  // about to be removed
    if (const auto stored = store_again(changed); !stored)
        log_.error("subscription.not_stored", {{"reason", stored.error().message}});
}

void SubscriptionBook::keep_for_grace(const SubscriptionPtr& ended) {
    const std::unique_lock lock(mutex_);
    state_.ended[ended->hook] = ended;
    state_.forget.emplace(ended->lease_end + grace_.load(), ended);
}

void SubscriptionBook::forget(TimePoint now) {
    std::vector<SubscriptionPtr> over;
    {
        const std::unique_lock lock(mutex_);
        auto& waiting = state_.forget;
        for (; !waiting.empty() && waiting.begin()->first <= now; waiting.erase(waiting.begin())) {
            const auto& one = waiting.begin()->second;
            over.push_back(one);
            const auto ended = state_.ended.find(one->hook);
            if (ended != state_.ended.end() && ended->second == one) state_.ended.erase(ended);
        }
    }
    if (over.empty()) return;
    if (const auto stored = store_.remove_subscriptions(registrations_of(over)); !stored)
        log_.error("subscription.not_stored", {{"reason", stored.error().message}});
}

// ---- what was missed ------------------------------------------------------------------------------

void SubscriptionBook::missed(const Subscription& subscription, std::uint64_t count) {
    if (count == 0 || !subscription.notices) return;
    missed_.with([&](auto& counts) { counts[subscription.hook] += count; });
}

void SubscriptionBook::reached(const Subscription& subscription) { tell_missed(subscription); }

void SubscriptionBook::tell_missed(const Subscription& subscription) {
    const auto count = missed_.with([&](auto& counts) {
        const auto found = counts.find(subscription.hook);
        const auto value = found == counts.end() ? std::uint64_t{0} : found->second;
        if (found != counts.end()) counts.erase(found);
        return value;
    });
    if (count > 0) notify(subscription, "missed", R"({"count":)" + std::to_string(count) + "}");
}

void SubscriptionBook::warn(const Subscription& subscription, TimePoint now) {
    JsonWriter json;
    json.object().member("leaseEnd", std::int64_t{subscription.lease_end.time_since_epoch().count()});
    json.member("secondsLeft", std::int64_t{(subscription.lease_end - now) / seconds{1}}).end();
    notify(subscription, "expiring", json.text());
}

void SubscriptionBook::notify(const Subscription& subscription, const std::string& what, const std::string& payload) {
    if (subscription.notices && notify_) notify_(subscription, what, payload);
}

}  // namespace orbridge
