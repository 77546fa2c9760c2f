#pragma once

#include "bridge/core/clock.h"
#include "bridge/core/http.h"

namespace orbridge {

/// How long the other side asks to be left alone: Retry-After in seconds, or as an HTTP date, which is read
/// against the answer's own Date so that its clock does not matter. Zero if it does not say.
milliseconds retry_after(const HttpResponse& response);

/// Until when nothing is left of a limit, as GitHub has it: `x-ratelimit-remaining: 0` and `x-ratelimit-reset` in
/// seconds since 1970. Zero if it does not say; a day at most.
milliseconds until_rate_reset(const HttpResponse& response, TimePoint now);

}  // namespace orbridge
