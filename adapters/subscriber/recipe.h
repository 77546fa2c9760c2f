#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/subscriber/book.h"
#include "bridge/deliver/outbound_policy.h"
#include "bridge/deliver/recipe.h"

namespace orbridge {

/// How callbacks are made. Replaced whole on a reload.
struct CallbackRules {
    OutboundPolicy policy;
    milliseconds timeout{10'000};
    /// False: what a subscriber of this product answers means nothing.
    std::function<bool(const std::string& product)> retries;
    /// Sign the callbacks of subscriptions of this product that have no secret of their own.
    std::function<std::vector<Secret>(const std::string& product)> product_secrets;
};

/// The lease API's callback (lease-api.md §8): five fields and no more, whatever else there is to say goes into
/// headers. Serves every subscription; which one, and whether it may still be called, the book says at the moment
/// of sending. The book and the clock must outlive it.
class SubscriberRecipe final : public Recipe {
public:
    using RulesNow = std::function<std::shared_ptr<const CallbackRules>()>;
    SubscriberRecipe(const SubscriptionBook& book, const Clock& clock, RulesNow rules)
        : book_(book), clock_(clock), rules_(std::move(rules)) {}

    Result<HttpRequest> request_for(const Delivery& delivery, const std::string& route) const override;
    Outcome outcome_of(const Delivery& delivery, const HttpResponse& response) const override;

private:
    const SubscriptionBook& book_;
    const Clock& clock_;
    const RulesNow rules_;
};

/// A callback to a subscription, whatever it tells.
struct Callback {
    std::string id;  ///< the same each time it is tried
    std::string channel, event_name;
    TimePoint occurred_at{};
    std::string payload;  ///< JSON
};
/// Invalid: the policy refuses the url.
Result<HttpRequest> callback_request(const Subscription& subscription, const Callback& callback,
                                     const CallbackRules& rules, TimePoint now);

}  // namespace orbridge
