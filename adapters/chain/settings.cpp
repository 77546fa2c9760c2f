#include "adapters/chain/settings.h"

#include <algorithm>
#include <set>
#include <utility>

#include "bridge/settings/values.h"

namespace orbridge::chain {
namespace {

constexpr std::size_t kStepsMax = 20;

/// Complains unless there is a target with tasks.
void find_runner(const ConfigNode& node, const FindRecipe& find, Step& step) {
    step.target = {node.text("target")};
    if (step.target.value.empty()) return;
    step.recipe = find(step.target);
    step.runner = dynamic_cast<const TaskRunner*>(step.recipe.get());
    if (step.runner != nullptr) return;
    node["target"].complain(step.recipe == nullptr ? "there is no such target, or it is a chain itself"
                                                   : "its adapter has no tasks");
}

void find_task(const ConfigNode& node, Step& step) {
    const auto name = node.text("task");
    if (step.runner == nullptr || name.empty()) return;
    step.task = step.runner->use().task(name);
    if (step.task != nullptr) return;
    std::vector<std::string> names;
    for (const auto& [each, task] : step.runner->use().adapter().tasks) names.push_back(each);
    node["task"].complain("adapter " + step.runner->use().adapter().name + " has no task `" + name + "`" +
                          suggestion(name, names));
}

Step read_step(const ConfigNode& node, const FindRecipe& find, const KnownNames& known) {
    Step step;
    step.name = node.text("name");
    if (!step.name.empty() && !is_name(step.name)) node["name"].complain("not a name");
    find_runner(node, find, step);
    find_task(node, step);
    step.params = read_tree(node["params"], known);
    if (step.task != nullptr) check_params(*step.task, step.params, node["params"].present() ? node["params"] : node);
    node.done();
    return step;
}

Steps read_steps(const ConfigNode& node, const FindRecipe& find) {
    Steps steps;
    const auto items = node.items();
    if (items.empty() || items.size() > kStepsMax)
        node.complain("expected a list of 1 to " + std::to_string(kStepsMax) + " steps");
    auto known = event_names();
    std::set<std::string> names;
    for (const auto& item : items) {
        auto step = read_step(item, find, known);
        if (!step.name.empty() && !names.insert(step.name).second) item["name"].complain("another step has this name");
        known.add("steps." + step.name + ".data", true).add("steps." + step.name + ".message");
        steps.push_back(std::move(step));
    }
    return steps;
}

}  // namespace

ChainSettings read_settings(const TargetSettings& target, const std::vector<RouteSettings>& routes,
                            const FindRecipe& find) {
    ChainSettings settings;
    const auto own = target.node["steps"];
    if (own.present()) settings.steps = read_steps(own, find);
    bool needed = !own.present();
    for (const auto& route : routes) {
        if (std::find(route.to.begin(), route.to.end(), target.id) == route.to.end()) continue;
        const auto at = route.node ? (*route.node)["steps"] : own;
        if (route.node && at.present()) {
            settings.by_route[route.name] = read_steps(at, find);
            needed = false;
        } else if (!own.present()) {
            own.complain("missing: what is to be done one after the other, here or at route " + route.name);
            return settings;
        }
    }
    if (needed) own.complain("missing: what is to be done one after the other");
    target.node.done();
    return settings;
}

}  // namespace orbridge::chain
