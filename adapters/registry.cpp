#include "adapters/registry.h"

#include <map>
#include <utility>

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

// To add an adapter:
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
                                    const AdapterHooks& hooks) {
    const auto found = factories().find(target.adapter);
    if (found != factories().end()) return found->second(target, routes, hooks);
    target.node["adapter"].complain("unknown adapter " + target.adapter + ": there is " + join(adapter_names(), ", "));
    return nullptr;
}

std::vector<std::string> adapter_names() {
    std::vector<std::string> names;
    for (const auto& [name, factory] : factories()) names.push_back(name);
    return names;
}

}  // namespace orbridge
