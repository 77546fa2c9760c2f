/// The pieces in which a request comes make no difference, and no bytes break the parser.
#include "bridge/receive/request_parser.h"

#include <cstdint>
#include <cstdlib>

namespace {

using namespace orbridge;

struct Read {
    RequestParser::State state;
    std::size_t taken = 0;
    RequestParser parser;
};

/// As a connection would: each piece until it is used up or the request has ended.
Read read(std::string_view bytes, std::size_t piece, const RequestLimits& limits) {
    Read read{RequestParser::State::NeedMore, 0, RequestParser(limits)};
    while (read.taken < bytes.size() && read.parser.state() == RequestParser::State::NeedMore) {
        const auto part = bytes.substr(read.taken, piece);
        const auto taken = read.parser.feed(part);
        if (taken == 0 && read.parser.state() == RequestParser::State::NeedMore) std::abort();
        read.taken += taken;
    }
    read.state = read.parser.state();
    return read;
}

void same(bool equal) {
    if (!equal) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    RequestLimits limits;
    limits.header_bytes_max = 2048;
    limits.body_bytes_max = 1024;
    limits.target_bytes_max = 256;
    limits.headers_max = 20;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    auto whole = read(bytes, bytes.size() + 1, limits);
    auto pieces = read(bytes, static_cast<std::size_t>(data[0] % 16) + 1, limits);
    same(whole.state == pieces.state);
    if (whole.state == RequestParser::State::Refused) {
        same(whole.parser.refusal().code == pieces.parser.refusal().code);
        same(whole.parser.refusal().status == pieces.parser.refusal().status);
        return 0;
    }
    const auto& a = whole.parser.head().request;
    const auto& b = pieces.parser.head().request;
    same(a.body.size() <= limits.body_bytes_max);
    if (whole.state != RequestParser::State::Complete) return 0;
    same(whole.taken == pieces.taken);
    same(a.method == b.method && a.path == b.path && a.query == b.query && a.headers == b.headers && a.body == b.body);
    return 0;
}
