#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/subscriber/guarded_set.h"
#include "adapters/subscriber/pattern_set.h"
#include "bridge/core/guarded.h"

namespace orbridge {

/// The patterns of one channel. Searching takes a snapshot and never waits for a change; a change compiles the
/// few youngest patterns, and at times merges small sets into larger ones, so that many changes stay cheap.
/// What a name matched is remembered. Safe from any thread.
class PatternIndex {
public:
    PatternIndex();
    ~PatternIndex();

    /// Counts one user more of this pattern. The same slot for the same pattern while it has users.
    PatternSlot acquire(const std::string& pattern);
    void release(PatternSlot slot);

    /// Patterns that match the whole name, perhaps with some that have no user any more. In no order.
    std::vector<PatternSlot> match(std::string_view name) const;

private:
    struct Sealed;
    struct Snapshot;
    struct Used {
        std::string pattern;
        std::size_t users = 0;
    };
    using YoungPtr = std::shared_ptr<const PatternSet>;
    using SetPtr = std::shared_ptr<const GuardedSet>;

    PatternSlot add(const std::string& pattern);
    void publish(std::vector<YoungPtr> young, std::shared_ptr<const Sealed> sealed);
    std::vector<SetPtr> sealed_with(std::vector<PatternSet::Entry> entries) const;
    void rebuild();
    std::shared_ptr<const Snapshot> snapshot() const;

    std::mutex change_;  ///< one change at a time; guards the next four
    std::unordered_map<std::string, PatternSlot> slots_;
    std::unordered_map<PatternSlot, Used> used_;
    std::size_t unused_ = 0;
    PatternSlot next_slot_ = 1;
    Guarded<std::shared_ptr<const Snapshot>> snapshot_;
};

}  // namespace orbridge
