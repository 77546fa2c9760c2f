#include "adapters/subscriber/recipe.h"

#include <algorithm>

#include "adapters/subscriber/signature.h"
#include "bridge/core/json.h"
#include "bridge/deliver/retry_after.h"

namespace orbridge {
namespace {

constexpr milliseconds kConnectMost{5'000};
constexpr int kGone = 410;

/// Clients read members of the payload without looking: it is always an object.
std::string as_object(const std::string& payload) {
    const auto first = payload.find_first_not_of(" \t\r\n");
    if (first == std::string::npos) return R"({"value":null})";
    return payload[first] == '{' ? payload : R"({"value":)" + payload + '}';
}

std::string body_of(const Subscription& subscription, const Callback& callback) {
    JsonWriter json;
    json.object().member("channel", callback.channel).member("eventName", callback.event_name);
    json.member("hookId", subscription.hook);
    json.member("timestamp", std::int64_t{callback.occurred_at.time_since_epoch().count()});
    json.member_raw("payload", as_object(callback.payload)).end();
    return std::move(json).text();
}

std::vector<Secret> secrets_of(const Subscription& subscription, const CallbackRules& rules, TimePoint now) {
    if (subscription.secret.empty()) return rules.product_secrets(subscription.product);
    std::vector<Secret> secrets{subscription.secret};
    const bool overlap = !subscription.secret_before.empty() && now < subscription.secret_before_until;
    if (overlap) secrets.push_back(subscription.secret_before);
    return secrets;
}

}  // namespace

Result<HttpRequest> callback_request(const Subscription& subscription, const Callback& callback,
                                     const CallbackRules& rules, TimePoint now) {
    const auto url = rules.policy.judge_url(subscription.url);
    if (!url) return Error{Error::Kind::Invalid, "url: " + url.error().message};
    const auto timestamp = std::to_string(now.time_since_epoch() / seconds{1});
    HttpRequest request{.method = "POST", .url = subscription.url, .body = body_of(subscription, callback)};
    request.headers = {
        {"Content-Type", "application/json"}, {"webhook-id", callback.id}, {"webhook-timestamp", timestamp}};
    const auto secrets = secrets_of(subscription, rules, now);
    if (!secrets.empty()) {
        request.headers.push_back(
            {"webhook-signature", standard_signature(secrets, callback.id, timestamp, request.body)});
    }
    request.timeout = rules.timeout;
    request.connect_timeout = std::min(rules.timeout, kConnectMost);
    request.may_connect = [policy = rules.policy, to = *url](const std::string& address) -> Status {
        const auto ip = parse_ip(address);
        if (!ip) return Error{Error::Kind::Invalid, "not an address that can be judged"};
        return policy.judge_address(to, *ip);
    };
    return request;
}

Result<HttpRequest> SubscriberRecipe::request_for(const Delivery& delivery, const std::string& route) const {
    const auto now = clock_.now();
    const auto subscription = book_.callable(hook_of(delivery.target), now);
    if (!subscription || route != route_of_registration(subscription->registration))
        return Error{Error::Kind::Conflict, "the registration that asked for it is over"};
    const auto& event = delivery.event;
    return callback_request(*subscription,
                            {delivery.id.value, event.channel, event.event_name, event.occurred_at, event.payload},
                            *rules_(), now);
}

Outcome SubscriberRecipe::outcome_of(const Delivery& delivery, const HttpResponse& response) const {
    if (response.status / 100 == 2) return Delivered{};
    const auto reason = "HTTP " + std::to_string(response.status);
    const auto subscription = book_.callable(hook_of(delivery.target), clock_.now());
    if (subscription && !rules_()->retries(subscription->product)) return Rejected{reason + ", not to be repeated"};
    if (response.status == kGone) return Rejected{reason + ": the subscriber wants no more"};
    Retry retry{.reason = reason, .at_least = retry_after(response)};
    if (response.status == 429) retry.why = Retry::Why::RateLimited;
    return retry;
}

}  // namespace orbridge
