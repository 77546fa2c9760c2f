#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace orbridge {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// UTC, in milliseconds since 1970: what is stored, sent and compared everywhere.
using TimePoint = std::chrono::sys_time<milliseconds>;

/// Seam. Safe from any thread. Only `app` and `main` make a real one; everything else is given it.
class Clock {
public:
    virtual ~Clock() = default;
    virtual TimePoint now() const = 0;
};

class SystemClock final : public Clock {
public:
    TimePoint now() const override { return std::chrono::floor<milliseconds>(std::chrono::system_clock::now()); }
};

/// `2026-11-22T04:18:20.123Z`
std::string to_iso8601(TimePoint time);
/// RFC 3339 with `Z` or an offset, seconds with or without a fraction. Nothing else.
std::optional<TimePoint> from_iso8601(std::string_view text);

}  // namespace orbridge
