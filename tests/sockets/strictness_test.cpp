// One row per way in which Poco's server, or HTTP itself, lets a sender confuse a reader: libraries.md lists
// what was seen. The rule: exactly the good requests reach the handler, each bad one is told why, and nothing
// behind a bad one is read as a request.
#include <boost/test/unit_test.hpp>

#include "tests/sockets/served.h"

using namespace orbridge;
using namespace orbridge::test;

namespace {

using Texts = std::vector<std::string>;

const std::string kSmuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

std::string request(const std::string& line, const std::string& fields, const std::string& body = {}) {
    return line + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body;
}
std::string chunked(const std::string& body, const std::string& fields = {}) {
    return request("POST /a", "Transfer-Encoding: chunked\r\n" + fields, body);
}
std::string many_fields(int count) {
    std::string fields;
    for (int i = 0; i < count; ++i) fields += "X-" + std::to_string(i) + ": y\r\n";
    return fields;
}

struct Row {
    std::string name;
    std::string bytes;  ///< kSmuggled follows behind them
    std::string answer;
};

const std::vector<Row> kRefused = {
    {"both lengths", request("POST /a", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
     "400 framing_ambiguous"},
    {"both lengths, the other way", request("POST /a", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
     "400 framing_ambiguous"},
    {"two lengths", request("POST /a", "Content-Length: 5\r\nContent-Length: 50\r\n", "hello"),
     "400 content_length_invalid"},
    {"the same length twice", request("POST /a", "Content-Length: 5\r\ncontent-length: 5\r\n", "hello"),
     "400 content_length_invalid"},
    {"a list of lengths", request("POST /a", "Content-Length: 5, 5\r\n", "hello"), "400 content_length_invalid"},
    {"negative length", request("POST /a", "Content-Length: -5\r\n", "hello"), "400 content_length_invalid"},
    {"length with a plus", request("POST /a", "Content-Length: +5\r\n", "hello"), "400 content_length_invalid"},
    {"length in words", request("POST /a", "Content-Length: abc\r\n", "hello"), "400 content_length_invalid"},
    {"length in hex", request("POST /a", "Content-Length: 0x5\r\n", "hello"), "400 content_length_invalid"},
    {"empty length", request("POST /a", "Content-Length:\r\n", "hello"), "400 content_length_invalid"},
    {"overflowing length", request("POST /a", "Content-Length: 18446744073709551621\r\n", "hello"),
     "400 content_length_invalid"},
    {"length with a space before the colon", request("POST /a", "Content-Length : 5\r\n", "hello"),
     "400 header_invalid"},
    {"POST without length", request("POST /a", ""), "411 length_required"},
    {"PUT without length", request("PUT /a", ""), "411 length_required"},
    {"length over the limit", request("POST /a", "Content-Length: 1048577\r\n"), "413 body_too_large"},
    {"unknown encoding", request("POST /a", "Transfer-Encoding: gzip\r\n", "hello"), "501 transfer_encoding_unknown"},
    {"two encodings in one", request("POST /a", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
     "501 transfer_encoding_unknown"},
    {"hidden encoding",
     request("POST /a",
             "Transfer-Encoding: \x0b"
             "chunked\r\n",
             "0\r\n\r\n"),
     "400 header_invalid"},
    {"two encodings", chunked("0\r\n\r\n", "Transfer-Encoding: chunked\r\n"), "400 framing_ambiguous"},
    {"encoding in HTTP/1.0", "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "400 framing_ambiguous"},
    {"chunk size not hex", chunked("xyz\r\nhello\r\n"), "400 chunk_invalid"},
    {"chunk size negative", chunked("-5\r\nhello\r\n"), "400 chunk_invalid"},
    {"chunk size with 0x", chunked("0x5\r\nhello\r\n"), "400 chunk_invalid"},
    {"chunk size overflowing", chunked("10000000000000005\r\nhello\r\n"), "400 chunk_invalid"},
    {"chunk longer than it says", chunked("3\r\nhello\r\n0\r\n\r\n"), "400 chunk_invalid"},
    {"chunk line with a bare LF", chunked("5\nhello\r\n0\r\n\r\n"), "400 chunk_invalid"},
    {"chunk extension too long", chunked("5;" + std::string(400, 'e') + "\r\nhello\r\n0\r\n\r\n"), "400 chunk_invalid"},
    {"chunks over the limit", chunked("100001\r\n"), "413 body_too_large"},
    {"trailer with a space before the colon", chunked("0\r\nX : y\r\n\r\n"), "400 header_invalid"},
    {"newer version", "GET /a HTTP/2.0\r\nHost: x\r\n\r\n", "505 version_unsupported"},
    {"odd version", "GET /a HTTP/3.7\r\nHost: x\r\n\r\n", "505 version_unsupported"},
    {"no version", "GET /a\r\nHost: x\r\n\r\n", "400 request_line_invalid"},
    {"lower-case version", "GET /a http/1.1\r\nHost: x\r\n\r\n", "400 request_line_invalid"},
    {"no host", "GET /a HTTP/1.1\r\n\r\n", "400 host_missing"},
    {"two hosts", request("GET /a", "Host: y\r\n"), "400 host_doubled"},
    {"host with a path", "GET /a HTTP/1.1\r\nHost: x/y\r\n\r\n", "400 host_invalid"},
    {"lines with LF only", "GET /a HTTP/1.1\nHost: x\n\n", "400 line_end_invalid"},
    {"one line with LF only", "GET /a HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", "400 line_end_invalid"},
    {"bare CR in a value", request("GET /a", "X: y\rZ: 1\r\n"), "400 header_invalid"},
    {"NUL in a value", request("GET /a", std::string("X: y\0z\r\n", 8)), "400 header_invalid"},
    {"NUL in a name", request("GET /a", std::string("X\0: y\r\n", 7)), "400 header_invalid"},
    {"folded line", request("GET /a", "X: y\r\n z\r\n"), "400 header_invalid"},
    {"field without a colon", request("GET /a", "nonsense\r\n"), "400 header_invalid"},
    {"field without a name", request("GET /a", ": y\r\n"), "400 header_invalid"},
    {"too many fields", request("GET /a", many_fields(100)), "431 headers_too_many"},
    {"a large field", request("GET /a", "X: " + std::string(70'000, 'y') + "\r\n"), "431 headers_too_large"},
    {"a large head", request("GET /a", many_fields(90) + "X: " + std::string(65'000, 'y') + "\r\n"),
     "431 headers_too_large"},
    {"a long name", request("GET /a", std::string(257, 'N') + ": y\r\n"), "431 headers_too_large"},
    {"a long target", request("GET /" + std::string(16'384, 'a'), ""), "414 uri_too_long"},
    {"space in the target", request("GET /a b", ""), "400 request_line_invalid"},
    {"raw byte in the target", request("GET /\xc3\xa9", ""), "400 request_line_invalid"},
    {"fragment in the target", request("GET /a#b", ""), "400 request_line_invalid"},
    {"target without a slash", request("GET a", ""), "400 request_line_invalid"},
    {"lower-case method", request("get /a", ""), "400 request_line_invalid"},
    {"long method", request(std::string(33, 'M') + " /a", ""), "400 request_line_invalid"},
    {"CONNECT", request("CONNECT h:1", ""), "400 request_line_invalid"},
    {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8), "400 request_line_invalid"},
    {"unknown expectation", request("POST /a", "Expect: more\r\nContent-Length: 5\r\n", "hello"),
     "417 expectation_unknown"},
};

struct Cut {
    std::string name;
    std::string bytes;
    std::string answer;  ///< empty: there was no request, so there is no answer
};

const std::vector<Cut> kCutOff = {
    {"nothing", "", ""},
    {"an empty line", "\r\n", ""},
    {"half a request line", "POST /a HT", "400 head_truncated"},
    {"half a head", "POST /a HTTP/1.1\r\nHost: x\r\n", "400 head_truncated"},
    {"a short body", request("POST /a", "Content-Length: 20\r\n", "seven b"), "400 body_truncated"},
    {"no body", request("POST /a", "Content-Length: 20\r\n"), "400 body_truncated"},
    {"chunks without their end", chunked("5\r\nhello\r\n"), "400 body_truncated"},
    {"half a chunk", chunked("5\r\nhel"), "400 body_truncated"},
    {"chunks without the trailer's end", chunked("5\r\nhello\r\n0\r\n"), "400 body_truncated"},
};

struct Good {
    std::string name;
    std::string bytes;
    Texts requests;
};

const std::vector<Good> kServed = {
    {"length zero", request("POST /a", "Content-Length: 0\r\n"), {"POST /a"}},
    {"length with zeros before it", request("POST /a", "Content-Length: 005\r\n", "hello"), {"POST /a hello"}},
    {"GET with a body", request("GET /a", "Content-Length: 5\r\n", "hello"), {"GET /a hello"}},
    {"a body that looks like a request",
     request("POST /a", "Content-Length: 35\r\n", kSmuggled),
     {"POST /a " + kSmuggled}},
    {"chunks", chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), {"POST /a hello world"}},
    {"no chunk but the last", chunked("0\r\n\r\n"), {"POST /a"}},
    {"chunks with extension and trailer", chunked("5;a=b\r\nhello\r\n0\r\nGET: /smuggled\r\n\r\n"), {"POST /a hello"}},
    {"two requests at once",
     request("POST /a", "Content-Length: 5\r\n", "hello") + get("/b"),
     {"POST /a hello", "GET /b"}},
    {"an empty line between requests", post("/a", "hello") + "\r\n" + get("/b"), {"POST /a hello", "GET /b"}},
    {"a method nobody knows", request("BREW /a", ""), {"BREW /a"}},
    {"OPTIONS *", request("OPTIONS *", ""), {"OPTIONS *"}},
    {"a field with raw bytes", request("GET /a", "X: \xc3\xa9\r\n"), {"GET /a"}},
};

std::string shown(const std::vector<Received>& answers) {
    std::string text;
    for (const auto& answer : answers) {
        const auto code = answer.body.find("\"code\":\"");
        text += (text.empty() ? "" : ", ") + std::to_string(answer.status);
        if (code != std::string::npos)
            text += " " + answer.body.substr(code + 8, answer.body.find('"', code + 8) - code - 8);
    }
    return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(strictness)

BOOST_AUTO_TEST_CASE(what_is_not_certain_is_refused_and_nothing_behind_it_is_read) {
    Served served;
    for (const auto& row : kRefused) {
        auto client = served.connect();
        client.send(row.bytes + kSmuggled);
        client.shut_write();
        const auto answers = client.receive_all();
        BOOST_TEST(shown(answers) == row.answer, row.name << ": " << shown(answers) << " is not " << row.answer);
        BOOST_TEST(served.take_requests() == Texts{}, row.name << " reached the handler");
        if (answers.size() != 1) continue;
        BOOST_TEST(answers[0].header("Connection") == "close", row.name);
        BOOST_TEST(answers[0].header("Content-Type") == "application/json", row.name);
    }
    auto client = served.connect();
    client.send(get("/still-there"));
    BOOST_TEST(client.receive().status == 200);
}

BOOST_AUTO_TEST_CASE(what_was_cut_off_reaches_no_handler) {
    Served served;
    for (const auto& row : kCutOff) {
        auto client = served.connect();
        client.send(row.bytes);
        client.shut_write();
        const auto answer = shown(client.receive_all());
        BOOST_TEST(answer == row.answer, row.name << ": " << answer << " is not " << row.answer);
        BOOST_TEST(served.take_requests() == Texts{}, row.name << " reached the handler");
    }
}

BOOST_AUTO_TEST_CASE(what_is_right_is_served_and_the_connection_goes_on) {
    Served served;
    for (const auto& row : kServed) {
        auto client = served.connect();
        client.send(row.bytes + get("/last", "Connection: close\r\n"));
        const auto answers = client.receive_all();
        auto expected = row.requests;
        expected.push_back("GET /last");
        BOOST_TEST(served.take_requests() == expected, boost::test_tools::per_element());
        BOOST_TEST(answers.size() == expected.size(), row.name);
        if (!answers.empty()) BOOST_TEST(answers.back().body == "/last", row.name);
    }
}

BOOST_AUTO_TEST_CASE(a_client_that_sends_a_large_body_first_can_still_read_why_it_was_refused) {
    Served served;
    const std::string body(4 << 20, 'b');
    auto sized = served.connect();
    sized.send(post("/a", body));
    BOOST_TEST(shown({sized.receive()}) == "413 body_too_large");
    auto in_chunks = served.connect();
    in_chunks.send(chunked(""));
    for (int i = 0; i < 64; ++i) in_chunks.send("10000\r\n" + body.substr(0, 65536) + "\r\n");
    BOOST_TEST(shown({in_chunks.receive()}) == "413 body_too_large");
    BOOST_TEST(served.take_requests() == Texts{});
}

BOOST_AUTO_TEST_CASE(a_body_is_asked_for_only_if_it_will_be_taken) {
    Served served;
    auto client = served.connect();
    client.send(request("POST /a", "Expect: 100-continue\r\nContent-Length: 5\r\n"));
    BOOST_TEST(client.receive().status == 100);
    client.send("hello");
    BOOST_TEST(client.receive().status == 202);
    client.send(request("POST /a", "Expect: 100-continue\r\nContent-Length: 2000000\r\n"));
    BOOST_TEST(client.receive().status == 413);
    BOOST_TEST(served.take_requests() == Texts{"POST /a hello"});
}

BOOST_AUTO_TEST_SUITE_END()
