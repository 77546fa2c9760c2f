// The parts of JavaPattern that read character classes and escapes of single characters.

#include <algorithm>

#include "adapters/subscriber/java_characters.h"
#include "adapters/subscriber/java_pattern.h"

namespace orbridge {

bool JavaPattern::character_class() {
    ++at_;
    std::string items = skip(U'^') ? "[^" : "[";
    for (bool first = true; first || peek() != U']'; first = false) {
        if (at_end()) return refuse("a character class that is not closed");
        if (!class_item(items)) return false;
    }
    ++at_;
    return atom(items + ']');
}

bool JavaPattern::class_item(std::string& items) {
    if (peek() == U'[') return refuse("'[' inside a class (a union, or [[:alpha:]]) is not supported");
    if (looking_at(U"&&")) return refuse("class intersection && is not supported");
    const auto c = text_[at_++];
    return c == U'\\' ? class_escape(items) : class_range(c, items);
}

bool JavaPattern::class_escape(std::string& items) {
    const auto letter = peek();
    if (letter == U'Q') return refuse("\\Q…\\E inside a class is not supported");
    if (is_one_of(letter, U"dwsDWS")) {
        items += '\\' + utf8(text_[at_++]);
        return true;
    }
    if (is_one_of(letter, U"pP")) {
        const auto part = property();
        if (part) items += *part;
        return part.has_value();
    }
    const auto c = escaped_character();
    return c && class_range(*c, items);
}

/// A '-' before the end of the class, or behind something that is no single character, is a character.
bool JavaPattern::class_range(char32_t first, std::string& items) {
    auto last = first;
    if (peek() == U'-' && !is_one_of(peek(1), U"[]") && peek(1) != kEnd) {
        ++at_;
        const auto end = range_end();
        if (!end) return false;
        last = *end;
    }
    if (last < first) return refuse("a class range that runs backwards");
    items += class_part(first, last, modes_.fold);
    return true;
}

std::optional<char32_t> JavaPattern::range_end() {
    const auto c = text_[at_++];
    return c == U'\\' ? escaped_character() : c;
}

std::optional<char32_t> JavaPattern::escaped_character() {
    if (at_end()) return refuse("a backslash at the end"), std::nullopt;
    const auto c = text_[at_++];
    switch (c) {
        case U't': return U'\t';
        case U'n': return U'\n';
        case U'r': return U'\r';
        case U'f': return U'\f';
        case U'a': return U'\a';
        case U'x': return hexadecimal();
        case U'u': return utf16();
        case U'0': return octal();
        default: break;
    }
    if (is_digit(c) || c == U'k') return refuse("backreference \\" + utf8(c) + " is not supported"), std::nullopt;
    if (is_letter(c)) return refuse("the escape \\" + utf8(c) + " is not supported"), std::nullopt;
    return c;
}

/// `hh` or `{h…}`, behind `\x`.
std::optional<char32_t> JavaPattern::hexadecimal() {
    if (!skip(U'{')) return hex_digits(2);
    char32_t value = 0;
    const auto begin = at_;
    for (; hex_digit(peek()) >= 0; ++at_)
        value = std::min<char32_t>(value * 16 + static_cast<char32_t>(hex_digit(peek())), 0x110000);
    if (at_ == begin || !skip(U'}')) return refuse("\\x{…} without hexadecimal digits"), std::nullopt;
    return scalar(value);
}

std::optional<char32_t> JavaPattern::hex_digits(std::size_t count) {
    char32_t value = 0;
    for (std::size_t i = 0; i < count; ++i, ++at_) {
        const int digit = hex_digit(peek());
        if (digit < 0) return refuse("\\x or \\u without its hexadecimal digits"), std::nullopt;
        value = value * 16 + static_cast<char32_t>(digit);
    }
    return value;
}

/// `hhhh`, behind `\u`; two of them where one character takes two units.
std::optional<char32_t> JavaPattern::utf16() {
    const auto high = hex_digits(4);
    if (!high || !between(*high, 0xd800, 0xdbff) || !looking_at(U"\\u")) return high ? scalar(*high) : high;
    at_ += 2;
    const auto low = hex_digits(4);
    if (!low) return std::nullopt;
    if (!between(*low, 0xdc00, 0xdfff)) return scalar(*high);
    return 0x10000 + ((*high - 0xd800) << 10) + (*low - 0xdc00);
}

/// `n`, `nn` or `mnn` with m up to 3, behind `\0`.
std::optional<char32_t> JavaPattern::octal() {
    if (!between(peek(), U'0', U'7')) return refuse("\\0 without octal digits"), std::nullopt;
    const std::size_t digits = peek() <= U'3' ? 3 : 2;
    char32_t value = 0;
    for (std::size_t i = 0; i < digits && between(peek(), U'0', U'7'); ++i) value = value * 8 + (text_[at_++] - U'0');
    return value;
}

std::optional<char32_t> JavaPattern::scalar(char32_t point) {
    if (point > 0x10ffff) return refuse("a character above U+10FFFF"), std::nullopt;
    if (between(point, 0xd800, 0xdfff)) return refuse("half of a surrogate pair"), std::nullopt;
    return point;
}

}  // namespace orbridge
