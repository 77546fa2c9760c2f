#pragma once

#include <string_view>

#include "bridge/core/json.h"

namespace orbridge {

/// RFC 6901: empty, or `/` before each step, with `~0` for `~` and `~1` for `/`.
bool is_json_pointer(std::string_view pointer);

/// What the pointer leads to from here. Absent if there is nothing, or it is none.
Json follow(const Json& from, std::string_view pointer);

}  // namespace orbridge
