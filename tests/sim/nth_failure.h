#pragma once

#include <memory>

#include "bridge/normalize/mapping.h"

namespace orbridge::sim {

/// Plays a small scenario again and again: the first call of a method of the store fails, then the second, the
/// third … until the scenario is over before the fault; likewise each exchange. Prints what was tried. Whether
/// all guarantees held each time.
bool run_nth_failures(const std::shared_ptr<const MappingSet>& mappings);

}  // namespace orbridge::sim
