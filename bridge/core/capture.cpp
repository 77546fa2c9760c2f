#include "bridge/core/capture.h"

#include <charconv>
#include <optional>
#include <string>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

/// The next line without its end; moves past it. Nothing if no line end is left.
std::optional<std::string_view> take_line(std::string_view& rest) {
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    auto line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
}

bool read_request_line(std::string_view line, InboundRequest& request) {
    const auto words = split(line, ' ');
    if (words.size() != 3 || words[0].empty() || words[1].empty() || words[2].substr(0, 7) != "HTTP/1.") return false;
    const auto question = words[1].find('?');
    request.method = words[0];
    request.path = words[1].substr(0, question);
    if (question != std::string_view::npos) request.query = words[1].substr(question + 1);
    return true;
}

Error invalid(const char* what) { return {Error::Kind::Invalid, std::string("not a recorded HTTP request: ") + what}; }

Status read_headers(std::string_view& rest, InboundRequest& request) {
    for (;;) {
        const auto line = take_line(rest);
        if (!line) return invalid("no empty line after the headers");
        if (line->empty()) return Ok{};
        const auto colon = line->find(':');
        if (colon == std::string_view::npos || colon == 0) return invalid("a header without a colon");
        request.headers.push_back({std::string(line->substr(0, colon)), std::string(trim(line->substr(colon + 1)))});
    }
}

}  // namespace

bool looks_like_capture(std::string_view text) {
    InboundRequest request;
    const auto line = take_line(text);
    return line && read_request_line(*line, request);
}

Result<InboundRequest> parse_capture(std::string_view text) {
    InboundRequest request;
    const auto line = take_line(text);
    if (!line || !read_request_line(*line, request)) return invalid("no request line");
    if (const auto status = read_headers(text, request); !status) return status.error();
    if (const auto* announced = find_header(request.headers, "Content-Length")) {
        std::size_t length = 0;
        const auto parsed = std::from_chars(announced->data(), announced->data() + announced->size(), length);
        if (parsed.ec != std::errc{} || parsed.ptr != announced->data() + announced->size())
            return invalid("Content-Length is no number");
        if (text.size() < length) return invalid("the body is shorter than Content-Length says");
        text = text.substr(0, length);
    }
    request.body = text;
    return request;
}

}  // namespace orbridge
