#pragma once

#include <string>
#include <vector>

#include "bridge/core/http.h"

namespace orbridge {

/// 409 with the users of what was to be removed: `target on-object`, `source cloud` (integrations.md K12).
Answer in_use_answer(const std::vector<std::string>& users);

}  // namespace orbridge
