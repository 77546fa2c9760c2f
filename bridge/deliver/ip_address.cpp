#include "bridge/deliver/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

namespace orbridge {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::array<std::uint8_t, 12> kNat64{0x00, 0x64, 0xff, 0x9b};

/// Which address a packet ends up at, whatever the way of writing it.
IpAddress unwrapped(IpAddress address) {
    if (address.is_v4) return address;
    const auto begins = [&](const auto& prefix) {
        return std::equal(prefix.begin(), prefix.end(), address.bytes.begin());
    };
    if (!begins(kMapped) && !begins(kNat64)) return address;
    IpAddress inner{{}, true};
    std::copy(address.bytes.begin() + 12, address.bytes.end(), inner.bytes.begin());
    return inner;
}

struct SpecialUse {
    const char* block;
    const char* name;
};

// From the IANA registries of special-purpose addresses, and what clouds serve credentials at.
constexpr SpecialUse kSpecialUses[] = {
    {"0.0.0.0/8", "an unspecified address"},
    {"10.0.0.0/8", "a private address"},
    {"100.64.0.0/10", "an address of carrier-grade NAT"},
    {"127.0.0.0/8", "a loopback address"},
    {"168.63.129.16/32", "a cloud metadata address"},
    {"169.254.0.0/16", "a link-local (cloud metadata) address"},
    {"172.16.0.0/12", "a private address"},
    {"192.0.0.0/24", "a reserved address"},
    {"192.0.2.0/24", "an address for documentation"},
    {"192.88.99.0/24", "a reserved address"},
    {"192.168.0.0/16", "a private address"},
    {"198.18.0.0/15", "an address for benchmarks"},
    {"198.51.100.0/24", "an address for documentation"},
    {"203.0.113.0/24", "an address for documentation"},
    {"224.0.0.0/4", "a multicast address"},
    {"240.0.0.0/4", "a reserved address"},
    {"::/128", "an unspecified address"},
    {"::1/128", "a loopback address"},
    {"::/96", "an IPv4-compatible address"},
    {"100::/64", "a discard address"},
    {"2001::/32", "a Teredo address"},
    {"2001::/23", "a reserved address"},
    {"2001:db8::/32", "an address for documentation"},
    {"2002::/16", "a 6to4 address"},
    {"3fff::/20", "an address for documentation"},
    {"fc00::/7", "a private address"},
    {"fe80::/10", "a link-local address"},
    {"fec0::/10", "a site-local address"},
    {"ff00::/8", "a multicast address"},
};

struct NamedBlock {
    IpBlock block;
    const char* name;
};

const std::vector<NamedBlock>& special_blocks() {
    static const std::vector<NamedBlock> blocks = [] {
        std::vector<NamedBlock> made;
        for (const auto& [text, name] : kSpecialUses) made.push_back({*parse_ip_block(text), name});
        return made;
    }();
    return blocks;
}

bool same_bits(const IpAddress& a, const IpAddress& b, int bits) {
    const auto whole = static_cast<std::size_t>(bits / 8);
    if (!std::equal(a.bytes.begin(), a.bytes.begin() + static_cast<std::ptrdiff_t>(whole), b.bytes.begin()))
        return false;
    const int rest = bits % 8;
    return rest == 0 || ((a.bytes[whole] ^ b.bytes[whole]) >> (8 - rest)) == 0;
}

}  // namespace

std::optional<IpAddress> parse_ip(std::string_view text) {
    const std::string name(text);
    if (name.find('\0') != std::string::npos) return std::nullopt;
    IpAddress address;
    if (inet_pton(AF_INET, name.c_str(), address.bytes.data()) == 1) {
        address.is_v4 = true;
        return address;
    }
    if (inet_pton(AF_INET6, name.c_str(), address.bytes.data()) == 1) return unwrapped(address);
    return std::nullopt;
}

std::optional<IpAddress> ip_of(const sockaddr& address) {
    IpAddress ip;
    if (address.sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        std::memcpy(ip.bytes.data(), &v4.sin_addr, 4);
        ip.is_v4 = true;
        return ip;
    }
    if (address.sa_family != AF_INET6) return std::nullopt;
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    std::memcpy(ip.bytes.data(), &v6.sin6_addr, 16);
    return unwrapped(ip);
}

std::string to_text(const IpAddress& address) {
    char text[INET6_ADDRSTRLEN] = {};
    inet_ntop(address.is_v4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof text);
    return text;
}

bool IpBlock::contains(const IpAddress& address) const {
    return first.is_v4 == address.is_v4 && same_bits(first, address, bits);
}

std::optional<IpBlock> parse_ip_block(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = parse_ip(text.substr(0, slash));
    if (!address) return std::nullopt;
    const int most = address->is_v4 ? 32 : 128;
    int bits = most;
    if (slash != std::string_view::npos) {
        const auto length = text.substr(slash + 1);
        const auto parsed = std::from_chars(length.data(), length.data() + length.size(), bits);
        if (parsed.ec != std::errc{} || parsed.ptr != length.data() + length.size() || bits < 0 || bits > most)
            return std::nullopt;
    }
    IpAddress kept;
    kept.is_v4 = address->is_v4;
    for (int bit = 0; bit < bits; ++bit) {
        const auto byte = static_cast<std::size_t>(bit / 8);
        kept.bytes[byte] = static_cast<std::uint8_t>(kept.bytes[byte] | (address->bytes[byte] & (0x80U >> (bit % 8))));
    }
    if (kept != *address) return std::nullopt;
    return IpBlock{*address, bits};
}

const char* special_use(const IpAddress& address) {
    for (const auto& [block, name] : special_blocks())
        if (block.contains(address)) return name;
    const bool global = address.is_v4 || (address.bytes[0] & 0xe0U) == 0x20U;  // 2000::/3
    return global ? nullptr : "a reserved address";
}

}  // namespace orbridge
