#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbridge {

std::string to_hex(std::string_view bytes);
std::string to_base64(std::string_view bytes);
/// Nothing: not hexadecimal digits in pairs.
std::optional<std::string> from_hex(std::string_view text);
/// Nothing: not Base64 of the standard alphabet with its padding, or not the one way to write these bytes.
std::optional<std::string> from_base64(std::string_view text);

/// SHA-256, raw 32 bytes.
std::string sha256(std::string_view bytes);
/// HMAC-SHA256, raw 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view bytes);

/// Takes as long for a wrong text as for a right one. Lengths may show.
bool equal_constant_time(std::string_view a, std::string_view b);

std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string to_lower(std::string_view text);

/// Each run of control characters (C0, DEL, C1) and of Unicode's line and paragraph separators becomes one space.
std::string on_one_line(std::string_view utf8);

}  // namespace orbridge
