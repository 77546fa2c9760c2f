#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "bridge/core/delivery.h"
#include "bridge/core/guarded.h"
#include "bridge/store/store.h"

namespace orbridge {

/// What one committed change does to the counts.
struct TallyChange {
    struct Move {
        TargetId target;
        std::optional<DeliveryState> from, to;
        std::int64_t count = 1;
    };
    std::int64_t events = 0;
    std::int64_t unmapped = 0;
    std::vector<Move> moves;
    std::vector<std::int64_t> superseded;  ///< deliveries held back from claims until this is committed

    std::vector<std::int64_t> fresh;  ///< deliveries put into Fresh, unless this is not committed

    void clear() { *this = {}; }
};

/// How many events and deliveries there are, kept up to date instead of counted: /metrics asks every few
/// seconds, and counting a million rows takes longer than that is worth. Safe from any thread.
class Tally {
public:
    void apply(const TallyChange& change);
    /// Forgets everything and begins with this.
    void reset(const TallyChange& change);
    /// Without oldest_pending. Targets stay listed once they had a delivery.
    StoreCounts counts() const;
    std::uint64_t pending() const;
    std::uint64_t pending_for(const TargetId& target) const;
    std::vector<TargetId> targets_with_pending() const;

private:
    using States = std::array<std::int64_t, 5>;
    struct Numbers {
        std::int64_t events = 0, unmapped = 0, pending = 0;
        std::map<TargetId, States> targets;
    };
    Guarded<Numbers> numbers_;
};

}  // namespace orbridge
