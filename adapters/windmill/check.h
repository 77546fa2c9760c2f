#pragma once

#include <vector>

#include "adapters/windmill/settings.h"
#include "bridge/deliver/recipe.h"

namespace orbridge::windmill {

/// `orbridge test <target>`: is it Windmill, is it well, is the token good, may it run this, is there something
/// to run, does it take what is sent (windmill.md §4). Nothing is started, and nothing is changed.
std::vector<TestStep> check_target(const WindmillSettings& settings, Transport& transport);

}  // namespace orbridge::windmill
