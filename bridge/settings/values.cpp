#include "bridge/settings/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <sstream>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t factor;
};

constexpr std::array<Unit, 5> kTimes = {{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 4> kSizes = {{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}};

template <std::size_t N>
std::optional<std::int64_t> parse_with_unit(std::string_view text, const std::array<Unit, N>& units) {
    const auto digits_end = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto count = parse_integer(text.substr(0, digits_end));
    const auto unit =
        std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == text.substr(digits_end); });
    if (!count || unit == units.end()) return std::nullopt;
    if (*count > std::numeric_limits<std::int64_t>::max() / unit->factor) return std::nullopt;
    return *count * unit->factor;
}

template <std::size_t N>
std::string format_with_unit(std::int64_t amount, const std::array<Unit, N>& units, std::string_view of_nothing) {
    if (amount == 0) return "0" + std::string(of_nothing);
    const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return amount % u.factor == 0; });
    return std::to_string(amount / unit->factor) + std::string(unit->name);
}

/// `host`, `host:port`, `[v6]:port`
bool is_authority(std::string_view text) {
    const bool v6 = !text.empty() && text.front() == '[';
    const auto host_end = v6 ? text.find(']') : std::min(text.find(':'), text.size());
    if (host_end == std::string_view::npos || host_end == 0) return false;
    const auto after = text.substr(v6 ? host_end + 1 : host_end);
    if (after.empty()) return true;
    const auto port = parse_integer(after.substr(1));
    return after.front() == ':' && port && *port >= 1 && *port <= 65535;
}

}  // namespace

std::optional<milliseconds> parse_duration(std::string_view text) {
    const auto time = parse_with_unit(text, kTimes);
    if (!time) return std::nullopt;
    return milliseconds(*time);
}

std::string format_duration(milliseconds time) { return format_with_unit(time.count(), kTimes, "s"); }

std::optional<std::size_t> parse_size(std::string_view text) {
    const auto size = parse_with_unit(text, kSizes);
    if (!size) return std::nullopt;
    return static_cast<std::size_t>(*size);
}

std::string format_size(std::size_t bytes) { return format_with_unit(static_cast<std::int64_t>(bytes), kSizes, "B"); }

std::optional<std::int64_t> parse_integer(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::optional<double> parse_number(std::string_view text) {
    double number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
    return number;
}

std::string format_number(double number) {
    std::ostringstream text;
    text << number;
    return text.str();
}

bool is_listen_address(std::string_view text) {
    if (text.starts_with("unix:")) return text.substr(5).starts_with('/');
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || !is_authority(text.substr(0, colon))) return false;
    const auto port = parse_integer(text.substr(colon + 1));
    return text.substr(0, colon).find_first_of(" /") == std::string_view::npos && port && *port >= 0 && *port <= 65535;
}

std::optional<std::string> url_fault(std::string_view url) {
    static const std::string kExpected = "expected a URL like https://host/path";
    const auto is_blank = [](unsigned char c) { return c <= ' ' || c == 0x7f; };
    if (std::any_of(url.begin(), url.end(), is_blank)) return "has a blank in it, " + kExpected;
    const auto scheme_end = url.find("://");
    const auto scheme = url.substr(0, scheme_end);
    if (scheme_end == std::string_view::npos || (scheme != "http" && scheme != "https"))
        return "does not begin with http:// or https://, " + kExpected;
    const auto rest = url.substr(scheme_end + 3);
    const auto authority = rest.substr(0, rest.find_first_of("/?#"));
    if (authority.find('@') != std::string_view::npos)
        return "holds a user name or password, expected them in keys of their own";
    if (!is_authority(authority)) return "has no valid host and port, " + kExpected;
    if (url.find('#') != std::string_view::npos) return "has a part after `#`, " + kExpected;
    return std::nullopt;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a.size()][b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
    std::string best;
    std::size_t best_distance = std::min(word.size(), std::max<std::size_t>(1, word.size() / 3) + 1);
    for (const auto& each : known) {
        const auto distance = edit_distance(word, each);
        if (distance >= best_distance) continue;
        best = each;
        best_distance = distance;
    }
    return best;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
    const auto near = nearest(word, known);
    const auto hint = near.empty() ? std::string() : ", did you mean `" + near + "`?";
    return hint + " (known: " + (known.empty() ? "none" : join(known, ", ")) + ')';
}

}  // namespace orbridge
