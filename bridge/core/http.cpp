#include "bridge/core/http.h"

#include <algorithm>
#include <cctype>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

const std::string* find_header(const Headers& headers, std::string_view name) {
    const auto found = std::find_if(headers.begin(), headers.end(),
                                    [&](const Header& h) { return equal_ignoring_case(h.name, name); });
    return found == headers.end() ? nullptr : &found->value;
}

std::size_t count_header(const Headers& headers, std::string_view name) {
    return static_cast<std::size_t>(std::count_if(headers.begin(), headers.end(),
                                                  [&](const Header& h) { return equal_ignoring_case(h.name, name); }));
}

std::string local_url(const std::string& listen) {
    if (!unix_socket_of(listen).empty()) return "http://localhost";
    const auto colon = listen.rfind(':');
    auto host = listen.substr(0, colon);
    if (host.empty() || host == "0.0.0.0" || host == "*") host = "127.0.0.1";
    if (host == "[::]" || host == "::") host = "[::1]";
    return "http://" + host + (colon == std::string::npos ? "" : listen.substr(colon));
}

std::string unix_socket_of(const std::string& listen) {
    constexpr std::string_view kUnix = "unix:";
    return listen.starts_with(kUnix) ? listen.substr(kUnix.size()) : std::string();
}

std::string where(std::string_view url) {
    std::string_view scheme;
    if (const auto end = url.find("://"); end != std::string_view::npos) {
        scheme = url.substr(0, end + 3);
        url.remove_prefix(end + 3);
    }
    url = url.substr(0, url.find_first_of("?#"));
    const auto authority_end = std::min(url.find('/'), url.size());
    if (const auto at = url.substr(0, authority_end).rfind('@'); at != std::string_view::npos)
        url.remove_prefix(at + 1);
    return std::string(scheme) + std::string(url);
}

std::string percent_encode(std::string_view text) {
    static constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
            encoded += c;
        } else {
            encoded += '%';
            encoded += kDigits[byte >> 4];
            encoded += kDigits[byte & 0xf];
        }
    }
    return encoded;
}

std::string percent_decode(std::string_view text, bool plus_is_space) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
            decoded += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            decoded += plus_is_space && text[i] == '+' ? ' ' : text[i];
        }
    }
    return decoded;
}

std::string query_value(std::string_view query, std::string_view name) {
    for (const auto part : split(query, '&')) {
        const auto equals = part.find('=');
        if (percent_decode(part.substr(0, equals), true) != name) continue;
        return equals == std::string_view::npos ? std::string() : percent_decode(part.substr(equals + 1), true);
    }
    return {};
}

}  // namespace orbridge
