#include "bridge/core/clock.h"

#include <array>
#include <cctype>
#include <cstdio>

namespace orbridge {
namespace {

/// Reads exactly `count` digits at `at` and moves past them; -1 where there are none.
int digits(std::string_view text, std::size_t& at, std::size_t count) {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i, ++at) {
        if (at >= text.size() || std::isdigit(static_cast<unsigned char>(text[at])) == 0) return -1;
        value = value * 10 + (text[at] - '0');
    }
    return value;
}

bool skip(std::string_view text, std::size_t& at, std::string_view any_of) {
    if (at >= text.size() || any_of.find(text[at]) == std::string_view::npos) return false;
    ++at;
    return true;
}

milliseconds fraction(std::string_view text, std::size_t& at) {
    int value = 0;
    int scale = 100;
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0) {
        value += (text[at] - '0') * scale;
        scale /= 10;
        ++at;
    }
    return milliseconds{value};
}

std::optional<std::chrono::minutes> offset(std::string_view text, std::size_t& at) {
    if (skip(text, at, "Zz")) return std::chrono::minutes{0};
    const bool minus = at < text.size() && text[at] == '-';
    if (!skip(text, at, "+-")) return std::nullopt;
    const int hours = digits(text, at, 2);
    skip(text, at, ":");
    const int minutes = digits(text, at, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    const std::chrono::minutes distance{hours * 60 + minutes};
    return minus ? -distance : distance;
}

}  // namespace

std::string to_iso8601(TimePoint time) {
    using namespace std::chrono;
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss clock{time - day};
    std::array<char, 40> text{};
    const int length =
        std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return {text.data(), static_cast<std::size_t>(length)};
}

std::optional<TimePoint> from_iso8601(std::string_view text) {
    using namespace std::chrono;
    std::size_t at = 0;
    const int y = digits(text, at, 4);
    if (!skip(text, at, "-")) return std::nullopt;
    const int m = digits(text, at, 2);
    if (!skip(text, at, "-")) return std::nullopt;
    const int d = digits(text, at, 2);
    if (!skip(text, at, "Tt ")) return std::nullopt;
    const int hour = digits(text, at, 2);
    if (!skip(text, at, ":")) return std::nullopt;
    const int minute = digits(text, at, 2);
    if (!skip(text, at, ":")) return std::nullopt;
    const int second = digits(text, at, 2);
    if (y < 0 || m < 0 || d < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return std::nullopt;
    const milliseconds part = skip(text, at, ".") ? fraction(text, at) : milliseconds{0};
    const auto zone = offset(text, at);
    const year_month_day date{year{y}, month{static_cast<unsigned>(m)}, day{static_cast<unsigned>(d)}};
    if (!zone || at != text.size() || !date.ok()) return std::nullopt;
    return TimePoint{sys_days{date}.time_since_epoch() + hours{hour} + minutes{minute} + seconds{second} + part -
                     *zone};
}

}  // namespace orbridge
