#include "bridge/deliver/retry_after.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace orbridge {
namespace {

constexpr seconds kLongest{30 * 24 * 3600};

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

}  // namespace

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
