#pragma once

#include <string>

#include "bridge/core/random.h"
#include "bridge/core/result.h"
#include "bridge/core/secret.h"

namespace orbridge {

/// The admin token that commands on the same machine share with the daemon. Reads the file, or makes it with
/// a new token, readable by this user only.
Result<Secret> read_or_make_token(const std::string& file, Random& random);

}  // namespace orbridge
