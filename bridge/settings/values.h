#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/clock.h"

/// The grammars of configuration values, without any place they stand at.
namespace orbridge {

/// `500ms 20s 5m 1h 3d`: a whole number and its unit, nothing else.
std::optional<milliseconds> parse_duration(std::string_view text);
/// The same form, in the largest unit that says it exactly.
std::string format_duration(milliseconds time);

/// `512B 64KiB 1MiB 2GiB`.
std::optional<std::size_t> parse_size(std::string_view text);
std::string format_size(std::size_t bytes);

std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<double> parse_number(std::string_view text);
std::string format_number(double number);

/// What is wrong with an http(s) URL; nothing if it is fine. Never quotes it: it may hold a secret.
std::optional<std::string> url_fault(std::string_view url);

/// `0.0.0.0:8080`, `[::]:0`, `localhost:8080`, `unix:/run/orbridge.sock`
bool is_listen_address(std::string_view text);

/// How many letters to add, drop, change or swap to make one of the other.
std::size_t edit_distance(std::string_view a, std::string_view b);
/// The known word that was probably meant; empty if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& known);
/// `, did you mean `url`? (known: url, user)`: the end of a complaint about an unknown word.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace orbridge
