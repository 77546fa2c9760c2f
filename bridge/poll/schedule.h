#pragma once

#include <optional>

#include "bridge/run/registrar.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// How a source's pushes stand, as far as polling it is concerned.
enum class PushState { None, Arriving, Silent };
const char* to_text(PushState state);

/// Nothing was ever pushed: None. Silent: not for `push_timeout`.
PushState push_state(const PollSettings& settings, std::optional<TimePoint> last_push, TimePoint now);

/// When to poll next after a step that went well: the interval ±10 %, the slower one while pushes arrive, but no later
/// than when they would count as silent. `random` is in [0, 1).
milliseconds poll_pause(const PollSettings& settings, std::optional<TimePoint> last_push, TimePoint now, double random);

/// After the n-th trouble in a row: interval · 2ⁿ up to `backoff_max`, ±10 %, never below what the source asked for.
/// Nothing: wrong credentials, nothing more is tried.
std::optional<milliseconds> poll_backoff(const PollSettings& settings, const Trouble& trouble, int failures,
                                         double random);

}  // namespace orbridge
