#include "adapters/subscriber/utf32.h"

#include <bit>
#include <cstdint>

namespace orbridge {
namespace {

constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};  // by length: anything smaller is overlong

bool is_scalar(char32_t point) { return point <= 0x10ffff && (point < 0xd800 || point > 0xdfff); }

}  // namespace

std::optional<std::u32string> to_utf32(std::string_view utf8) {
    std::u32string points;
    for (std::size_t i = 0; i < utf8.size();) {
        const auto first = static_cast<std::uint8_t>(utf8[i]);
        const auto ones = static_cast<std::size_t>(std::countl_one(first));
        const std::size_t length = ones == 0 ? 1 : ones;
        if (ones == 1 || ones > 4 || i + length > utf8.size()) return std::nullopt;
        char32_t point = first & (0xffU >> (ones + (ones == 0 ? 0 : 1)));
        for (std::size_t k = 1; k < length; ++k) {
            const auto next = static_cast<std::uint8_t>(utf8[i + k]);
            if ((next & 0xc0U) != 0x80U) return std::nullopt;
            point = (point << 6) | (next & 0x3fU);
        }
        if (point < kLeast[length] || !is_scalar(point)) return std::nullopt;
        points += point;
        i += length;
    }
    return points;
}

void append_utf8(std::string& out, char32_t point) {
    const auto tail = [&](int shift) { out += static_cast<char>(0x80U | ((point >> shift) & 0x3fU)); };
    if (point < 0x80) {
        out += static_cast<char>(point);
    } else if (point < 0x800) {
        out += static_cast<char>(0xc0U | (point >> 6));
        tail(0);
    } else if (point < 0x10000) {
        out += static_cast<char>(0xe0U | (point >> 12));
        tail(6);
        tail(0);
    } else {
        out += static_cast<char>(0xf0U | (point >> 18));
        tail(12);
        tail(6);
        tail(0);
    }
}

}  // namespace orbridge
