#include "bridge/deliver/outbound_url.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "bridge/core/http.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace {

Error invalid(const char* what) { return {Error::Kind::Invalid, what}; }

bool is_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }
bool is_decimal(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Only what RFC 3986 lets a URL consist of, and '%' before two hexadecimal digits.
bool has_only_url_characters(std::string_view url) {
    constexpr std::string_view kOthers = "-._~:/?#[]@!$&'()*+,;=";
    for (std::size_t i = 0; i < url.size(); ++i) {
        if (url[i] == '%') {
            if (i + 2 >= url.size() || !is_hex(url[i + 1]) || !is_hex(url[i + 2])) return false;
        } else if (static_cast<unsigned char>(url[i]) >= 0x80 ||
                   (!is_alnum(url[i]) && kOthers.find(url[i]) == std::string_view::npos)) {
            return false;
        }
    }
    return true;
}

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_'; });
}

/// As inet_aton would, and so some resolvers: `0x7f.1`, `2130706433`, `0177.0.0.1`.
bool ends_in_a_number(std::string_view name) {
    const auto last = name.substr(name.rfind('.') + 1);
    return is_decimal(last) || (last.size() > 1 && last[0] == '0' && (last[1] == 'x' || last[1] == 'X'));
}

Status read_name(std::string_view text, OutboundUrl& url) {
    if (text.ends_with('.')) text.remove_suffix(1);
    url.host = to_lower(text);
    if (text.size() > 253) return invalid("its host is longer than 253 characters");
    for (const auto label : split(url.host, '.'))
        if (!is_label(label)) return invalid("its host is not a host name");
    if (!ends_in_a_number(url.host)) return Ok{};
    url.address = parse_ip(url.host);
    if (!url.address) return invalid("its host is an IPv4 address in a form other than four decimal numbers");
    return Ok{};
}

Status read_bracketed(std::string_view text, OutboundUrl& url) {
    if (text.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos)
        return invalid("its host is not an IPv6 address (a zone is not allowed)");
    url.address = parse_ip(text);
    if (!url.address) return invalid("its host is not an IPv6 address");
    url.host = to_lower(text);
    return Ok{};
}

Status read_host(std::string_view host, OutboundUrl& url) {
    if (host.empty()) return invalid("it has no host");
    if (!host.starts_with('[')) return read_name(host, url);
    if (!host.ends_with(']')) return invalid("its host is not an IPv6 address");
    return read_bracketed(host.substr(1, host.size() - 2), url);
}

Status read_port(std::string_view port, OutboundUrl& url) {
    const auto end = port.data() + port.size();
    const auto parsed = std::from_chars(port.data(), end, url.port);
    const bool plain = is_decimal(port) && parsed.ec == std::errc{} && parsed.ptr == end;
    if (!plain || url.port < 1 || url.port > 65535) return invalid("its port is not a number from 1 to 65535");
    return Ok{};
}

Status read_authority(std::string_view authority, OutboundUrl& url) {
    if (authority.find('@') != std::string_view::npos) return invalid("user info in it is not allowed");
    const auto bracket = authority.rfind(']');
    if (authority.starts_with('[') && bracket == std::string_view::npos)
        return invalid("its host is not an IPv6 address");
    const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon != std::string_view::npos)
        if (auto status = read_port(authority.substr(colon + 1), url); !status) return status;
    return read_host(authority.substr(0, colon), url);
}

bool take_scheme(std::string_view& rest, std::string_view scheme) {
    if (!equal_ignoring_case(rest.substr(0, scheme.size()), scheme)) return false;
    rest.remove_prefix(scheme.size());
    return true;
}

}  // namespace

Result<OutboundUrl> parse_outbound_url(std::string_view url) {
    if (url.size() > kOutboundUrlBytesMax) return invalid("it is longer than 2048 bytes");
    if (!has_only_url_characters(url)) return invalid("it has characters that a URL must percent-encode");
    OutboundUrl parsed;
    parsed.tls = take_scheme(url, "https://");
    if (!parsed.tls && !take_scheme(url, "http://")) return invalid("it is not an absolute http or https URL");
    parsed.port = parsed.tls ? 443 : 80;
    if (const auto status = read_authority(url.substr(0, url.find_first_of("/?#")), parsed); !status)
        return status.error();
    return parsed;
}

Result<OutboundUrl> parse_outbound_host(std::string_view host) {
    OutboundUrl parsed;
    if (const auto status = read_host(host, parsed); !status) return status.error();
    return parsed;
}

}  // namespace orbridge
