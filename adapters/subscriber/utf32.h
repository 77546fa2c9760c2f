#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace orbridge {

/// Code points of valid UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF), or nothing.
std::optional<std::u32string> to_utf32(std::string_view utf8);
void append_utf8(std::string& out, char32_t point);

}  // namespace orbridge
