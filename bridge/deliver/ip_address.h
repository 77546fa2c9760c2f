#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;

namespace orbridge {

/// An IPv4 or IPv6 address. One that only wraps an IPv4 address (IPv4-mapped, NAT64) is that address.
struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};  ///< IPv4: in the first four
    bool is_v4 = false;
    friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

/// Four decimal numbers or RFC 4291, without brackets, zone or port. Nothing else, so no octal, no `127.1`.
std::optional<IpAddress> parse_ip(std::string_view text);
/// Nothing for other families.
std::optional<IpAddress> ip_of(const sockaddr& address);
std::string to_text(const IpAddress& address);

/// `10.0.0.0/8`; without a length one address.
struct IpBlock {
    IpAddress first;
    int bits = 0;
    bool contains(const IpAddress& address) const;
};
/// Nothing if it is no block, or if bits behind its length are set.
std::optional<IpBlock> parse_ip_block(std::string_view text);

/// What keeps an address from being an ordinary public one, as a noun (`a loopback address`); nullptr: it is one.
const char* special_use(const IpAddress& address);

}  // namespace orbridge
