#include "bridge/receive/request_parser.h"

#include <algorithm>
#include <utility>

namespace orbridge {
namespace {

constexpr std::size_t kReserveMax = 64 << 10;  // a Content-Length is a promise, not yet memory
constexpr std::size_t kRequestLineExtra = 48;  // method, version, spaces, line end

bool may_begin_a_request(char c) { return (c >= 'A' && c <= 'Z') || c == '\r' || c == '\n'; }

}  // namespace

RequestParser::State RequestParser::state() const {
    if (step_ == Step::Complete) return State::Complete;
    return step_ == Step::Refused ? State::Refused : State::NeedMore;
}

std::size_t RequestParser::feed(std::string_view bytes) {
    const auto size = bytes.size();
    while (!bytes.empty() && state() == State::NeedMore) {
        if (step_ == Step::Body) {
            feed_body(bytes);
        } else {
            feed_head(bytes);
        }
    }
    return size - bytes.size();
}

void RequestParser::feed_head(std::string_view& bytes) {
    // Something else than HTTP, e.g. a TLS hello, has no line end to wait for.
    if (!std::exchange(begun_, true) && !may_begin_a_request(bytes.front()))
        return refuse({400, "request_line_invalid", "This is no HTTP request"});
    const bool first_line = step_ == Step::RequestLine;
    const auto left = limits_->header_bytes_max - std::min(head_bytes_, limits_->header_bytes_max);
    const auto bytes_max = first_line ? std::min(left, limits_->target_bytes_max + kRequestLineExtra) : left;
    switch (lines_.read(bytes, bytes_max)) {
        case LineReader::Found::NeedMore: return;
        case LineReader::Found::TooLong: return refuse_long_head();
        case LineReader::Found::BareLineFeed:
            return refuse({400, "line_end_invalid", "Lines of the request head must end in CRLF"});
        case LineReader::Found::Line: break;
    }
    head_bytes_ += lines_.line().size() + 2;
    read_head_line(lines_.line());
}

void RequestParser::refuse_long_head() {
    if (step_ == Step::RequestLine) {
        return refuse({414, "uri_too_long",
                       "The request target is longer than " + std::to_string(limits_->target_bytes_max) + " bytes"});
    }
    refuse({431, "headers_too_large",
            "The request head is larger than " + std::to_string(limits_->header_bytes_max) + " bytes"});
}

void RequestParser::read_head_line(std::string_view line) {
    if (step_ == Step::RequestLine) {
        // Some clients end a body with one CRLF too many (RFC 9112 2.2).
        if (line.empty() && !std::exchange(skipped_empty_line_, true)) {
            begun_ = false;
            return;
        }
        step_ = Step::Fields;
        if (auto refusal = read_request_line(line, limits_->target_bytes_max, head_)) refuse(std::move(*refusal));
        return;
    }
    if (line.empty()) return end_head();
    if (head_.request.headers.size() >= limits_->headers_max) {
        return refuse(
            {431, "headers_too_many", "More than " + std::to_string(limits_->headers_max) + " header fields"});
    }
    if (auto refusal = read_field(line, head_.request.headers)) refuse(std::move(*refusal));
}

void RequestParser::end_head() {
    if (auto refusal = settle_framing(head_)) return refuse(std::move(*refusal));
    const auto body_max = head_.chunked || head_.content_length > 0 ? body_bytes_max() : 0;
    if (head_.content_length > body_max)
        return refuse({413, "body_too_large", "The body is larger than " + std::to_string(body_max) + " bytes"});
    if (head_.chunked) chunks_.emplace(body_max, limits_->header_bytes_max);
    head_.request.body.reserve(std::min(head_.content_length, kReserveMax));
    step_ = head_.chunked || head_.content_length > 0 ? Step::Body : Step::Complete;
}

std::size_t RequestParser::body_bytes_max() const {
    if (!limits_->body_bytes_max_of) return limits_->body_bytes_max;
    try {
        return limits_->body_bytes_max_of(head_.request);
    } catch (...) {
        return limits_->body_bytes_max;
    }
}

void RequestParser::feed_body(std::string_view& bytes) {
    if (!head_.chunked) return feed_sized_body(bytes);
    if (auto refusal = chunks_->feed(bytes, head_.request.body)) return refuse(std::move(*refusal));
    if (chunks_->complete()) step_ = Step::Complete;
}

void RequestParser::feed_sized_body(std::string_view& bytes) {
    auto& body = head_.request.body;
    const auto count = std::min(bytes.size(), head_.content_length - body.size());
    body.append(bytes.substr(0, count));
    bytes.remove_prefix(count);
    if (body.size() == head_.content_length) step_ = Step::Complete;
}

std::optional<Refusal> RequestParser::refusal_at_end() const {
    if (!begun_ || state() != State::NeedMore) return std::nullopt;
    if (step_ == Step::Body) return Refusal{400, "body_truncated", "The body ended before it was complete"};
    return Refusal{400, "head_truncated", "The request ended before its head was complete"};
}

void RequestParser::refuse(Refusal refusal) {
    refusal_ = std::move(refusal);
    step_ = Step::Refused;
}

}  // namespace orbridge
