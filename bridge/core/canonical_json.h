#pragma once

#include <string>
#include <vector>

#include "bridge/core/json.h"

namespace orbridge {

/// canonical_json() of an object without some of its members.
std::string canonical_without(const Json& object, const std::vector<std::string>& left_out);

}  // namespace orbridge
