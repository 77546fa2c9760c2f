#pragma once

#include "bridge/core/clock.h"
#include "bridge/core/log.h"
#include "bridge/store/store.h"

namespace orbridge {

/// Removes what is older than the retention allows, in batches small enough not to be felt.
class Housekeeper {
public:
    /// Store, clock and log must outlive it.
    Housekeeper(Store& store, const Clock& clock, Log& log, RetentionPolicy policy, AuditRetention audit)
        : store_(store), clock_(clock), log_(log), policy_(policy), audit_(audit) {}

    /// One batch. Returns how long to wait before the next.
    milliseconds step();

private:
    milliseconds events();
    milliseconds audit_rows();
    Store& store_;
    const Clock& clock_;
    Log& log_;
    RetentionPolicy policy_;
    AuditRetention audit_;
};

}  // namespace orbridge
