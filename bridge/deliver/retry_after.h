#pragma once

#include "bridge/core/clock.h"
#include "bridge/core/http.h"

namespace orbridge {

/// How long the other side asks to be left alone: Retry-After in seconds, or as an HTTP date, which is read
/// against the answer's own Date so that its clock does not matter. Zero if it does not say.
milliseconds retry_after(const HttpResponse& response);

}  // namespace orbridge
