#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/json.h"

namespace orbridge {

/// A member that must never be stored: `data.source.databaseUrl`, or at any depth: `**.cloudEvent.data.headers`.
struct SecretPath {
    std::vector<std::string> keys;
    bool any_depth = false;
};

SecretPath parse_secret_path(std::string_view text);

/// Takes secret members out of JSON text before anything else sees it. Safe from any thread.
class Redactor {
public:
    Redactor() = default;
    explicit Redactor(std::vector<SecretPath> secrets);

    /// May the text hold such a member? Cheap, and never wrong when it says no.
    bool concerns(std::string_view text) const;
    /// The text without those members; everything else as it was but for white space between values.
    std::string without_secrets(const Json& root) const;

private:
    std::vector<SecretPath> secrets_;
    std::vector<std::string> last_keys_;  ///< in quotes
};

}  // namespace orbridge
