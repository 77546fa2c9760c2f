#pragma once

#include "bridge/normalize/normalizer.h"

namespace orbridge {

/// A ready record from a trusted sender: `{"channel", "eventName", "timestamp", "payload"}` becomes exactly that
/// event. `timestamp` is in milliseconds and may be missing (then it is when the request came); so may `payload`.
/// A `webhook-id` header tells a repetition. Invalid: what is wrong, with the name of the member. Pure.
Result<NormalizeOutcome> normalize_record(const VerifiedRequest& request);

}  // namespace orbridge
