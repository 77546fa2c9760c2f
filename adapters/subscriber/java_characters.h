#pragma once

#include <string>
#include <string_view>

/// Characters as JavaPattern sees and spells them.
namespace orbridge {

constexpr char32_t kEnd = 0xffffffff;

inline bool between(char32_t c, char32_t least, char32_t most) { return c >= least && c <= most; }
inline bool is_digit(char32_t c) { return between(c, U'0', U'9'); }
inline bool is_letter(char32_t c) { return between(c, U'a', U'z') || between(c, U'A', U'Z'); }
inline bool is_one_of(char32_t c, std::u32string_view set) {
    return c != kEnd && set.find(c) != std::u32string_view::npos;
}
/// -1 if it is none.
int hex_digit(char32_t c);

std::string utf8(char32_t c);
/// One character, spelled so that RE2 can only read it as itself, in a class or outside.
std::string spelled(char32_t c);
/// A range within a class; with `fold` also its ASCII letters in the other case.
std::string class_part(char32_t first, char32_t last, bool fold);

}  // namespace orbridge
