#include "adapters/subscriber/guarded_set.h"

#include <re2/filtered_re2.h>

#include <algorithm>
#include <utility>

#include "adapters/subscriber/filter.h"

namespace orbridge {
namespace {

constexpr int kNeededLeast = 2;            // characters of a text that is worth looking for
constexpr std::size_t kLookedAtMost = 24;  // bytes of a text that are hashed; the rest is compared
constexpr std::size_t kAloneMax = 32;      // candidates that are searched one by one

re2::RE2::Options options() {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_never_capture(true);
    options.set_max_mem(kFilterBytesMax);
    return options;
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// As RE2's filter wants names to be searched.
std::string lowered(std::string_view name) {
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return lower;
}

/// Names as events have them: what a search of one of them makes is there when the first event comes, which would
/// wait for it otherwise, tens of milliseconds where thousands of patterns are.
constexpr std::string_view kUsualNames[] = {
    "created:3:12:0190c5e2-7d4a-7c31-9f3e-5a1b2c3d4e5f",
    "updated:register:schema:9f8e7d6c-5b4a-4392-8170-6f5e4d3c2b1a",
    "deleted:zaken:aanvraag:00112233-4455-4667-8899-aabbccddeeff",
    "created:/Documents/Report 2026 (final).docx",
};

}  // namespace

/// The texts that patterns need, by their first bytes, and RE2's knowledge of what follows from their presence.
struct GuardedSet::Filter {
    re2::FilteredRE2 patterns{kNeededLeast};
    std::vector<std::string> texts;
    std::unordered_map<std::string_view, std::vector<int>> by_beginning;
    std::vector<std::size_t> lengths;  ///< of the beginnings
    std::vector<bool> is_free;         ///< by pattern: needs no text
    std::vector<std::size_t> free, guarded;

    explicit Filter(const std::vector<PatternSet::Entry>& entries) {
        int id = 0;
        for (const auto& entry : entries) patterns.Add(entry.pattern, options(), &id);
        patterns.Compile(&texts);
        for (std::size_t i = 0; i < texts.size(); ++i)
            by_beginning[std::string_view(texts[i]).substr(0, kLookedAtMost)].push_back(static_cast<int>(i));
        for (const auto& [beginning, ids] : by_beginning) lengths.push_back(beginning.size());
        std::sort(lengths.begin(), lengths.end());
        lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
        find_free(entries.size());
    }

    void find_free(std::size_t count) {
        std::vector<int> always;
        patterns.AllPotentials({}, &always);
        is_free.assign(count, false);
        for (const auto id : always) is_free[static_cast<std::size_t>(id)] = true;
        for (std::size_t i = 0; i < count; ++i) (is_free[i] ? free : guarded).push_back(i);
    }

    std::vector<int> texts_in(std::string_view name) const {
        std::vector<int> present;
        for (const auto length : lengths) {
            for (std::size_t at = 0; at + length <= name.size(); ++at) {
                const auto found = by_beginning.find(name.substr(at, length));
                if (found == by_beginning.end()) continue;
                for (const auto id : found->second)
                    if (name.substr(at).starts_with(texts[static_cast<std::size_t>(id)])) present.push_back(id);
            }
        }
        std::sort(present.begin(), present.end());
        present.erase(std::unique(present.begin(), present.end()), present.end());
        return present;
    }
};

GuardedSet::GuardedSet(std::vector<PatternSet::Entry> entries) : entries_(std::move(entries)) {
    if (entries_.empty()) return;
    filter_ = std::make_unique<const Filter>(entries_);
    free_ = in_sets(filter_->free);
    if (filter_->guarded.size() > kAloneMax) guarded_ = in_sets(filter_->guarded);
    warm(free_);
    warm(guarded_);
}

GuardedSet::~GuardedSet() = default;

void GuardedSet::warm(const Sets& sets) {
    std::vector<PatternSlot> found;
    for (const auto name : kUsualNames)
        for (const auto& set : sets) set->match(name, found);
}

GuardedSet::Sets GuardedSet::in_sets(const std::vector<std::size_t>& which) const {
    Sets sets;
    std::vector<PatternSet::Entry> few;
    for (const auto i : which) {
        few.push_back(entries_[i]);
        if (few.size() < PatternSet::kPatternsBest && i != which.back()) continue;
        sets.push_back(std::make_unique<const PatternSet>(std::exchange(few, {})));
    }
    return sets;
}

/// Those behind the filter whose texts are there. For ASCII names only: RE2's filter knows letters by their lower
/// case, and to tell those of other scripts (the Kelvin sign's is `k`) its tables would be needed.
std::vector<std::size_t> GuardedSet::candidates(std::string_view name) const {
    std::vector<int> potential;
    filter_->patterns.AllPotentials(filter_->texts_in(lowered(name)), &potential);
    std::vector<std::size_t> possible(potential.begin(), potential.end());
    std::erase_if(possible, [this](std::size_t i) { return filter_->is_free[i]; });
    return possible;
}

void GuardedSet::match_alone(std::string_view name, const std::vector<std::size_t>& which,
                             std::vector<PatternSlot>& found) const {
    const re2::StringPiece subject(name.data(), name.size());
    for (const auto i : which) {
        if (re2::RE2::FullMatch(subject, filter_->patterns.GetRE2(static_cast<int>(i))))
            found.push_back(entries_[i].slot);
    }
}

void GuardedSet::match(std::string_view name, std::vector<PatternSlot>& found) const {
    if (entries_.empty()) return;
    for (const auto& set : free_) set->match(name, found);
    if (filter_->guarded.empty()) return;
    if (is_ascii(name)) {
        const auto possible = candidates(name);
        if (possible.size() <= kAloneMax) return match_alone(name, possible, found);
    }
    if (guarded_.empty()) return match_alone(name, filter_->guarded, found);
    for (const auto& set : guarded_) set->match(name, found);
}

}  // namespace orbridge
