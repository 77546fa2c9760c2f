#include "adapters/subscriber/verdict.h"

#include "adapters/subscriber/matcher.h"

namespace orbridge {
namespace {

std::string quoted(const std::string& text) { return '`' + text + '`'; }

}  // namespace

std::optional<std::string> refusal_of(const Subscription& subscription, const Event& event) {
    if (event.state == EventState::Erased) return "the event was erased";
    if (event.state != EventState::Mapped) return "no mapping knew the event, so it has no channel";
    if (subscription.gone) return "it answered 410 Gone, and has neither registered nor renewed since";
    if (subscription.channel != event.channel)
        return "channel is " + quoted(event.channel) + ", the subscription wants " + quoted(subscription.channel);
    const auto filter = read_event_filter(subscription.event_filter);
    if (!filter) return filter.error().message;
    SubscriptionMatcher matcher;
    matcher.add(subscription.hook, subscription.channel, *filter);
    if (matcher.match(event.channel, event.event_name).empty()) {
        return "eventName is " + quoted(event.event_name) + ", the subscription wants all of it to match " +
               quoted(subscription.event_filter);
    }
    return std::nullopt;
}

}  // namespace orbridge
