#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace orbridge {

/// What stands for a secret that is not shown.
constexpr std::string_view kMask = "***";

/// Texts that must not be shown: they, and what they look like in a URL, in JSON and in Base64, become `***`.
class Mask {
public:
    /// Short ones are left out: they would be everywhere. Of an address it is the end of its path, the values of its
    /// query and who logs in, too, but not its host. User and password sent together are one secret more.
    void add(const std::string& secret);
    std::string operator()(std::string text) const;

private:
    std::vector<std::string> secrets_;  ///< the longest first
};

}  // namespace orbridge
