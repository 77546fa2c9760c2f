#include "adapters/subscriber/pattern_index.h"

#include <algorithm>

#include "adapters/subscriber/name_cache.h"

namespace orbridge {
namespace {

constexpr std::size_t kYoungMax = 16;     // patterns searched one by one, for every event
constexpr std::size_t kUnusedLeast = 64;  // patterns nobody uses that are not worth a rebuild

using Entries = std::vector<PatternSet::Entry>;

}  // namespace

/// The sets that have settled, and what names matched in them.
struct PatternIndex::Sealed {
    std::vector<SetPtr> sets;
    mutable NameCache seen;

    NameCache::Slots match(const std::string& name) const {
        if (auto known = seen.find(name)) return known;
        std::vector<PatternSlot> found;
        for (const auto& set : sets) set->match(name, found);
        auto slots = std::make_shared<const std::vector<PatternSlot>>(std::move(found));
        seen.add(name, slots);
        return slots;
    }
};

struct PatternIndex::Snapshot {
    std::vector<YoungPtr> young;  ///< of one pattern each
    std::shared_ptr<const Sealed> sealed;
};

PatternIndex::PatternIndex() { publish({}, std::make_shared<const Sealed>()); }

PatternIndex::~PatternIndex() = default;

PatternSlot PatternIndex::acquire(const std::string& pattern) {
    const std::lock_guard lock(change_);
    const auto known = slots_.find(pattern);
    const bool is_new = known == slots_.end();
    const auto slot = is_new ? add(pattern) : known->second;
    auto& used = used_[slot];
    if (!is_new && used.users == 0) --unused_;
    ++used.users;
    return slot;
}

void PatternIndex::release(PatternSlot slot) {
    const std::lock_guard lock(change_);
    const auto used = used_.find(slot);
    if (used == used_.end() || used->second.users == 0 || --used->second.users > 0) return;
    ++unused_;
    if (unused_ >= kUnusedLeast && unused_ * 2 > used_.size()) rebuild();
}

std::vector<PatternSlot> PatternIndex::match(std::string_view name) const {
    const auto now = snapshot();
    std::vector<PatternSlot> found;
    for (const auto& pattern : now->young) pattern->match(name, found);
    if (now->sealed->sets.empty()) return found;
    const auto sealed = now->sealed->match(std::string(name));
    found.insert(found.end(), sealed->begin(), sealed->end());
    return found;
}

PatternSlot PatternIndex::add(const std::string& pattern) {
    const auto slot = next_slot_++;
    slots_.emplace(pattern, slot);
    used_[slot] = {pattern, 0};
    const auto now = snapshot();
    auto young = now->young;
    young.push_back(std::make_shared<const PatternSet>(Entries{{slot, pattern}}));
    if (young.size() < kYoungMax) {
        publish(std::move(young), now->sealed);
        return slot;
    }
    Entries entries;
    for (const auto& set : young) entries.push_back(set->entries().front());
    auto sealed = std::make_shared<Sealed>();
    sealed->sets = sealed_with(std::move(entries));
    publish({}, std::move(sealed));
    return slot;
}

/// Sets go by size, largest first. The new one takes up those that are not much larger, so that each pattern
/// is compiled a few times only, however many come.
std::vector<PatternIndex::SetPtr> PatternIndex::sealed_with(Entries entries) const {
    auto sets = snapshot()->sealed->sets;
    while (!sets.empty()) {
        const auto& last = sets.back()->entries();
        if (last.size() > 2 * entries.size() || last.size() + entries.size() > GuardedSet::kPatternsMax) break;
        entries.insert(entries.end(), last.begin(), last.end());
        sets.pop_back();
    }
    sets.push_back(std::make_shared<const GuardedSet>(std::move(entries)));
    return sets;
}

void PatternIndex::rebuild() {
    std::erase_if(used_, [](const auto& item) { return item.second.users == 0; });
    std::erase_if(slots_, [this](const auto& item) { return !used_.contains(item.second); });
    unused_ = 0;
    auto sealed = std::make_shared<Sealed>();
    Entries entries;
    const auto seal = [&] {
        if (!entries.empty()) sealed->sets.push_back(std::make_shared<const GuardedSet>(std::exchange(entries, {})));
    };
    for (const auto& [slot, used] : used_) {
        entries.push_back({slot, used.pattern});
        if (entries.size() == GuardedSet::kPatternsMax) seal();
    }
    seal();
    publish({}, std::move(sealed));
}

void PatternIndex::publish(std::vector<YoungPtr> young, std::shared_ptr<const Sealed> sealed) {
    auto next = std::make_shared<const Snapshot>(Snapshot{std::move(young), std::move(sealed)});
    snapshot_.with([&](auto& current) { current = std::move(next); });
}

std::shared_ptr<const PatternIndex::Snapshot> PatternIndex::snapshot() const {
    return snapshot_.with([](const auto& current) { return current; });
}

}  // namespace orbridge
