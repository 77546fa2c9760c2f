#include "bridge/verify/headers.h"

#include <charconv>
#include <cstdint>

namespace orbridge {
namespace {

constexpr std::size_t kDigitsMax = 12;  // times 1000 stays far from the end of 64 bits

}  // namespace

Result<const std::string*> only_header(const Headers& headers, std::string_view name) {
    const auto lines = count_header(headers, name);
    if (lines == 0) return Error{Error::Kind::Unauthorized, "no " + std::string(name) + " header"};
    if (lines > 1) return Error{Error::Kind::Unauthorized, "more than one " + std::string(name) + " header"};
    return find_header(headers, name);
}

Status fresh(std::string_view header, std::string_view text, TimePoint now, milliseconds tolerance) {
    const auto wrong = [&](const char* what) { return Error{Error::Kind::Unauthorized, std::string(header) + what}; };
    std::int64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool digits = text.find_first_not_of("0123456789") == std::string_view::npos;
    if (text.empty() || text.size() > kDigitsMax || !digits || read.ec != std::errc{})
        return wrong(" is not a time in seconds since 1970");
    const TimePoint signed_at{milliseconds{number * 1000}};
    if (signed_at < now - tolerance) return wrong(" is too long ago");
    if (signed_at > now + tolerance) return wrong(" is too far in the future");
    return Ok{};
}

}  // namespace orbridge
