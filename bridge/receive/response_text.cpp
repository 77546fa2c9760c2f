#include "bridge/receive/response_text.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace orbridge {
namespace {

constexpr std::array<std::pair<int, std::string_view>, 29> kReasons = {{
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
}};

std::string_view reason_of(int status) {
    const auto* found =
        std::find_if(kReasons.begin(), kReasons.end(), [&](const auto& reason) { return reason.first == status; });
    if (found != kReasons.end()) return found->second;
    return status == 505 ? "HTTP Version Not Supported" : "Unknown";
}

constexpr std::array<std::string_view, 4> kOurs = {"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive"};

bool is_ours(std::string_view name) {
    return std::any_of(kOurs.begin(), kOurs.end(), [&](auto ours) { return equal_ignoring_case(name, ours); });
}

/// A line end in a value would let its author write headers, or a second answer.
void append_field(std::string& text, std::string_view name, std::string_view value) {
    text.append(name).append(": ");
    for (const char c : value) text += static_cast<unsigned char>(c) < 0x20 && c != '\t' ? ' ' : c;
    text.append("\r\n");
}

void append_connection(std::string& text, const ResponseForm& form) {
    if (form.close) return append_field(text, "Connection", "close");
    if (!form.http11) append_field(text, "Connection", "keep-alive");
    if (form.keep_alive > seconds{0})
        append_field(text, "Keep-Alive", "timeout=" + std::to_string(form.keep_alive.count()));
}

}  // namespace

std::string response_text(const Answer& answer, const ResponseForm& form) {
    const bool bodiless = answer.status == 204 || answer.status == 304 || answer.status < 200;
    std::string text;
    text.reserve(answer.body.size() + 256);
    text.append("HTTP/1.1 ").append(std::to_string(answer.status)).append(" ");
    text.append(reason_of(answer.status)).append("\r\n");
    if (!bodiless) {
        append_field(text, "Content-Length", std::to_string(answer.body.size()));
        if (!answer.content_type.empty()) append_field(text, "Content-Type", answer.content_type);
    }
    for (const auto& header : answer.headers)
        if (!is_ours(header.name)) append_field(text, header.name, header.value);
    append_connection(text, form);
    text.append("\r\n");
    if (!bodiless && !form.without_body) text.append(answer.body);
    return text;
}

bool wants_close(const Answer& answer) {
    const auto* connection = find_header(answer.headers, "Connection");
    return connection != nullptr && equal_ignoring_case(*connection, "close");
}

}  // namespace orbridge
