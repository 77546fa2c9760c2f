#include <algorithm>

#include "bridge/settings/pattern.h"
#include "bridge/settings/sections.h"
#include "bridge/settings/values.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

constexpr std::size_t kAttemptsMax = 100;
constexpr std::string_view kPayload = "payload.";

RetryPolicy read_retry(const ConfigNode& node) {
    auto policy = default_retry_policy();
    policy.schedule = node.durations("schedule", policy.schedule, 1ms, days{7});
    if (policy.schedule.size() > kAttemptsMax)
        node["schedule"].complain("has more than " + std::to_string(kAttemptsMax) + " waits");
    policy.jitter = node.number("jitter", policy.jitter, 0, 1);
    policy.floor_after_limit = node.duration("floor", policy.floor_after_limit, 0s, 24h);
    policy.wait_max = node.duration("wait_max", policy.wait_max, 1ms, days{7});
    node.done();
    return policy;
}

TargetSettings read_target(const std::string& name, const ConfigNode& node) {
    check_name(node, name);
    TargetSettings target{.id = {name}, .adapter = node.text("adapter"), .node = node};
    target.in_flight_max = static_cast<int>(node.integer("in_flight_max", target.in_flight_max, 1, 1000));
    target.retry = read_retry(node["retry"]);
    target.timeout = node.duration("timeout", target.timeout, 10ms, 15min);
    target.connect_timeout = node.duration("connect_timeout", target.connect_timeout, 10ms, 5min);
    target.connect_timeout = std::min(target.connect_timeout, target.timeout);
    target.answer_bytes_max = node.size("answer_bytes_max", target.answer_bytes_max, 1 << 10, 1 << 20);
    target.fingerprint = node.fingerprint();
    return target;
}

/// Complains unless `name`, the value at `node`, is one of those.
template <class Thing>
void check_known(const ConfigNode& node, const std::string& name, const char* kind, const std::vector<Thing>& things) {
    std::vector<std::string> known;
    known.reserve(things.size());
    for (const auto& thing : things) known.push_back(thing.id.value);
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    node.complain("there is no such " + std::string(kind) + suggestion(name, known));
}

std::vector<TargetId> read_to(const ConfigNode& node, const std::vector<TargetSettings>& targets) {
    const auto to = node["to"];
    if (!to.present()) to.complain("missing, expected the name of a target or a list of them");
    if (to.is_list() && to.items().empty()) to.complain("must not be empty");
    std::vector<TargetId> names;
    for (const auto& item : to.one_or_list()) {
        const auto name = item.as_text();
        if (!name) continue;
        check_known(item, *name, "target", targets);
        names.push_back({*name});
    }
    return names;
}

RouteSettings::Condition read_condition(const std::string& key, const ConfigNode& node) {
    RouteSettings::Condition condition;
    if (key.size() <= kPayload.size() || key.substr(0, kPayload.size()) != kPayload) {
        node.complain("expected a path into the payload, like payload.data.object.status");
    } else {
        condition.path = key.substr(kPayload.size());
    }
    for (const auto& item : node.one_or_list())
        if (auto value = item.as_text()) condition.any_of.push_back(std::move(*value));
    if (!node.present() || (node.is_list() && node.items().empty()))
        node.complain("expected a value or a list of values");
    return condition;
}

RouteSettings read_route(const ConfigNode& node, const std::vector<SourceSettings>& sources,
                         const std::vector<TargetSettings>& targets) {
    RouteSettings route;
    route.name = node.text("name", node.path());
    if (node["name"].present()) check_name(node["name"], route.name);
    route.source = node.text("source", "");
    if (!route.source.empty()) check_known(node["source"], route.source, "source", sources);
    route.channel = node.text("channel", "");
    route.event_name = node.text("event_name", "");
    if (const auto pattern = Pattern::compile(route.event_name); !pattern)
        node["event_name"].complain("not a valid RE2 pattern: " + pattern.error().message);
    for (const auto& [key, value] : node["when"].entries()) route.when.push_back(read_condition(key, value));
    route.to = read_to(node, targets);
    route.ordered = node.word("order", {"subject", "none"}, "subject") == "subject";
    route.interpolation = node.word("interpolation", {"neutralise", "refuse", "pass"}, "");
    node.done();
    return route;
}

}  // namespace

std::vector<TargetSettings> read_targets(const ConfigNode& root) {
    std::vector<TargetSettings> targets;
    for (const auto& [name, node] : root["targets"].entries()) targets.push_back(read_target(name, node));
    return targets;
}

std::vector<RouteSettings> read_routes(const ConfigNode& root, const std::vector<SourceSettings>& sources,
                                       const std::vector<TargetSettings>& targets) {
    std::vector<RouteSettings> routes;
    for (const auto& node : root["routes"].items()) {
        auto route = read_route(node, sources, targets);
        const auto same = [&](const RouteSettings& other) { return other.name == route.name; };
        if (std::any_of(routes.begin(), routes.end(), same)) node["name"].complain("another route has this name");
        routes.push_back(std::move(route));
    }
    return routes;
}

}  // namespace orbridge
