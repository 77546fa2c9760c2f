#pragma once

#include <cstdint>
#include <string>

#include "bridge/core/result.h"

namespace orbridge {

/// Copies the SQLite store `store` into the new file `copy`, as it is at one moment, while a bridge may be writing to
/// it: nobody waits for it. The copy is whole, checked, on the disk, and readable by this user only, or it is not
/// there. Conflict: `copy` is there already. Gives the copy's size in bytes. Blocks for as long as the disks take.
Result<std::uintmax_t> back_up(const std::string& store, const std::string& copy);

}  // namespace orbridge
