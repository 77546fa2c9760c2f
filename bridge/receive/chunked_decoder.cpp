#include "bridge/receive/chunked_decoder.h"

#include <algorithm>
#include <charconv>

namespace orbridge {
namespace {

constexpr std::size_t kSizeDigitsMax = 16;
constexpr std::size_t kSizeLineBytesMax = 300;  // digits, a short extension, line end

Refusal bad_chunk(std::string message) { return {400, "chunk_invalid", std::move(message)}; }

}  // namespace

std::optional<Refusal> ChunkedDecoder::feed(std::string_view& bytes, std::string& body) {
    while (!bytes.empty() && step_ != Step::Complete) {
        if (step_ == Step::Data) {
            take_data(bytes, body);
        } else if (auto refusal = feed_line(bytes, body.size())) {
            return refusal;
        }
    }
    return std::nullopt;
}

void ChunkedDecoder::take_data(std::string_view& bytes, std::string& body) {
    const auto count = std::min(bytes.size(), chunk_left_);
    body.append(bytes.substr(0, count));
    bytes.remove_prefix(count);
    chunk_left_ -= count;
    if (chunk_left_ == 0) step_ = Step::DataEnd;
}

std::optional<Refusal> ChunkedDecoder::feed_line(std::string_view& bytes, std::size_t body_size) {
    const auto bytes_max = step_ == Step::DataEnd ? 2 : step_ == Step::Size ? kSizeLineBytesMax : overhead_left_;
    switch (lines_.read(bytes, bytes_max)) {
        case LineReader::Found::NeedMore: return std::nullopt;
        case LineReader::Found::BareLineFeed: return bad_chunk("Lines in a chunked body must end in CRLF");
        case LineReader::Found::TooLong:
            if (step_ == Step::Trailer) return Refusal{431, "headers_too_large", "The trailer is too large"};
            return bad_chunk("A chunk is longer than its size says, or its size line is too long");
        case LineReader::Found::Line: break;
    }
    return read_line(lines_.line(), body_size);
}

std::optional<Refusal> ChunkedDecoder::read_line(std::string_view line, std::size_t body_size) {
    if (step_ == Step::Size) return read_size(line, body_size);
    if (step_ == Step::DataEnd) {
        if (!line.empty()) return bad_chunk("A chunk is longer than its size says");
        step_ = Step::Size;
        return std::nullopt;
    }
    if (line.empty()) {
        step_ = Step::Complete;
        return std::nullopt;
    }
    overhead_left_ -= line.size() + 2;
    Headers dropped;  // a trailer must not change what the head said
    return read_field(line, dropped);
}

std::optional<Refusal> ChunkedDecoder::read_size(std::string_view line, std::size_t body_size) {
    const auto digits = line.substr(0, line.find(';'));
    const auto extension = line.size() - digits.size();
    std::size_t size = 0;
    const auto* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, size, 16);
    if (digits.empty() || digits.front() == '-' || digits.size() > kSizeDigitsMax || error != std::errc{} ||
        stop != end)
        return bad_chunk("A chunk size must be a hexadecimal number");
    const auto printable = [](char c) { return c == '\t' || (c >= ' ' && c < '\x7f'); };
    if (!std::all_of(line.begin(), line.end(), printable) || extension > overhead_left_)
        return bad_chunk("The chunk extensions are invalid or too long");
    overhead_left_ -= extension;
    if (size > body_bytes_max_ - std::min(body_size, body_bytes_max_))
        return Refusal{413, "body_too_large", "The body is larger than " + std::to_string(body_bytes_max_) + " bytes"};
    chunk_left_ = size;
    step_ = size == 0 ? Step::Trailer : Step::Data;
    return std::nullopt;
}

}  // namespace orbridge
