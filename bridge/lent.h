#pragma once

#include <memory>
#include <stop_token>

#include "adapters/registry.h"
#include "bridge/core/guarded.h"
#include "bridge/credentials/book.h"
#include "bridge/record/metrics.h"

namespace orbridge {

/// For recipes, which are made before the book of credentials and may be asked after it has gone.
struct Lent {
    Guarded<CredentialBook*> book{nullptr};
    std::stop_source stopping;  ///< safe from any thread
};
using LentPtr = std::shared_ptr<Lent>;

/// `metrics` must outlive the recipes that are made with them.
AdapterHooks adapter_hooks(Metrics& metrics, const LentPtr& lent);

}  // namespace orbridge
