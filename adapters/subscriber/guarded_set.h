#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/subscriber/pattern_set.h"

namespace orbridge {

/// A set of patterns behind a filter: most patterns need some text to be in the name (`.*:sent` needs `:sent`), and
/// those whose text is not there are not searched at all. What needs no text, and what is left if much is left, is
/// searched together. Immutable to its users; safe from any thread.
class GuardedSet {
public:
    /// The patterns have been compiled before, each on its own: they are valid. At most PatternSet::kPatternsMax.
    explicit GuardedSet(std::vector<PatternSet::Entry> entries);
    ~GuardedSet();
    GuardedSet(const GuardedSet&) = delete;
    GuardedSet& operator=(const GuardedSet&) = delete;

    /// Adds those that match the whole name.
    void match(std::string_view name, std::vector<PatternSlot>& found) const;

    const std::vector<PatternSet::Entry>& entries() const { return entries_; }

private:
    struct Filter;
    std::vector<int> candidates(std::string_view name) const;
    void match_alone(std::string_view name, const std::vector<int>& ids, std::vector<PatternSlot>& found) const;

    const std::vector<PatternSet::Entry> entries_;
    std::unique_ptr<const Filter> filter_;
    std::unique_ptr<const PatternSet> free_;  ///< those that need no text
    mutable std::once_flag together_once_;
    mutable std::unique_ptr<const PatternSet> together_;  ///< the others, made when it is first of use
};

}  // namespace orbridge
