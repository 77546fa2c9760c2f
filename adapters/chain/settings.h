#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bridge/adapt/use.h"
#include "bridge/deliver/recipe.h"
#include "bridge/settings/settings.h"

namespace orbridge::chain {

/// A task of another target, with its credentials and addresses.
struct Step {
    std::string name;
    TargetId target;
    std::shared_ptr<const Recipe> recipe;  ///< the target's
    const TaskRunner* runner = nullptr;    ///< the same
    const Task* task = nullptr;            ///< of the runner's adapter
    Tree params{};
};
using Steps = std::vector<Step>;

struct ChainSettings {
    Steps steps;                              ///< of routes that name none; may be empty
    std::map<std::string, Steps> by_route{};  ///< routes that name their own
    std::size_t progress_bytes_max = 256 << 10;
};

/// The recipe of a target; nothing: there is none, or it could not be made.
using FindRecipe = std::function<std::shared_ptr<const Recipe>(const TargetId&)>;

/// Reads `steps` of the target and of the routes that lead to it; what is wrong goes to the nodes' complaints.
ChainSettings read_settings(const TargetSettings& target, const std::vector<RouteSettings>& routes,
                            const FindRecipe& find);

}  // namespace orbridge::chain
