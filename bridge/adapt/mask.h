#pragma once

#include <string>
#include <vector>

#include "bridge/core/json.h"
#include "bridge/credentials/fields.h"

namespace orbridge {

/// Texts that must not be shown: they, and what they look like in a URL, in JSON and in Base64, become `***`.
class Mask {
public:
    /// The values that are secret by their declaration.
    Mask(const Fields& fields, const Json& values);
    Mask() = default;
    /// What else holds secrets, such as user and password together.
    void add(const std::string& secret);
    std::string operator()(std::string text) const;

private:
    std::vector<std::string> secrets_;  ///< the longest first
};

}  // namespace orbridge
