#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/core/clock.h"

namespace orbridge {

/// What identifies things inside a store: shorter than the text it stands for.
struct Key16 {
    std::array<char, 16> bytes{};
    std::string_view view() const { return {bytes.data(), bytes.size()}; }
    /// As SQLite compares blobs: bytes are unsigned.
    friend auto operator<=>(const Key16& a, const Key16& b) { return a.view() <=> b.view(); }
    friend bool operator==(const Key16&, const Key16&) = default;
};

/// The 16 bytes of a UUID. Nothing if the text is none.
std::optional<Key16> pack_uuid(std::string_view text);
/// The text of 16 bytes, lower case with hyphens.
std::string unpack_uuid(std::string_view bytes);
/// When a UUID of version 7 was made.
TimePoint time_of_uuid(std::string_view bytes);
/// The smallest UUID of version 7 that can have been made then.
Key16 first_uuid_at(TimePoint time);

/// Identifies (source, key): half a SHA-256.
Key16 hash_key(std::string_view source, std::string_view key);
/// Identifies (target, order key). Should two ever collide, one waits for the other without need.
std::int64_t hash_order(std::string_view target, std::string_view order_key);

}  // namespace orbridge
