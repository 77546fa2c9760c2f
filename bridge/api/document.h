#pragma once

#include <string_view>

namespace orbridge {

/// docs/api.yaml, as it was when this program was built.
std::string_view api_document();

}  // namespace orbridge
