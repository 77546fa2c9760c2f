#include "bridge/receive/request_parser.h"

#include <boost/test/unit_test.hpp>
#include <vector>

using namespace orbridge;
using State = RequestParser::State;

namespace {

const std::string kSized =
    "POST /ingest/cloud?token=a%20b HTTP/1.1\r\nHost: orbridge:8080\r\nX-Empty:\r\nX-Padded: \t a b \t\r\n"
    "content-length: 11\r\n\r\nhello world";
const std::string kChunked =
    "\r\nPUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
    "5;name=\"v\"\r\nhello\r\n006\r\n world\r\n0\r\nX-Trailer: dropped\r\n\r\n";
const std::string kBare = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kNext = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";

/// Everything that must not depend on how the bytes were cut.
std::string shape_of(const RequestParser& parser) {
    const auto& request = parser.head().request;
    std::string shape = std::to_string(static_cast<int>(parser.state())) + "|" + request.method + "|" + request.path +
                        "|" + request.query + "|" + request.body + "|";
    for (const auto& header : request.headers) shape += header.name + "=" + header.value + ";";
    if (parser.state() == State::Refused) shape += parser.refusal().code;
    return shape;
}

struct Outcome {
    std::string shape;
    std::size_t taken = 0;
    bool complete = false;
};

Outcome feed_in_pieces(const std::string& bytes, const std::vector<std::size_t>& cuts, const RequestLimits& limits) {
    RequestParser parser(limits);
    Outcome outcome;
    std::size_t from = 0;
    for (const auto to : cuts) {
        // A copy, so that a view kept across pieces is found by the sanitizers.
        const std::string piece = bytes.substr(from, to - from);
        outcome.taken += parser.feed(piece);
        from = to;
    }
    outcome.shape = shape_of(parser);
    outcome.complete = parser.state() == State::Complete;
    return outcome;
}

Outcome feed_whole(const std::string& bytes, const RequestLimits& limits = {}) {
    return feed_in_pieces(bytes, {bytes.size()}, limits);
}

void check_every_cut(const std::string& bytes, const RequestLimits& limits = {}) {
    const auto whole = feed_whole(bytes, limits);
    std::vector<std::size_t> each;
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        each.push_back(cut);
        const auto two = feed_in_pieces(bytes, {cut, bytes.size()}, limits);
        BOOST_TEST(two.shape == whole.shape, "cut at " << cut << ": " << two.shape << " is not " << whole.shape);
        if (whole.complete) BOOST_TEST(two.taken == whole.taken);
    }
    BOOST_TEST(feed_in_pieces(bytes, each, limits).shape == whole.shape);
}

std::string refusal_of(const std::string& bytes, RequestLimits limits = {}) {
    RequestParser parser(limits);
    parser.feed(bytes);
    return parser.state() == State::Refused ? std::to_string(parser.refusal().status) + " " + parser.refusal().code
                                            : "none";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(request_parser)

BOOST_AUTO_TEST_CASE(a_request_is_the_same_however_its_bytes_are_cut) {
    for (const auto& request : {kSized, kChunked, kBare}) check_every_cut(request + kNext);
}

BOOST_AUTO_TEST_CASE(a_refusal_is_the_same_however_its_bytes_are_cut) {
    RequestLimits small;
    small.header_bytes_max = 80;
    small.target_bytes_max = 20;
    small.body_bytes_max = 8;
    for (const auto& request :
         {kSized, kChunked, kBare + "x", std::string("GET / HTTP/1.1\nHost: x\n\n"),
          std::string("GET / HTTP/3.7\r\n\r\n"), "GET /" + std::string(90, 'a') + " HTTP/1.1\r\n"})
        check_every_cut(request, small);
}

BOOST_AUTO_TEST_CASE(the_parts_of_a_request_are_as_sent) {
    const RequestLimits limits;
    RequestParser parser(limits);
    BOOST_TEST(parser.feed(kSized + kNext) == kSized.size());
    const auto& request = parser.head().request;
    BOOST_TEST(request.method == "POST");
    BOOST_TEST(request.path == "/ingest/cloud");
    BOOST_TEST(request.query == "token=a%20b");
    BOOST_TEST(request.body == "hello world");
    BOOST_TEST(*find_header(request.headers, "X-Padded") == "a b");
    BOOST_TEST(*find_header(request.headers, "X-Empty") == "");
    BOOST_TEST(parser.head().keep_alive);
}

BOOST_AUTO_TEST_CASE(a_chunked_body_is_joined_and_its_trailer_dropped) {
    const RequestLimits limits;
    RequestParser parser(limits);
    BOOST_TEST(parser.feed(kChunked + kNext) == kChunked.size());
    BOOST_TEST(parser.head().request.body == "hello world");
    BOOST_TEST(find_header(parser.head().request.headers, "X-Trailer") == nullptr);
}

BOOST_AUTO_TEST_CASE(an_absolute_target_counts_by_its_path) {
    const RequestLimits limits;
    RequestParser parser(limits);
    parser.feed("GET http://h:1/p/q?r=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    BOOST_TEST(parser.head().request.path == "/p/q");
    BOOST_TEST(parser.head().request.query == "r=1");
}

BOOST_AUTO_TEST_CASE(only_what_asks_for_it_keeps_an_http_1_0_connection) {
    for (const auto& [fields, keeps] : std::vector<std::pair<std::string, bool>>{
             {"", false}, {"Connection: keep-alive\r\n", true}, {"Connection: Keep-Alive, close\r\n", false}}) {
        const RequestLimits limits;
        RequestParser parser(limits);
        parser.feed("GET / HTTP/1.0\r\n" + fields + "\r\n");
        BOOST_TEST((parser.state() == State::Complete));
        BOOST_TEST(parser.head().keep_alive == keeps);
    }
}

BOOST_AUTO_TEST_CASE(an_empty_line_before_the_request_line_is_no_request_yet) {
    const RequestLimits limits;
    RequestParser parser(limits);
    parser.feed("\r\n");
    BOOST_TEST(!parser.begun());
    BOOST_TEST(!parser.refusal_at_end().has_value());
    parser.feed("G");
    BOOST_TEST(parser.begun());
    BOOST_TEST(parser.refusal_at_end()->code == "head_truncated");
}

BOOST_AUTO_TEST_CASE(a_body_limit_may_depend_on_the_path) {
    RequestLimits limits;
    limits.body_bytes_max_of = [](const InboundRequest& head) -> std::size_t { return head.path == "/big" ? 100 : 10; };
    const auto post = [](const std::string& path) {
        return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n";
    };
    BOOST_TEST(refusal_of(post("/big"), limits) == "none");
    BOOST_TEST(refusal_of(post("/small"), limits) == "413 body_too_large");
}

BOOST_AUTO_TEST_CASE(a_content_length_reserves_no_memory_it_has_not_brought) {
    RequestLimits limits;
    limits.body_bytes_max = 1ULL << 40;
    RequestParser parser(limits);
    parser.feed("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\nx");
    BOOST_TEST((parser.state() == State::NeedMore));
    BOOST_TEST(parser.bytes_held() < 1U << 20);
}

BOOST_AUTO_TEST_CASE(many_tiny_chunks_cannot_hide_much_overhead) {
    std::string request = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 1000; ++i) request += "1;" + std::string(200, 'e') + "\r\nx\r\n";
    BOOST_TEST(refusal_of(request) == "400 chunk_invalid");
}

BOOST_AUTO_TEST_SUITE_END()
