#include "bridge/run/housekeeper.h"

namespace orbridge {
namespace {

constexpr int kEventsPerBatch = 200;
constexpr milliseconds kBetweenBatches{200};
constexpr milliseconds kBetweenRounds{std::chrono::hours{1}};

}  // namespace

milliseconds Housekeeper::step() {
    const auto removed = store_.prune(policy_, clock_.now(), kEventsPerBatch);
    if (!removed) {
        log_.warn("retention.failed", {{"reason", removed.error().message}});
        return kBetweenRounds;
    }
    if (*removed > 0) log_.info("retention.removed", {{"events", *removed}});
    return *removed < kEventsPerBatch ? kBetweenRounds : kBetweenBatches;
}

}  // namespace orbridge
