#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "adapters/subscriber/pattern_set.h"
#include "bridge/core/guarded.h"

namespace orbridge {

/// What names matched, for the names of late. Two generations: when the young one is full it becomes the old
/// one, and what is asked for again moves up. Bounded in bytes. Safe from any thread.
class NameCache {
public:
    using Slots = std::shared_ptr<const std::vector<PatternSlot>>;

    /// Null: not known.
    Slots find(const std::string& name) {
        return generations_.with([&](Generations& all) -> Slots {
            if (const auto known = all.young.find(name); known != all.young.end()) return known->second;
            const auto known = all.old.find(name);
            if (known == all.old.end()) return nullptr;
            all.add(name, known->second);
            return known->second;
        });
    }
    void add(const std::string& name, const Slots& slots) {
        generations_.with([&](Generations& all) { all.add(name, slots); });
    }

private:
    static constexpr std::size_t kGenerationBytesMax = 4 << 20;

    struct Generations {
        std::unordered_map<std::string, Slots> young, old;
        std::size_t young_bytes = 0;

        void add(const std::string& name, const Slots& slots) {
            const auto bytes = 128 + name.size() + slots->size() * sizeof(PatternSlot);
            if (bytes > kGenerationBytesMax / 16) return;
            if (young_bytes + bytes > kGenerationBytesMax) {
                old = std::exchange(young, {});
                young_bytes = 0;
            }
            if (young.emplace(name, slots).second) young_bytes += bytes;
        }
    };
    Guarded<Generations> generations_;
};

}  // namespace orbridge
