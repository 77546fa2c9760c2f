#include "adapters/subscriber/java_characters.h"

#include <algorithm>
#include <cstdio>

#include "adapters/subscriber/utf32.h"

namespace orbridge {

int hex_digit(char32_t c) {
    if (is_digit(c)) return static_cast<int>(c - U'0');
    if (between(c, U'a', U'f')) return static_cast<int>(c - U'a') + 10;
    if (between(c, U'A', U'F')) return static_cast<int>(c - U'A') + 10;
    return -1;
}

std::string utf8(char32_t c) {
    std::string text;
    append_utf8(text, c);
    return text;
}

std::string spelled(char32_t c) {
    if (c >= 0x80 || is_letter(c) || is_digit(c) || c == U'_') return utf8(c);
    if (c < 0x20 || c == 0x7f) {
        char code[8];
        std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned>(c));
        return code;
    }
    return '\\' + utf8(c);
}

namespace {

std::string spelled_range(char32_t first, char32_t last) {
    return first == last ? spelled(first) : spelled(first) + '-' + spelled(last);
}

/// The part of a range that lies within `least`…`most`, moved by `distance`: its letters in the other case.
std::string other_case(char32_t first, char32_t last, char32_t least, char32_t most, int distance) {
    const auto from = std::max(first, least);
    const auto to = std::min(last, most);
    if (from > to) return {};
    const auto moved = [&](char32_t c) { return static_cast<char32_t>(static_cast<int>(c) + distance); };
    return spelled_range(moved(from), moved(to));
}

}  // namespace

std::string class_part(char32_t first, char32_t last, bool fold) {
    auto part = spelled_range(first, last);
    if (!fold) return part;
    part += other_case(first, last, U'A', U'Z', 32);
    part += other_case(first, last, U'a', U'z', -32);
    return part;
}

}  // namespace orbridge
