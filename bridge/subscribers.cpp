#include "bridge/subscribers.h"

#include <algorithm>

#include "adapters/subscriber/verdict.h"
#include "bridge/credentials/sealed_text.h"

namespace orbridge {
namespace {

constexpr std::size_t kChannelLabelsMax = 100;
constexpr std::size_t kExplainedMax = 100;
constexpr const char* kNoticeChannel = "Subscription";
const TargetId kTogether{"subscriptions"};

/// The subscriber chooses its hook and may take another one's after it has gone: product and URL are bound too.
SealedFor place_of(const Subscription& one, const char* column) {
    return {"subscriptions", one.hook, {one.product, one.url, column}};
}

SubscriptionBook::AtRest sealed_by(const Vault& vault, Log& log) {
    SubscriptionBook::AtRest at_rest;
    at_rest.seal = [&vault](const Subscription& one) {
        auto kept = one;
        kept.secret = seal_text(vault, place_of(one, "secret"), one.secret);
        kept.secret_before = seal_text(vault, place_of(one, "secret_before"), one.secret_before);
        return kept;
    };
    at_rest.open = [&vault, &log](const Subscription& kept) {
        auto one = kept;
        one.secret = open_text(vault, place_of(kept, "secret"), kept.secret);
        one.secret_before = open_text(vault, place_of(kept, "secret_before"), kept.secret_before);
        if (is_sealed_text(one.secret) || is_sealed_text(one.secret_before))
            log.error("subscription.secret_unreadable", {{"hook", one.hook}});
        return one;
    };
    at_rest.is_current = [&vault](const Subscription& kept) {
        return is_current_text(vault, place_of(kept, "secret"), kept.secret) &&
               is_current_text(vault, place_of(kept, "secret_before"), kept.secret_before);
    };
    return at_rest;
}

}  // namespace

Subscribers::Subscribers(Tools tools)
    : tools_(tools),
      rules_(std::make_shared<const Rules>()),
      tokens_(tools.store),
      book_(tools.store, tools.clock, tools.log),
      catch_up_(
          tools.store, tools.ids, tools.clock, tools.log,
          [this](std::uint64_t registration) -> std::optional<Subscription> {
              const auto found = book_.running(registration, tools_.clock.now());
              if (!found) return std::nullopt;
              return *found;
          },
          tools.wake),
      recipe_(std::make_shared<const SubscriberRecipe>(book_, tools.clock,
                                                       [this] {
                                                           auto now = rules();
                                                           return std::shared_ptr<const CallbackRules>(now,
                                                                                                       &now->callback);
                                                       })),
      api_(
          [this] {
              auto now = rules();
              return std::shared_ptr<const LeaseRules>(now, &now->lease);
          },
          book_, tools.clock, tools.random, tools.log, tools.audit,
          [this](const std::string& product, const std::string& action, const std::string& token, bool success) {
              tools_.metrics.lease_request(product, action, token, success);
          }) {
    book_.keep_by(sealed_by(tools.vault, tools.log));
    book_.when_noticed([this](const Subscription& to, const std::string& what, const std::string& payload) {
        send_notice(to, what, payload);
    });
    book_.when_expired([this](const Subscription& one) {
        tools_.metrics.subscription_expired(one.product, channel_label(one.channel));
    });
    book_.when_late({[this](const Since& since) { return catch_up_.locate(since); },
                     [this](const Subscription& one, std::uint64_t after) { return catch_up_.begin(one, after); }});
    book_.when_work([this] {
        if (worker_) worker_->wake();
    });
}

// ---- settings -------------------------------------------------------------------------------------

void Subscribers::check(const SubscriptionSettings& settings) {
    const auto policy = OutboundPolicy::make(settings.allow);
    if (!policy && settings.node) (*settings.node)["allow"].complain(policy.error().message);
}

std::shared_ptr<const Subscribers::Rules> Subscribers::make_rules(const SubscriptionSettings& settings) {
    auto rules = std::make_shared<Rules>();
    std::map<std::string, std::vector<Secret>> secrets;
    std::map<std::string, bool> retry;
    for (const auto& product : settings.products) {
        rules->lease.products.push_back(product.name);
        retry[product.name] = product.retry;
        secrets[product.name] = product.secrets;
    }
    if (auto policy = OutboundPolicy::make(settings.allow)) rules->callback.policy = std::move(*policy);
    rules->callback.timeout = settings.timeout;
    rules->backfilled = settings.backfilled;
    rules->callback.product_secrets = [secrets](const std::string& product) {
        const auto found = secrets.find(product);
        return found == secrets.end() ? std::vector<Secret>{} : found->second;
    };
    rules->callback.retries = [retry](const std::string& product) {
        const auto found = retry.find(product);
        return found == retry.end() || found->second;
    };
    rules->retry_after = settings.retry_after;
    rules->lease.lease_max = settings.lease_max;
    rules->lease.check_filter = [](const std::string& java) -> Status {
        const auto filter = read_event_filter(java);
        if (!filter) return filter.error();
        return Ok{};
    };
    rules->lease.check_url = [policy = rules->callback.policy](const std::string& url) {
        return policy.judge(url, &resolve_by_system);
    };
    rules->lease.token_name = [this](const std::string& value) { return tokens_.name_of(value); };
    return rules;
}

void Subscribers::configure(const Settings& whole) {
    const auto& settings = whole.subscriptions;
    std::vector<std::pair<std::string, Secret>> tokens;
    for (const auto& token : settings.tokens)
        for (const auto& value : token.values) tokens.emplace_back(token.name, value);
    tokens_.configure(tokens);
    book_.set_grace(settings.grace);
    book_.set_active_max(static_cast<std::size_t>(settings.active_max));
    catch_up_.set_limits({.rate = settings.catch_up_rate,
                          .events_max = settings.catch_up_events_max,
                          .waiting_max = settings.catch_up_waiting_max,
                          .kept = whole.store.retention_finished,
                          .backfilled = settings.backfilled});
    auto fresh = make_rules(settings);
    rules_.with([&](auto& current) { current = std::move(fresh); });
}

Status Subscribers::load(const Settings& settings) {
    configure(settings);
    if (auto loaded = tokens_.load(); !loaded) return loaded;
    if (auto loaded = catch_up_.load(); !loaded) return loaded;
    if (auto loaded = book_.load(); !loaded) return loaded;
    const auto sealed = book_.reseal();  // what was stored before there was a key, or under an older one
    if (!sealed) return sealed.error();
    if (*sealed > 0) tools_.log.info("subscription.secrets_sealed", {{"count", *sealed}});
    return Ok{};
}

void Subscribers::start() {
    worker_.emplace([this] { return std::min(book_.step(), catch_up_.step()); });
}

std::shared_ptr<const Subscribers::Rules> Subscribers::rules() const {
    return rules_.with([](const auto& current) { return current; });
}

milliseconds Subscribers::lease_max() const { return rules()->lease.lease_max; }

// ---- the accept path ------------------------------------------------------------------------------

std::vector<Match> Subscribers::match(const Event& event) const {
    std::vector<Match> matches;
    if (event.backfilled && !rules()->backfilled) return matches;
    const bool is_new = event.sequence == 0;
    for (const auto& one : book_.match(event.channel, event.event_name, tools_.clock.now())) {
        // Whoever is behind gets it in its turn, from the store, and does not hear of it before what came earlier.
        if (is_new && catch_up_.behind(one->registration)) continue;
        matches.push_back({target_of_hook(one->hook), route_of_registration(one->registration), true});
    }
    return matches;
}

std::vector<RouteVerdict> Subscribers::explain(const Event& event, const std::string& target) const {
    std::vector<RouteVerdict> verdicts;
    const auto now = tools_.clock.now();
    if (target.empty()) {
        if (event.state != EventState::Mapped) return verdicts;
        for (const auto& one : book_.match(event.channel, event.event_name, now)) {
            if (verdicts.size() == kExplainedMax) break;
            verdicts.push_back(verdict_of(*one, event));
        }
        return verdicts;
    }
    if (!is_hook({target})) return verdicts;
    for (const auto& one : book_.find({.hook = hook_of({target}), .url = {}}, now))
        verdicts.push_back(verdict_of(one, event));
    if (verdicts.empty()) verdicts.push_back({"subscription", {target}, false, "no lease of this hook runs"});
    return verdicts;
}

RouteVerdict Subscribers::verdict_of(const Subscription& one, const Event& event) const {
    RouteVerdict verdict{route_of_registration(one.registration), target_of_hook(one.hook), false, {}};
    auto refusal = refusal_of(one, event);
    if (!refusal && event.backfilled && !rules()->backfilled)
        refusal = "the event is backfilled, and subscriptions take none of those";
    verdict.matched = !refusal;
    verdict.reason = refusal.value_or("the event fits the subscription");
    if (verdict.matched && one.registered_at > event.received_at)
        verdict.reason += ", which was registered after it had come";
    return verdict;
}

Answer Subscribers::answer(const std::string& product, const std::string& action, const InboundRequest& request) {
    return api_.answer(product, action, request);
}

std::optional<Answer> Subscribers::refused(const InboundRequest& head, int status, const std::string& why) const {
    return api_.refused(head, status, why);
}

// ---- callbacks ------------------------------------------------------------------------------------

TargetFamily Subscribers::family(int in_flight_max) {
    return {.prefix = std::string(kHookPrefix),
            .find = [this](const TargetId& target) { return find(target); },
            .in_flight_max = in_flight_max};
}

std::optional<DeliveryTarget> Subscribers::find(const TargetId& target) const {
    const auto subscription = book_.callable(hook_of(target), tools_.clock.now());
    if (!subscription) return std::nullopt;
    const auto now = rules();
    // Without a breaker: one callback at a time and its timeout bound what a dead subscriber costs, and an open
    // breaker would withhold from it the first attempt that each event is owed in its turn (lease-api C5, C6, C9).
    DeliveryTarget found{.id = target, .recipe = recipe_, .in_flight_max = 1};
    found.retry.schedule =
        now->callback.retries(subscription->product) ? now->retry_after : std::vector<milliseconds>{};
    return found;
}

bool Subscribers::callable(const TargetId& target) const {
    return book_.callable(hook_of(target), tools_.clock.now()) != nullptr;
}

void Subscribers::recorded(const Settle& settle) {
    constexpr int kGone = 410;
    const auto& delivery = settle.claim.delivery;
    const auto subscription = book_.callable(hook_of(delivery.target), tools_.clock.now());
    const auto product = subscription ? subscription->product : std::string("unknown");
    tools_.metrics.callback(product, channel_label(delivery.event.channel), settle.attempt.outcome);
    tools_.metrics.attempted(kTogether, settle.attempt.outcome, settle.attempt.duration);
    if (std::holds_alternative<Finished>(settle.settlement)) {
        tools_.metrics.ended(kTogether, DeliveryState::Delivered);
        if (subscription) book_.reached(*subscription);
    }
    if (std::holds_alternative<Dead>(settle.settlement)) {
        tools_.metrics.ended(kTogether, DeliveryState::Dead);
        if (subscription) book_.missed(*subscription);
    }
    if (settle.attempt.status == kGone && subscription && rules()->callback.retries(product))
        book_.gone(subscription->hook, subscription->registration);
}

/// Best effort: whoever does not hear it sees by its lease.
void Subscribers::send_notice(const Subscription& to, const std::string& what, const std::string& payload) {
    const auto now = tools_.clock.now();
    const Callback callback{tools_.ids.uuid_v7(), kNoticeChannel, what, now, payload};
    auto request = callback_request(to, callback, rules()->callback, now);
    if (!request) return;
    tools_.log.info("subscription.notice", {{"hook", to.hook}, {"notice", what}});
    tools_.transport.send(std::move(*request), [](const Transport::Finished&) {});
}

// ---- those who ask --------------------------------------------------------------------------------

/// Channels are named by subscribers: only so many get a label.
std::string Subscribers::channel_label(const std::string& channel) const {
    return channels_.with([&](std::set<std::string>& known) {
        if (known.size() < kChannelLabelsMax) known.insert(channel);
        return known.contains(channel) ? channel : std::string("other");
    });
}

std::vector<Metrics::Subscribed> Subscribers::gauges() const {
    std::map<std::pair<std::string, std::string>, std::size_t> counts;
    for (const auto& one : book_.find({}, tools_.clock.now())) ++counts[{one.product, channel_label(one.channel)}];
    std::vector<Metrics::Subscribed> gauges;
    gauges.reserve(counts.size());
    for (const auto& [key, count] : counts) gauges.push_back({key.first, key.second, count});
    return gauges;
}

StoreCounts with_hooks_together(StoreCounts counts) {
    TargetCounts all;
    bool any = false;
    std::erase_if(counts.targets, [&](const auto& item) {
        if (!is_hook(item.first)) return false;
        const auto& one = item.second;
        any = true;
        all.pending += one.pending;
        all.delivered += one.delivered;
        all.dead += one.dead;
        all.expired += one.expired;
        all.cancelled += one.cancelled;
        if (one.oldest_pending)
            all.oldest_pending = std::min(all.oldest_pending.value_or(*one.oldest_pending), *one.oldest_pending);
        return true;
    });
    if (any) counts.targets[kTogether] = all;
    return counts;
}

}  // namespace orbridge
