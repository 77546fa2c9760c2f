#pragma once

#include <string>
#include <string_view>

#include "bridge/core/clock.h"
#include "bridge/core/http.h"
#include "bridge/core/result.h"

namespace orbridge {

/// The header of this name. Unauthorized: there is none, or several, of which nobody could say which is meant.
/// Never null; must not outlive `headers`.
Result<const std::string*> only_header(const Headers& headers, std::string_view name);

/// May this have been signed now? The text is seconds since 1970, digits only. Unauthorized: no time, too long ago, or
/// too far ahead; `header` is where it stood.
Status fresh(std::string_view header, std::string_view text, TimePoint now, milliseconds tolerance);

}  // namespace orbridge
