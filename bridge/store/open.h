#pragma once

#include <memory>

#include "bridge/core/clock.h"
#include "bridge/core/log.h"
#include "bridge/core/result.h"
#include "bridge/settings/settings.h"
#include "bridge/store/store.h"

namespace orbridge {

/// The store that the settings name, created if it is not there yet and brought up to date. Conflict:
/// another process has it open. Invalid: the folder is missing, or the file belongs to a newer version.
Result<std::unique_ptr<Store>> open_store(const StoreSettings& settings, const Clock& clock, Log& log);

}  // namespace orbridge
