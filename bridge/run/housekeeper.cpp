#include "bridge/run/housekeeper.h"

#include <algorithm>

namespace orbridge {
namespace {

constexpr int kEventsPerBatch = 200;
constexpr int kAuditRowsPerBatch = 1'000;
constexpr int kSnapshotsPerBatch = 200;
constexpr milliseconds kBetweenBatches{200};
constexpr milliseconds kBetweenRounds{std::chrono::hours{1}};

}  // namespace

milliseconds Housekeeper::step() { return std::min({events(), audit_rows(), snapshots()}); }

milliseconds Housekeeper::audit_rows() {
    const auto removed = store_.prune_audit(audit_, clock_.now(), kAuditRowsPerBatch);
    if (removed) return *removed < kAuditRowsPerBatch ? kBetweenRounds : kBetweenBatches;
    log_.warn("retention.failed", {{"reason", removed.error().message}});
    return kBetweenRounds;
}

milliseconds Housekeeper::snapshots() {
    const auto removed = store_.prune_snapshots(snapshots_(), clock_.now(), kSnapshotsPerBatch);
    if (!removed) {
        log_.warn("retention.failed", {{"reason", removed.error().message}});
        return kBetweenRounds;
    }
    if (*removed > 0) log_.info("retention.removed", {{"snapshots", *removed}});
    return *removed < kSnapshotsPerBatch ? kBetweenRounds : kBetweenBatches;
}

milliseconds Housekeeper::events() {
    const auto removed = store_.prune(policy_, clock_.now(), kEventsPerBatch);
    if (!removed) {
        log_.warn("retention.failed", {{"reason", removed.error().message}});
        return kBetweenRounds;
    }
    if (*removed > 0) log_.info("retention.removed", {{"events", *removed}});
    return *removed < kEventsPerBatch ? kBetweenRounds : kBetweenBatches;
}

}  // namespace orbridge
