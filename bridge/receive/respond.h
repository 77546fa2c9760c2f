#pragma once

#include <functional>

#include "bridge/core/http.h"

namespace orbridge {

/// Ends a request with this answer. To be called once, from any thread; the request it belongs to is gone from then on.
/// If all copies go without a call, the client is told 500.
using Respond = std::function<void(Answer)>;

}  // namespace orbridge
