#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/deliver/recipe.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// What adapters tell while they work; any may be empty. Called from any thread.
struct AdapterHooks {
    /// Texts of an event that were changed so that the target does not act upon them: `reference`, `mended`.
    std::function<void(const TargetId& target, std::string_view what, int count)> changed;
};

/// The recipe of one target. Reads the adapter's keys and does no I/O besides secrets' files; an unknown
/// adapter and wrong keys are complained about at the target's place in the file. The result is only to be used
/// if there are no complaints; it is never empty unless there are.
std::unique_ptr<Recipe> make_recipe(const TargetSettings& target, const std::vector<RouteSettings>& routes,
                                    const AdapterHooks& hooks = {});

/// The names that `adapter:` may have.
std::vector<std::string> adapter_names();

}  // namespace orbridge
