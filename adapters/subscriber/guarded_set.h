#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/subscriber/pattern_set.h"

namespace orbridge {

/// A set of patterns behind a filter: most patterns need some text to be in the name (`.*:sent` needs `:sent`), and
/// those whose text is not there are not searched at all. What needs no text, and what is left if much is left, is
/// searched in sets of few. Immutable to its users; safe from any thread.
class GuardedSet {
public:
    static constexpr std::size_t kPatternsMax = 1000;

    /// The patterns have been compiled before, each on its own: they are valid. At most kPatternsMax.
    explicit GuardedSet(std::vector<PatternSet::Entry> entries);
    ~GuardedSet();
    GuardedSet(const GuardedSet&) = delete;
    GuardedSet& operator=(const GuardedSet&) = delete;

    /// Adds those that match the whole name.
    void match(std::string_view name, std::vector<PatternSlot>& found) const;

    const std::vector<PatternSet::Entry>& entries() const { return entries_; }

private:
    struct Filter;
    using Sets = std::vector<std::unique_ptr<const PatternSet>>;
    static void warm(const Sets& sets);
    Sets in_sets(const std::vector<std::size_t>& which) const;
    std::vector<std::size_t> candidates(std::string_view name) const;
    void match_alone(std::string_view name, const std::vector<std::size_t>& which,
                     std::vector<PatternSlot>& found) const;

    const std::vector<PatternSet::Entry> entries_;
    std::unique_ptr<const Filter> filter_;
    Sets free_;     ///< those that need no text
    Sets guarded_;  ///< the others, for names that have the text of many; none where they are few
};

}  // namespace orbridge
