#pragma once

#include <functional>
#include <utility>

#include "bridge/core/clock.h"
#include "bridge/core/log.h"
#include "bridge/store/store.h"

namespace orbridge {

/// Removes what is older than the retention allows, in batches small enough not to be felt.
class Housekeeper {
public:
    /// Store, clock and log must outlive it.
    Housekeeper(Store& store, const Clock& clock, Log& log, RetentionPolicy policy, AuditRetention audit,
                std::function<SnapshotRetention()> snapshots)
        : store_(store), clock_(clock), log_(log), policy_(policy), audit_(audit), snapshots_(std::move(snapshots)) {}

    /// One batch. Returns how long to wait before the next.
    milliseconds step();

private:
    milliseconds events();
    milliseconds audit_rows();
    milliseconds snapshots();
    Store& store_;
    const Clock& clock_;
    Log& log_;
    RetentionPolicy policy_;
    AuditRetention audit_;
    std::function<SnapshotRetention()> snapshots_;  ///< asked each time: which sources are polled may change
};

}  // namespace orbridge
