#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bridge/normalize/mapping.h"
#include "bridge/settings/config_node.h"

namespace orbridge {

/// Reads mapping files (mappings/README.md). All mistakes of all files go to `complaints`; the result is only
/// to be used if there are none. Patterns are compiled and names of fields and shapes checked here, so that
/// applying a mapping cannot fail later.
std::shared_ptr<const MappingSet> load_mappings(const std::vector<std::string>& files, Complaints& complaints);

/// One mapping out of a text, `name` standing for its file.
std::shared_ptr<const MappingSet> parse_mapping(const std::string& text, const std::string& name,
                                                Complaints& complaints);

}  // namespace orbridge
