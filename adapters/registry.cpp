#include "adapters/registry.h"

#include <map>
#include <utility>

#include "adapters/http/recipe.h"
#include "adapters/windmill/recipe.h"
#include "adapters/windmill/settings.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace {

using Factory = std::unique_ptr<Recipe> (*)(const TargetSettings&, const std::vector<RouteSettings>&,
                                            const AdapterHooks&);

std::unique_ptr<Recipe> make_windmill(const TargetSettings& target, const std::vector<RouteSettings>& routes,
                                      const AdapterHooks& hooks) {
    windmill::Counted counted;
    if (hooks.changed) {
        counted = [changed = hooks.changed, id = target.id](std::string_view what, int count) {
            changed(id, what, count);
        };
    }
    return std::make_unique<windmill::WindmillRecipe>(windmill::read_settings(target, routes), std::move(counted));
}

/// A target of an adapter that is declared in a file.
std::unique_ptr<Recipe> make_declared(const TargetSettings& target, const std::vector<RouteSettings>& routes,
                                      const std::shared_ptr<const Adapter>& adapter, const AdapterBox& box,
                                      const AdapterHooks& hooks) {
    // A native kind: its recipe is made of the AdapterUse here, by `adapter->kind`.
    if (adapter->is_native()) {
        target.node["adapter"].complain("kind " + adapter->kind + " is not built into this program");
        return nullptr;
    }
    http_tasks::TaskLimits limits{.connect_timeout = target.connect_timeout};
    if (target.node["timeout"].present()) limits.timeout = target.timeout;
    if (target.node["answer_bytes_max"].present()) limits.answer_bytes_max = target.answer_bytes_max;
    auto now = hooks.now ? hooks.now : [] { return SystemClock().now(); };
    return std::make_unique<http_tasks::TaskRecipe>(AdapterUse(target, routes, adapter, hooks.credentials), limits,
                                                    box.policy, std::move(now));
}

// What speaks HTTP needs no code: a file in adapters/, see docs/integrations.md.
// To add a native adapter that has neither tasks nor stored credentials:
//   1. a folder adapters/<name>/ with settings (its keys, read from TargetSettings::node, then node.done())
//      and recipe (bridge/deliver/recipe.h: how a request is written, what an answer means);
//   2. a table of answers and their meaning in tests/unit/<name>_recipe_test.cpp;
//   3. a line here, and its keys in config/orbridge.yaml.
const std::map<std::string, Factory, std::less<>>& factories() {
    static const std::map<std::string, Factory, std::less<>> kFactories = {
        {"windmill", make_windmill},
    };
    return kFactories;
}

}  // namespace

std::unique_ptr<Recipe> make_recipe(const TargetSettings& target, const std::vector<RouteSettings>& routes,
                                    const AdapterBox& box, const AdapterHooks& hooks) {
    const auto found = factories().find(target.adapter);
    if (found != factories().end()) return found->second(target, routes, hooks);
    const auto declared = box.declared.find(target.adapter);
    if (declared != box.declared.end()) return make_declared(target, routes, declared->second, box, hooks);
    target.node["adapter"].complain("unknown adapter " + target.adapter + ": there is " +
                                    join(adapter_names(box.declared), ", "));
    return nullptr;
}

Result<std::unique_ptr<TaskRunner>> make_trial(const std::shared_ptr<const Adapter>& adapter, const Json& config,
                                               const AdapterBox& box) {
    if (adapter->is_native())
        return Error{Error::Kind::Invalid, "kind " + adapter->kind + " is not built into this program"};
    auto use = AdapterUse::trial(adapter, config);
    if (!use) return use.error();
    return std::unique_ptr<TaskRunner>(std::make_unique<http_tasks::TaskRecipe>(
        std::move(*use), http_tasks::TaskLimits{}, box.policy, [] { return SystemClock().now(); }));
}

std::vector<std::string> adapter_names(const Adapters& declared) {
    std::vector<std::string> names;
    for (const auto& [name, factory] : factories()) names.push_back(name);
    for (const auto& [name, adapter] : declared) names.push_back(name);
    return names;
}

}  // namespace orbridge
