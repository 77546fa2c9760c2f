#include "bridge/receive/request_head.h"

#include <algorithm>
#include <charconv>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

constexpr std::size_t kMethodBytesMax = 32;
constexpr std::size_t kNameBytesMax = 256;

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return is_upper(c) || (c >= 'a' && c <= 'z'); }
bool is_token(char c) {
    return is_letter(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
bool is_target(char c) { return c > ' ' && c < '\x7f' && c != '#'; }
bool is_value(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

template <class Test>
bool all(std::string_view text, Test test) {
    return std::all_of(text.begin(), text.end(), test);
}

Refusal bad_line(std::string message) { return {400, "request_line_invalid", std::move(message)}; }

std::optional<Refusal> read_method(std::string_view method, RequestHead& head) {
    if (method.empty() || method.size() > kMethodBytesMax ||
        !all(method, [](char c) { return is_upper(c) || c == '-' || c == '_'; }))
        return bad_line("The method must be capital letters, at most 32");
    head.request.method = method;
    return std::nullopt;
}

std::optional<Refusal> read_version(std::string_view version, RequestHead& head) {
    const bool shaped = version.size() == 8 && version.substr(0, 5) == "HTTP/" && is_digit(version[5]) &&
                        version[6] == '.' && is_digit(version[7]);
    if (!shaped) return bad_line("The request line must end in HTTP/1.1 or HTTP/1.0");
    if (version != "HTTP/1.1" && version != "HTTP/1.0")
        return Refusal{505, "version_unsupported", "Only HTTP/1.1 and HTTP/1.0 are spoken here"};
    head.http11 = version == "HTTP/1.1";
    return std::nullopt;
}

/// `http://host/path` counts as `/path` (RFC 9112 3.2.2 has servers accept it).
std::string_view without_authority(std::string_view target) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
        target.remove_prefix(scheme.size());
        target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
        return target.empty() ? "/" : target;
    }
    return target;
}

std::optional<Refusal> read_target(std::string_view target, std::size_t bytes_max, RequestHead& head) {
    if (target.size() > bytes_max) {
        return Refusal{414, "uri_too_long",
                       "The request target is longer than " + std::to_string(bytes_max) + " bytes"};
    }
    if (!all(target, is_target)) return bad_line("The request target has characters that must be percent-encoded");
    target = without_authority(target);
    const bool asterisk = target == "*" && head.request.method == "OPTIONS";
    if (!asterisk && (target.empty() || target.front() != '/')) return bad_line("The request target must start with /");
    const auto question = std::min(target.find('?'), target.size());
    head.request.path = target.substr(0, question);
    if (question < target.size()) head.request.query = target.substr(question + 1);
    return std::nullopt;
}

bool needs_length(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

std::optional<Refusal> check_host(const RequestHead& head) {
    const auto hosts = count_header(head.request.headers, "Host");
    if (hosts > 1) return Refusal{400, "host_doubled", "There must be one Host field", "Host"};
    if (hosts == 0 && head.http11) return Refusal{400, "host_missing", "HTTP/1.1 needs a Host field", "Host"};
    if (hosts == 0) return std::nullopt;
    if (find_header(head.request.headers, "Host")->find_first_of(" \t/@?#,\\") != std::string::npos)
        return Refusal{400, "host_invalid", "The Host field is no host", "Host"};
    return std::nullopt;
}

std::optional<Refusal> read_content_length(RequestHead& head) {
    const auto& text = *find_header(head.request.headers, "Content-Length");
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, head.content_length);
    if (text.empty() || !all(text, is_digit) || error != std::errc{} || stop != end)
        return Refusal{400, "content_length_invalid", "Content-Length must be one decimal number", "Content-Length"};
    return std::nullopt;
}

std::optional<Refusal> read_transfer_encoding(RequestHead& head) {
    if (!head.http11)
        return Refusal{400, "framing_ambiguous", "HTTP/1.0 has no Transfer-Encoding", "Transfer-Encoding"};
    if (!equal_ignoring_case(*find_header(head.request.headers, "Transfer-Encoding"), "chunked")) {
        return Refusal{501, "transfer_encoding_unknown", "Only Transfer-Encoding: chunked is understood",
                       "Transfer-Encoding"};
    }
    head.chunked = true;
    return std::nullopt;
}

std::optional<Refusal> settle_length(RequestHead& head) {
    const auto lengths = count_header(head.request.headers, "Content-Length");
    const auto encodings = count_header(head.request.headers, "Transfer-Encoding");
    if (lengths > 0 && encodings > 0)
        return Refusal{400, "framing_ambiguous", "Content-Length and Transfer-Encoding exclude each other"};
    if (lengths > 1) return Refusal{400, "content_length_invalid", "Content-Length is given twice", "Content-Length"};
    if (encodings > 1)
        return Refusal{400, "framing_ambiguous", "Transfer-Encoding is given twice", "Transfer-Encoding"};
    if (lengths == 1) return read_content_length(head);
    if (encodings == 1) return read_transfer_encoding(head);
    if (needs_length(head.request.method))
        return Refusal{411, "length_required", "The request needs a Content-Length or chunked encoding"};
    return std::nullopt;
}

void settle_connection(RequestHead& head) {
    bool close = false;
    bool keep = false;
    for (const auto& header : head.request.headers) {
        if (!equal_ignoring_case(header.name, "Connection")) continue;
        for (const auto token : split(header.value, ',')) {
            close = close || equal_ignoring_case(trim(token), "close");
            keep = keep || equal_ignoring_case(trim(token), "keep-alive");
        }
    }
    head.keep_alive = !close && (head.http11 || keep);
}

std::optional<Refusal> settle_expectation(RequestHead& head) {
    const auto* expected = find_header(head.request.headers, "Expect");
    if (expected == nullptr || !head.http11) return std::nullopt;
    if (!equal_ignoring_case(*expected, "100-continue"))
        return Refusal{417, "expectation_unknown", "Only Expect: 100-continue is understood", "Expect"};
    head.expects_continue = true;
    return std::nullopt;
}

}  // namespace

std::optional<Refusal> read_request_line(std::string_view line, std::size_t target_bytes_max, RequestHead& head) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return bad_line("The request line must have three parts");
    if (auto refusal = read_method(line.substr(0, first), head)) return refusal;
    if (auto refusal = read_version(line.substr(last + 1), head)) return refusal;
    return read_target(line.substr(first + 1, last - first - 1), target_bytes_max, head);
}

std::optional<Refusal> read_field(std::string_view line, Headers& headers) {
    const auto colon = line.find(':');
    const auto name = line.substr(0, colon);
    if (colon == std::string_view::npos || name.empty() || !all(name, is_token))
        return Refusal{400, "header_invalid", "A header field must be `Name: value` with no space before the colon"};
    if (name.size() > kNameBytesMax) return Refusal{431, "headers_too_large", "A header name is longer than 256 bytes"};
    const auto value = trim(line.substr(colon + 1));
    if (!all(line.substr(colon + 1), is_value))
        return Refusal{400, "header_invalid", "A header value has control characters", std::string(name)};
    headers.push_back({std::string(name), std::string(value)});
    return std::nullopt;
}

std::optional<Refusal> settle_framing(RequestHead& head) {
    settle_connection(head);
    if (auto refusal = check_host(head)) return refusal;
    if (auto refusal = settle_length(head)) return refusal;
    return settle_expectation(head);
}

}  // namespace orbridge
