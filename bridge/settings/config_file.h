#pragma once

#include <cstddef>
#include <string>

#include "bridge/core/result.h"

namespace orbridge {

/// The whole file. Invalid: it cannot be read, is no file, or is larger than `bytes_max`; the message
/// does not name it.
Result<std::string> read_file(const std::string& name, std::size_t bytes_max);

/// `${NAME}` from the environment, `$${` a literal `${`. Invalid: a variable that is not set, named.
Result<std::string> expand_environment(const std::string& text);

}  // namespace orbridge
