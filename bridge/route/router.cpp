#include "bridge/route/router.h"

#include <algorithm>
#include <optional>
#include <set>

#include "bridge/core/json.h"
#include "bridge/core/text.h"
#include "bridge/settings/pattern.h"

namespace orbridge {
namespace {

constexpr std::size_t kQuotedBytesMax = 100;

std::string quoted(const std::string& text) {
    if (text.size() <= kQuotedBytesMax) return '`' + text + '`';
    return '`' + text.substr(0, kQuotedBytesMax) + "…`";
}

std::string one_of(const std::vector<std::string>& values) {
    std::vector<std::string> all;
    all.reserve(values.size());
    for (const auto& value : values) all.push_back(quoted(value));
    return join(all, " or ");
}

/// An event's payload, parsed when the first condition asks for it.
class Payload {
public:
    explicit Payload(const Event& event) : event_(event) {}
    Json at(const std::string& path) {
        if (!parsed_) {
            auto document = JsonDocument::parse(event_.payload);
            parsed_ = document ? *document : nullptr;
        }
        return *parsed_ ? (*parsed_)->root().path(path) : Json();
    }

private:
    const Event& event_;
    std::optional<JsonPtr> parsed_;
};

bool holds(const RouteSettings::Condition& condition, Payload& payload) {
    const auto value = payload.at(condition.path).scalar();
    return value && std::find(condition.any_of.begin(), condition.any_of.end(), *value) != condition.any_of.end();
}

/// Why the condition does not hold.
std::string fault(const RouteSettings::Condition& condition, Payload& payload) {
    const auto found = payload.at(condition.path);
    const auto value = found.scalar();
    std::string is = "missing";
    if (value) {
        is = quoted(*value);
    } else if (found.is_null()) {
        is = "null";
    } else if (found.present()) {
        is = found.is_array() ? "a list" : "an object";
    }
    return "payload." + condition.path + " is " + is + ", route wants " + one_of(condition.any_of);
}

}  // namespace

struct Router::Compiled {
    RouteSettings route;
    std::optional<Result<Pattern>> event_name;  ///< nothing: any

    explicit Compiled(const RouteSettings& settings) : route(settings) {
        if (!route.event_name.empty()) event_name.emplace(Pattern::compile(route.event_name));
    }

    enum class Step { Mapped, Backfilled, Source, Channel, Pattern, EventName, Condition, Taken };

    /// Where the event fails; Taken if nowhere. The failing condition goes to `at`.
    Step judge(const Event& event, Payload& payload, const RouteSettings::Condition** at = nullptr) const {
        if (event.state != EventState::Mapped) return Step::Mapped;
        if (event.backfilled && !route.backfilled) return Step::Backfilled;
        if (!route.source.empty() && route.source != event.source.value) return Step::Source;
        if (!route.channel.empty() && route.channel != event.channel) return Step::Channel;
        if (event_name && !*event_name) return Step::Pattern;
        if (event_name && !event_name->value().matches(event.event_name)) return Step::EventName;
        for (const auto& condition : route.when) {
            if (holds(condition, payload)) continue;
            if (at != nullptr) *at = &condition;
            return Step::Condition;
        }
        return Step::Taken;
    }

    /// Why the route does not take the event; nothing if it does.
    std::optional<std::string> refusal(const Event& event, Payload& payload) const {
        const RouteSettings::Condition* condition = nullptr;
        switch (judge(event, payload, &condition)) {
            case Step::Mapped:
                return event.state == EventState::Erased ? "the event was erased"
                                                         : "no mapping knew the event, so it has no channel";
            case Step::Backfilled: return "the event is backfilled, and the route takes none of those";
            case Step::Source:
                return "source is " + quoted(event.source.value) + ", route wants " + quoted(route.source);
            case Step::Channel: return "channel is " + quoted(event.channel) + ", route wants " + quoted(route.channel);
            case Step::Pattern: return "the route's event_name is no valid pattern";
            case Step::EventName:
                return "eventName is " + quoted(event.event_name) + ", route wants all of it to match " +
                       quoted(route.event_name);
            case Step::Condition: return fault(*condition, payload);
            case Step::Taken: break;
        }
        return std::nullopt;
    }
};

Router::Router(const std::vector<RouteSettings>& routes) {
    for (const auto& route : routes) {
        routes_.push_back(std::make_unique<const Compiled>(route));
        if (!route.channel.empty()) by_channel_[route.channel];
    }
    for (const auto& each : routes_) {  // in the order written, those of any channel among them
        const auto& channel = each->route.channel;
        if (!channel.empty()) {
            by_channel_[channel].push_back(each.get());
            continue;
        }
        any_channel_.push_back(each.get());
        for (auto& [name, of_channel] : by_channel_) of_channel.push_back(each.get());
    }
}

const std::vector<const Router::Compiled*>& Router::candidates(const std::string& channel) const {
    const auto found = by_channel_.find(channel);
    return found == by_channel_.end() ? any_channel_ : found->second;
}

Router::~Router() = default;
Router::Router(Router&&) noexcept = default;

std::vector<Match> Router::match(const Event& event) const {
    std::vector<Match> matches;
    std::set<TargetId> taken;
    Payload payload(event);
    for (const auto* each : candidates(event.channel)) {
        if (each->judge(event, payload) != Compiled::Step::Taken) continue;
        for (const auto& target : each->route.to) {
            if (taken.insert(target).second) {
                matches.push_back(
                    {target, each->route.name, each->route.ordered, each->route.latest_only, &each->route.loop});
            }
        }
    }
    return matches;
}

std::vector<RouteVerdict> Router::explain(const Event& event) const {
    std::vector<RouteVerdict> verdicts;
    std::set<TargetId> taken;
    Payload payload(event);
    for (const auto& each : routes_) {
        const auto refusal = each->refusal(event, payload);
        for (const auto& target : each->route.to) {
            const bool matched = !refusal && taken.insert(target).second;
            const auto otherwise = refusal.value_or("the event already goes to this target");
            verdicts.push_back({each->route.name, target, matched, matched ? "the event fits the route" : otherwise});
        }
    }
    return verdicts;
}

std::optional<Router::Manner> Router::manner_of(const std::string& route) const {
    const auto found =
        std::find_if(routes_.begin(), routes_.end(), [&](const auto& each) { return each->route.name == route; });
    if (found == routes_.end()) return std::nullopt;
    return Manner{(*found)->route.ordered, (*found)->route.latest_only};
}

}  // namespace orbridge
