#include "bridge/deliver/retry_after.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace orbridge {
namespace {

constexpr seconds kLongest{30 * 24 * 3600};
constexpr milliseconds kLongestReset{std::chrono::hours{24}};

std::optional<seconds> whole_seconds(const std::string& text) {
    long value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return seconds{std::clamp<long>(value, 0, kLongest.count())};
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
std::optional<seconds> http_date(const std::string& text) {
    tm parts{};
    const char* end = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return seconds{timegm(&parts)};
}

std::optional<std::int64_t> whole_number(const std::string* text) {
    std::int64_t value = 0;
    if (text == nullptr) return std::nullopt;
    const auto* end = text->data() + text->size();
    const auto read = std::from_chars(text->data(), end, value);
    return read.ec == std::errc{} && read.ptr == end ? std::optional(value) : std::nullopt;
}

}  // namespace

milliseconds until_rate_reset(const HttpResponse& response, TimePoint now) {
    if (whole_number(find_header(response.headers, "x-ratelimit-remaining")) != 0) return milliseconds{0};
    const auto reset = whole_number(find_header(response.headers, "x-ratelimit-reset"));
    constexpr std::int64_t kYear9999 = 253'402'300'799;
    if (!reset || *reset < 0 || *reset > kYear9999) return milliseconds{0};
    return std::clamp<milliseconds>(TimePoint{seconds{*reset}} - now, milliseconds{0}, kLongestReset);
}

milliseconds retry_after(const HttpResponse& response) {
    const auto* wanted = find_header(response.headers, "retry-after");
    if (wanted == nullptr) return milliseconds{0};
    if (const auto wait = whole_seconds(*wanted)) return *wait;
    const auto* sent = find_header(response.headers, "date");
    const auto then = http_date(*wanted);
    const auto now = sent != nullptr ? http_date(*sent) : std::nullopt;
    if (!then || !now) return milliseconds{0};
    return std::clamp(*then - *now, seconds{0}, kLongest);
}

}  // namespace orbridge
