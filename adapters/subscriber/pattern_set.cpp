#include "adapters/subscriber/pattern_set.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>

#include "adapters/subscriber/filter.h"

namespace orbridge {
namespace {

/// For the program and the states of a set, for each pattern; what it really uses grows with the names seen.
constexpr std::int64_t kPatternBytesMax = 32 << 10;

re2::RE2::Options options(std::int64_t bytes_max) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_never_capture(true);
    options.set_max_mem(bytes_max);
    return options;
}

}  // namespace

/// One pattern alone, or several as a set.
struct PatternSet::Engine {
    std::unique_ptr<re2::RE2> alone;
    std::unique_ptr<re2::RE2::Set> together;

    static std::unique_ptr<Engine> make(const std::vector<Entry>& entries) {
        auto engine = std::make_unique<Engine>();
        if (entries.size() == 1) {
            engine->alone = std::make_unique<re2::RE2>(entries.front().pattern, options(kFilterBytesMax));
            return engine;
        }
        engine->together = std::make_unique<re2::RE2::Set>(
            options(kPatternBytesMax * static_cast<std::int64_t>(entries.size())), re2::RE2::ANCHOR_BOTH);
        for (const auto& entry : entries)
            if (engine->together->Add(entry.pattern, nullptr) < 0) return nullptr;
        if (!engine->together->Compile()) return nullptr;  // matching with it would crash
        return engine;
    }
};

PatternSet::PatternSet(std::vector<Entry> entries)
    : entries_(std::move(entries)), engine_(entries_.empty() ? nullptr : Engine::make(entries_)) {
    in_halves_ = engine_ == nullptr;
}

PatternSet::~PatternSet() = default;

void PatternSet::match(std::string_view name, std::vector<PatternSlot>& found) const {
    if (entries_.empty()) return;
    if (!in_halves_ && match_together(name, found)) return;
    match_halves(name, found);
}

/// False: there was not memory enough, and nothing is known.
bool PatternSet::match_together(std::string_view name, std::vector<PatternSlot>& found) const {
    const re2::StringPiece subject(name.data(), name.size());
    if (engine_->alone) {
        if (re2::RE2::FullMatch(subject, *engine_->alone)) found.push_back(entries_.front().slot);
        return true;
    }
    std::vector<int> matching;
    re2::RE2::Set::ErrorInfo error{};
    if (!engine_->together->Match(subject, &matching, &error)) return error.kind == re2::RE2::Set::kNoError;
    for (const auto index : matching) found.push_back(entries_[static_cast<std::size_t>(index)].slot);
    return true;
}

void PatternSet::match_halves(std::string_view name, std::vector<PatternSlot>& found) const {
    std::call_once(halved_, [this] {
        const auto middle = entries_.begin() + static_cast<std::ptrdiff_t>(entries_.size() / 2);
        first_ = std::make_unique<PatternSet>(std::vector<Entry>(entries_.begin(), middle));
        second_ = std::make_unique<PatternSet>(std::vector<Entry>(middle, entries_.end()));
        in_halves_ = true;
    });
    first_->match(name, found);
    second_->match(name, found);
}

}  // namespace orbridge
