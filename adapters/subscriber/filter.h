#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bridge/core/result.h"

namespace orbridge {

constexpr std::size_t kFilterCharactersMax = 1024;

/// What one filter may cost the engine: enough for every `{n}` up to 1000 over plain characters.
constexpr std::int64_t kFilterBytesMax = 4 << 20;

/// A subscriber's event filter, as simple as it can be said.
struct EventFilter {
    enum class Shape {
        Exact,       ///< `text` is the one name that matches
        Prefix,      ///< `text` is what matching names begin with
        Expression,  ///< `text` is RE2 syntax that must match the whole name
    };
    Shape shape = Shape::Expression;
    std::string text;
    friend bool operator==(const EventFilter&, const EventFilter&) = default;
};

/// Reads a Java regular expression, as `Pattern.matcher(name).matches()` would take it. What RE2 understands
/// otherwise than Java never gets through: it is translated or refused. Event names hold no line breaks and
/// no control characters (the normalizer sees to that), which hides where the two differ on `.` and `$`.
/// Invalid: the message begins with `eventFilter` and names the construct. Pure.
Result<EventFilter> read_event_filter(std::string_view java);

}  // namespace orbridge
