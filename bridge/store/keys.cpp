#include "bridge/store/keys.h"

#include <algorithm>
#include <cstring>

#include "bridge/core/ids.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace {

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return (c | 0x20) - 'a' + 10;
}

std::string joined(std::string_view first, std::string_view second) {
    std::string text;
    text.reserve(first.size() + 1 + second.size());
    text.append(first).push_back('\0');
    return text.append(second);
}

}  // namespace

std::optional<Key16> pack_uuid(std::string_view text) {
    if (!is_uuid(text)) return std::nullopt;
    Key16 key;
    std::size_t at = 0;
    for (auto& byte : key.bytes) {
        if (text[at] == '-') ++at;
        byte = static_cast<char>(hex_value(text[at]) * 16 + hex_value(text[at + 1]));
        at += 2;
    }
    return key;
}

std::string unpack_uuid(std::string_view bytes) {
    auto text = to_hex(bytes.substr(0, 16));
    for (const std::size_t at : {8, 13, 18, 23}) {
        if (at <= text.size()) text.insert(at, 1, '-');
    }
    return text;
}

TimePoint time_of_uuid(std::string_view bytes) {
    std::int64_t ms = 0;
    for (std::size_t i = 0; i < 6 && i < bytes.size(); ++i) ms = ms << 8 | static_cast<unsigned char>(bytes[i]);
    return TimePoint{milliseconds{ms}};
}

Key16 first_uuid_at(TimePoint time) {
    Key16 key;
    auto ms = std::clamp<std::int64_t>(time.time_since_epoch().count(), 0, (std::int64_t{1} << 48) - 1);
    for (int i = 5; i >= 0; --i, ms >>= 8) key.bytes[static_cast<std::size_t>(i)] = static_cast<char>(ms & 0xff);
    return key;
}

Key16 hash_key(std::string_view source, std::string_view key) {
    const auto hash = sha256(joined(source, key));
    Key16 half;
    std::copy_n(hash.begin(), half.bytes.size(), half.bytes.begin());
    return half;
}

std::int64_t hash_order(std::string_view target, std::string_view order_key) {
    const auto hash = sha256(joined(target, order_key));
    std::int64_t number = 0;
    std::memcpy(&number, hash.data(), sizeof number);
    return number;
}

}  // namespace orbridge
