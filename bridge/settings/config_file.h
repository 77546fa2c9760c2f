#pragma once

#include <cstddef>
#include <string>

#include "bridge/core/result.h"

namespace orbridge {

/// The whole file. Invalid: it cannot be read, is no file, or is larger than `bytes_max`; the message
/// does not name it.
Result<std::string> read_file(const std::string& name, std::size_t bytes_max);

/// `${NAME}` from the environment, `${NAME:-text}` too, or the text if it is not set or empty; `$${` a literal `${`.
/// Invalid: a variable that is not set and has no such text, named.
Result<std::string> expand_environment(const std::string& text);

}  // namespace orbridge
