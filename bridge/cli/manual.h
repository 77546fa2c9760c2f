#pragma once

#include <string>
#include <vector>

#include "bridge/cli/command.h"

/// What the packages ship beside the program, made from the table of commands, so that neither can fall behind it.
namespace orbridge::cli {

/// man page orbridge(1), in man(7)'s macros.
std::string man_page(const std::vector<Command>& commands);

/// A completion for bash: commands, their options, and files where an option wants one.
std::string bash_completion(const std::vector<Command>& commands);

}  // namespace orbridge::cli
