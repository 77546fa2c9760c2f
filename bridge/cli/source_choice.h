#pragma once

#include <string>

#include "bridge/cli/api.h"

namespace orbridge::cli {

/// The source that --source names, or the only one there is. Prints what is wrong otherwise.
const SourceSettings* choose_source(const Settings& settings, const Args& args);

/// Reads a file named on the command line, at most 64 MiB. Prints what is wrong otherwise.
std::optional<std::string> read_input(const std::string& file);

}  // namespace orbridge::cli
