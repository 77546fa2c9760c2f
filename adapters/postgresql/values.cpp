#include "adapters/postgresql/values.h"

#include <algorithm>
#include <array>

namespace orbridge::postgresql {
namespace {

// pg_type.dat of PostgreSQL: these are fixed.
constexpr unsigned kBool = 16, kJson = 114, kJsonb = 3802;
constexpr std::array kNumbers = {20U, 21U, 23U, 26U, 700U, 701U, 1700U};
/// bool, int2, int4, int8, text, varchar, bpchar, float4, float8, numeric, uuid, date, timestamp, timestamptz
constexpr std::array kArrays = {1000U, 1005U, 1007U, 1016U, 1009U, 1015U, 1014U,
                                1021U, 1022U, 1231U, 2951U, 1182U, 1115U, 1185U};

template <class List>
bool is_among(const List& list, unsigned oid) {
    return std::find(list.begin(), list.end(), oid) != list.end();
}

/// `{"a","b",NULL}`
std::string array_text(const Json& list) {
    std::string text = "{";
    for (const auto& [key, raw_key, item] : list.members()) {
        if (text.size() > 1) text += ',';
        if (item.is_null()) {
            text += "NULL";
        } else if (item.is_array()) {
            text += array_text(item);
        } else {
            text += '"';
            for (const char c : item.scalar().value_or(std::string(item.raw()))) {
                if (c == '"' || c == '\\') text += '\\';
                text += c;
            }
            text += '"';
        }
    }
    return text + '}';
}

}  // namespace

std::optional<std::string> bound(const Json& value, unsigned oid) {
    if (!value.present() || value.is_null()) return std::nullopt;
    if (oid == kJson || oid == kJsonb) return std::string(value.raw());
    if (value.is_array() && is_among(kArrays, oid)) return array_text(value);
    return value.scalar().value_or(std::string(value.raw()));
}

std::string to_json(std::string_view text, unsigned oid) {
    if (oid == kBool) return text == "t" ? "true" : "false";
    const bool is_json = oid == kJson || oid == kJsonb || is_among(kNumbers, oid);
    if (is_json && JsonDocument::parse(text, {.depth_max = 512, .values_max = 1'000'000})) return std::string(text);
    return json_string(text);  // `NaN` is a number, too
}

}  // namespace orbridge::postgresql
