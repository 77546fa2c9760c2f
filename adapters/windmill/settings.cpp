#include "adapters/windmill/settings.h"

#include <algorithm>
#include <utility>

namespace orbridge::windmill {
namespace {

Interpolation policy_of(const std::string& word) {
    if (word == "refuse") return Interpolation::Refuse;
    if (word == "pass") return Interpolation::Pass;
    return Interpolation::Neutralise;
}

Wrap wrap_of(const std::string& word) {
    if (word == "payload") return Wrap::Payload;
    if (word == "none") return Wrap::None;
    return Wrap::Body;
}

/// Either `url` alone, or `url` with `workspace` and one of `script`, `flow`.
Result<Runnable> read_runnable(const ConfigNode& node, const std::string& url) {
    const auto workspace = node.text("workspace", "");
    const auto script = node.text("script", "");
    const auto flow = node.text("flow", "");
    if (workspace.empty() && script.empty() && flow.empty()) return parse_run_url(url);
    if (workspace.empty() || script.empty() == flow.empty()) {
        return Error{Error::Kind::Invalid,
                     "give either a whole run URL, or `url`, `workspace` and one of `script` and `flow`"};
    }
    return runnable_of(url, workspace, flow.empty() ? "p" : "f", flow.empty() ? script : flow);
}

bool goes_to(const RouteSettings& route, const TargetId& target) {
    return std::find(route.to.begin(), route.to.end(), target) != route.to.end();
}

}  // namespace

WindmillSettings read_settings(const TargetSettings& target, const std::vector<RouteSettings>& routes) {
    const auto& node = target.node;
    WindmillSettings settings;
    const auto url = node.url("url", true);
    auto runnable = read_runnable(node, url);
    if (runnable) {
        settings.runnable = std::move(*runnable);
    } else if (!url.empty()) {  // else it has been complained about
        node["url"].complain(runnable.error().message);
    }
    settings.token = node.secret("token", true);
    settings.wrap = wrap_of(node.word("wrap", {"body", "payload", "none"}, "body"));
    settings.follow = node.flag("follow", false);
    settings.interpolation = policy_of(node.word("interpolation", {"neutralise", "refuse", "pass"}, "neutralise"));
    for (const auto& route : routes) {
        if (!route.interpolation.empty() && goes_to(route, target.id))
            settings.by_route[route.name] = policy_of(route.interpolation);
    }
    settings.connect_timeout = target.connect_timeout;
    settings.timeout = target.timeout;
    settings.answer_bytes_max = target.answer_bytes_max;
    node.done();
    return settings;
}

}  // namespace orbridge::windmill
