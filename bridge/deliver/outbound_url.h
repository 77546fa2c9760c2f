#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/core/result.h"
#include "bridge/deliver/ip_address.h"

namespace orbridge {

constexpr std::size_t kOutboundUrlBytesMax = 2048;

/// Where a URL leads, with only one reading possible.
struct OutboundUrl {
    bool tls = false;
    std::string host;  ///< lower case, without a trailing dot and brackets
    int port = 0;
    std::optional<IpAddress> address;  ///< if the host is one
};

/// An absolute http or https URL of RFC 3986: only its characters, no user info, a host that is a name or a
/// plain address (no octal, hexadecimal or shortened IPv4, no zone), a port from 1 to 65535. Invalid: what is
/// wrong with it, without quoting it. Pure.
Result<OutboundUrl> parse_outbound_url(std::string_view url);

/// A host name or address as in a URL. Invalid likewise.
Result<OutboundUrl> parse_outbound_host(std::string_view host);

}  // namespace orbridge
