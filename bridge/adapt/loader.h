#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bridge/adapt/adapter.h"
#include "bridge/settings/config_node.h"

namespace orbridge {

/// Reads every `*.yaml` of the folders, in their order and by name in each. A faulty file is left out, all that is
/// wrong with it goes to `complaints`, and the others are there (integrations.md I1, I2). A name that an earlier file
/// has is a fault. A folder that is not there is one too.
Adapters load_adapters(const std::vector<std::string>& folders, Complaints& complaints);

/// One adapter out of a text, `name` standing for its file. Nothing: it has faults.
std::shared_ptr<const Adapter> parse_adapter(const std::string& text, const std::string& name, Complaints& complaints);
/// The same from a file.
std::shared_ptr<const Adapter> load_adapter(const std::string& file, Complaints& complaints);

}  // namespace orbridge
