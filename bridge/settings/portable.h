#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bridge/settings/yaml_tree.h"

namespace orbridge {

/// A configuration without what is secret in it, to be taken elsewhere (integrations.md K13).
struct Portable {
    std::string yaml;
    /// What has to be given again: files beside the configuration (`secrets/sources.cloud.secret`), and places whose
    /// value was left out.
    std::vector<std::string> wanted;
    /// Adapter and name of the stored credentials that it uses. Those of a target that stood in the configuration are
    /// stored ones now, of the target's name.
    std::vector<std::pair<std::string, std::string>> stored;
};

/// Whether a field of the adapter's `config`, or of its tasks' `params`, is declared secret.
using IsHidden = std::function<bool(const std::string& adapter, std::string_view section, const std::string& field)>;

/// Keys of our own configuration that hold secrets: those that may also be given as `<key>_file`.
const std::vector<std::string>& secret_keys();

/// Secrets are told by what they were declared to be; user info of URLs and what headers log in with are left out, too.
/// References to the environment and to files stay as they are. Pure.
Portable portable(const Yaml& root, const IsHidden& is_hidden);

}  // namespace orbridge
