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

constexpr std::int64_t kRequestsMax = 1'000'000;

/// `10/1s`; nothing is asked of the text but that.
std::optional<RateLimit> parse_rate(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto requests = parse_integer(text.substr(0, slash));
    const auto per = parse_duration(text.substr(slash + 1));
    if (!requests || !per || *requests < 1 || *requests > kRequestsMax || *per < 10ms || *per > days{1})
        return std::nullopt;
    return RateLimit{static_cast<int>(*requests), *per};
}

std::optional<BreakerPolicy> read_breaker(const ConfigNode& node) {
    BreakerPolicy policy;
    if (node.is_scalar()) {
        const auto text = node.as_text().value_or("on");
        if (text == "off") return std::nullopt;
        if (text != "on")
            node.complain("expected on, off, or failures, share, window, open_least, open_most, pause_after");
        return policy;
    }
    policy.failures_in_a_row = static_cast<int>(node.integer("failures", policy.failures_in_a_row, 1, 1000));
    policy.failure_share = node.number("share", policy.failure_share, 0.01, 1);
    policy.share_least = policy.failures_in_a_row;
    policy.window = node.duration("window", policy.window, 1s, days{1});
    policy.open_least = node.duration("open_least", policy.open_least, 10ms, days{1});
    policy.open_most = node.duration("open_most", policy.open_most, 10ms, days{1});
    if (policy.open_most < policy.open_least) node["open_most"].complain("is shorter than open_least");
    policy.pause_after = node.duration("pause_after", policy.pause_after, 1s, days{365});
    node.done();
    return policy;
}

TargetSettings read_target(const std::string& name, const ConfigNode& node) {
    check_name(node, name);
    TargetSettings target{.id = {name}, .adapter = node.text("adapter"), .node = node};
    target.in_flight_max = static_cast<int>(node.integer("in_flight_max", target.in_flight_max, 1, 1000));
    target.retry = read_retry(node["retry"]);
    target.rate = read_rate(node["rate"]);
    target.breaker = read_breaker(node["breaker"]);
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
        node.complain("expected a path into the payload, like payload.object.data.status");
    } else {
        condition.path = key.substr(kPayload.size());
    }
    for (const auto& item : node.one_or_list())
        if (auto value = item.as_text()) condition.any_of.push_back(std::move(*value));
    if (!node.present() || (node.is_list() && node.items().empty()))
        node.complain("expected a value or a list of values");
    return condition;
}

/// A path into the payload, without `payload.` in front.
std::string read_path(const ConfigNode& node, std::string_view key, const std::string& fallback) {
    const auto text = node.text(key, std::string(kPayload) + fallback);
    if (text.substr(0, kPayload.size()) == kPayload) return text.substr(kPayload.size());
    node[key].complain("expected a path into the payload, like payload.object.data.status");
    return fallback;
}

LoopSettings read_loop(const ConfigNode& node) {
    LoopSettings loop;
    const auto policy = node.word("policy", {"deliver", "mark", "cut"}, "deliver");
    loop.policy = policy == "cut"    ? LoopSettings::Policy::Cut
                  : policy == "mark" ? LoopSettings::Policy::Mark
                                     : LoopSettings::Policy::Deliver;
    loop.users = node.texts("users", {});
    loop.user = read_path(node, "user", loop.user);
    if (node["marker"].present()) loop.marker = read_path(node, "marker", "");
    loop.limit = static_cast<int>(node.integer("limit", loop.limit, 0, 1'000'000));
    loop.window = node.duration("window", loop.window, 1s, days{1});
    node.done();
    return loop;
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
    route.latest_only = node.word("coalesce", {"latest", "none"}, "none") == "latest";
    if (route.latest_only && !route.ordered) node["coalesce"].complain("needs `order: subject`");
    route.backfilled = node.flag("backfilled", true);
    route.loop = read_loop(node["loop"]);
    route.interpolation = node.word("interpolation", {"neutralise", "refuse", "pass"}, "");
    route.task = node.text("task", "");
    (void)node["params"];  // read with the target's adapter, as …
    (void)node["steps"];
    route.node = node;
    node.done();
    return route;
}

}  // namespace

RateLimit read_rate(const ConfigNode& node, RateLimit otherwise) {
    auto rate = otherwise;
    if (!node.present()) return rate;
    if (node.is_scalar()) {
        const auto parsed = parse_rate(node.as_text().value_or("1/1s"));
        if (!parsed) node.complain("expected requests and a time, like 10/1s: 1 to 1000000 in 10ms to 1d");
        return parsed.value_or(rate);
    }
    if (!node["requests"].present()) node["requests"].complain("missing, expected a number");
    rate.requests = static_cast<int>(node.integer("requests", 1, 1, kRequestsMax));
    rate.per = node.duration("per", rate.per, 10ms, days{1});
    node.done();
    return rate;
}

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
