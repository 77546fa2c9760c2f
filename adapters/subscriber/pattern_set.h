#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace orbridge {

/// A pattern in an index; never given twice.
using PatternSlot = std::uint32_t;

/// A few patterns in RE2 syntax, searched together. Linear in the name whatever the patterns are; what does not fit
/// its memory is searched in halves. Immutable to its users; safe from any thread.
///
/// A few, since a set of patterns knows names by what all its patterns are at, together: the more patterns, the less of
/// a new name was ever seen before, and making what was not costs a thousand times more than following it.
class PatternSet {
public:
    static constexpr std::size_t kPatternsBest =
        4;  ///< in one set, for many patterns: measured, see docs/performance.md

    struct Entry {
        PatternSlot slot = 0;
        std::string pattern;
    };
    /// The patterns have been compiled before, each on its own: they are valid.
    explicit PatternSet(std::vector<Entry> entries);
    ~PatternSet();
    PatternSet(const PatternSet&) = delete;
    PatternSet& operator=(const PatternSet&) = delete;

    /// Adds those that match the whole name.
    void match(std::string_view name, std::vector<PatternSlot>& found) const;

    const std::vector<Entry>& entries() const { return entries_; }

private:
    struct Engine;
    bool match_together(std::string_view name, std::vector<PatternSlot>& found) const;
    void match_halves(std::string_view name, std::vector<PatternSlot>& found) const;

    const std::vector<Entry> entries_;
    std::unique_ptr<Engine> engine_;  ///< null: too large to be searched together
    mutable std::atomic<bool> in_halves_{false};
    mutable std::once_flag halved_;
    mutable std::unique_ptr<const PatternSet> first_;
    mutable std::unique_ptr<const PatternSet> second_;
};

}  // namespace orbridge
