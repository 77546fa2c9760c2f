#include "bridge/core/capture.h"

#include <boost/test/unit_test.hpp>

using namespace orbridge;

BOOST_AUTO_TEST_SUITE(capture)

BOOST_AUTO_TEST_CASE(a_recorded_request_is_read_as_it_was_sent) {
    const auto request =
        parse_capture("POST /in/a%20b?x=1 HTTP/1.1\r\nHost: h\r\nX-A:  b \r\nContent-Length: 4\r\n\r\n{\r\n}");
    BOOST_REQUIRE(request);
    BOOST_TEST(request->method == "POST");
    BOOST_TEST(request->path == "/in/a%20b");
    BOOST_TEST(request->query == "x=1");
    BOOST_TEST(*find_header(request->headers, "x-a") == "b");
    BOOST_TEST(request->body == "{\r\n}");
}

BOOST_AUTO_TEST_CASE(the_line_end_an_editor_adds_is_no_part_of_the_body) {
    BOOST_TEST(parse_capture("POST / HTTP/1.1\nContent-Length: 2\n\n{}\n")->body == "{}");
    BOOST_TEST(parse_capture("POST / HTTP/1.1\n\n{}\n")->body == "{}\n");
}

BOOST_AUTO_TEST_CASE(what_is_cut_off_or_something_else_is_refused) {
    BOOST_TEST(!parse_capture("POST / HTTP/1.1\nContent-Length: 3\n\n{}"));
    BOOST_TEST(!parse_capture("POST / HTTP/1.1\nContent-Length: -1\n\n{}"));
    BOOST_TEST(!parse_capture("POST / HTTP/1.1\nHost: h\n"));
    BOOST_TEST(!parse_capture("POST / HTTP/1.1\nno header\n\n"));
    BOOST_TEST(!parse_capture("{\"a\": 1}\n\n"));
    BOOST_TEST(!parse_capture(""));
}

BOOST_AUTO_TEST_CASE(a_bare_body_is_told_from_a_recorded_request) {
    BOOST_TEST(looks_like_capture("PUT /x HTTP/1.1\r\n\r\n"));
    BOOST_TEST(!looks_like_capture("{\"a\": \"POST / HTTP/1.1\"}\n"));
}

BOOST_AUTO_TEST_SUITE_END()
