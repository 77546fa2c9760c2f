#include "bridge/receive/lease_fields.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "bridge/core/ids.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace {

/// Seconds, or nothing if it is no whole number. Larger than any lease is as good as infinite.
std::optional<double> whole_seconds(const Json& value) {
    if (value.is_string()) {
        const auto digits = *value.string();
        if (digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
        return std::strtod(digits.c_str(), nullptr);
    }
    if (value.kind() != Json::Kind::Number) return std::nullopt;
    const double seconds = std::strtod(std::string(value.raw()).c_str(), nullptr);
    if (std::isfinite(seconds) && seconds != std::floor(seconds)) return std::nullopt;
    return seconds;
}

}  // namespace

bool LeaseFields::given(std::string_view name) const {
    const auto value = body_[name];
    return value.present() && !value.is_null() && !(value.is_string() && value.string()->empty());
}

void LeaseFields::require(std::string_view name) {
    if (!given(name)) missing_.emplace_back(name);
}

std::optional<std::string> LeaseFields::text(std::string_view name) {
    if (!given(name)) return std::nullopt;
    auto value = body_[name].string();
    if (!value) complain(std::string(name) + " must be a string");
    return value;
}

bool LeaseFields::flag(std::string_view name) {
    if (!given(name)) return false;
    const auto value = body_[name].boolean();
    if (!value) complain(std::string(name) + " must be true or false");
    return value.value_or(false);
}

std::optional<milliseconds> LeaseFields::lease_time(milliseconds most) {
    if (!given("leaseTime")) return std::nullopt;
    const auto asked = whole_seconds(body_["leaseTime"]);
    const auto maximum = std::chrono::duration_cast<seconds>(most).count();
    if (!asked || *asked < 1) {
        complain("leaseTime must be a whole number of seconds from 1 to " + std::to_string(maximum));
        return std::nullopt;
    }
    if (*asked > static_cast<double>(maximum)) {
        complain("leaseTime must not be above the maximum of " + std::to_string(maximum) + " seconds");
        return std::nullopt;
    }
    return seconds{static_cast<std::int64_t>(*asked)};
}

std::optional<Since> LeaseFields::since() {
    if (!given("since")) return std::nullopt;
    const auto value = body_["since"];
    if (const auto time = value.integer()) return Since{TimePoint{milliseconds{*time}}, {}};
    const auto text = value.string().value_or("");
    if (is_uuid(text)) return Since{{}, text};
    if (const auto time = from_iso8601(text)) return Since{*time, {}};
    complain("since must be a time, in milliseconds or like 2026-03-02T13:05:09Z, or the id of an event");
    return std::nullopt;
}

std::string LeaseFields::faults() const {
    auto all = faults_;
    if (!missing_.empty()) all.insert(all.begin(), "missing: " + join(missing_, ", "));
    return join(all, "; ");
}

std::size_t count_characters(std::string_view utf8) {
    return static_cast<std::size_t>(std::count_if(
        utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

/// C0, DEL, and C1, which in UTF-8 is 0xc2 and a byte below 0xa0.
bool has_control_characters(std::string_view utf8) {
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        const auto byte = static_cast<unsigned char>(utf8[i]);
        if (byte < 0x20 || byte == 0x7f) return true;
        if (byte == 0xc2 && i + 1 < utf8.size() && static_cast<unsigned char>(utf8[i + 1]) < 0xa0) return true;
    }
    return false;
}

}  // namespace orbridge
