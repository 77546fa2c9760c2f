#include <boost/test/unit_test.hpp>

#include "adapters/http_json/poller.h"
#include "bridge/core/json_pointer.h"
#include "bridge/store/memory_store.h"
#include "tests/support/delivery_fakes.h"

using namespace orbridge;
using namespace orbridge::http_json;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(json_poller)

BOOST_AUTO_TEST_CASE(S1_pointers_lead_where_rfc_6901_says) {
    const auto document = JsonDocument::parse(R"({"a":[{"b":1},{"b":2}],"c/d":3,"e~f":4,"":5,"g":{"h":null}})").value();
    const auto at = [&](const char* pointer) { return std::string(follow(document->root(), pointer).raw()); };
    BOOST_TEST(at("/a/1/b") == "2");
    BOOST_TEST(at("/c~1d") == "3");
    BOOST_TEST(at("/e~0f") == "4");
    BOOST_TEST(at("/") == "5");
    BOOST_TEST(at("/g/h") == "null");
    BOOST_TEST(at("") == document->text());
    for (const auto* nowhere : {"/a/2", "/a/01", "/a/-", "/a/b", "/x/y/z", "a", "/e~f", "/a/1/b/c"})
        BOOST_TEST(at(nowhere).empty(), nowhere);
    for (const auto* wrong : {"a", "a/b", "/~", "/~2"}) BOOST_TEST(!is_json_pointer(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(S7_queries_are_replaced_not_doubled) {
    BOOST_TEST(with_query("https://a.example/x", "page", "1") == "https://a.example/x?page=1");
    BOOST_TEST(with_query("https://a.example/x?s=o&page=1", "page", "2") == "https://a.example/x?s=o&page=2");
    BOOST_TEST(with_query("https://a.example/x?page=1&s=o", "page", "a b&c") ==
               "https://a.example/x?s=o&page=a%20b%26c");
    BOOST_TEST(with_query("https://a.example/x?pages=1", "page", "2") == "https://a.example/x?pages=1&page=2");
}

BOOST_AUTO_TEST_CASE(S7_links_are_followed_within_the_origin_only) {
    const auto next = [](const std::string& link) {
        return next_link("https://a.example/x?page=1", {{"link", link}}).value_or("none");
    };
    BOOST_TEST(next(R"(<https://a.example/x?page=0>; rel="prev", <https://a.example/x?page=2>; rel="next")") ==
               "https://a.example/x?page=2");
    BOOST_TEST(next("</x?page=2>; rel=next") == "https://a.example/x?page=2");
    BOOST_TEST(next(R"(<https://a.example/x?page=9>; rel="last")") == "none");
    for (const auto* elsewhere : {"https://b.example/x", "http://a.example/x", "https://a.example:8443/x",
                                  "//b.example/x", "https://a.example.evil.example/x", "https://a.example@b.example/x"})
        BOOST_TEST(next("<" + std::string(elsewhere) + R"(>; rel="next")") == "none", elsewhere);
    BOOST_TEST(!next_link("https://a.example/x", {}).has_value());
}

BOOST_AUTO_TEST_CASE(S4_an_exhausted_limit_is_waited_for) {
    const HttpRequest request{.method = "GET", .url = "https://u:p@a.example/x?key=s3cret"};
    const TimePoint now{1'000'000s};
    const auto told = [&](int status, Headers headers) {
        return trouble_of_answer(request, {.status = status, .headers = std::move(headers)}, now);
    };
    const auto reset = told(403, {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1000030"}});
    BOOST_TEST((reset.kind == Trouble::Kind::Busy));
    BOOST_TEST((reset.at_least == 30s));
    BOOST_TEST((told(429, {{"Retry-After", "3"}}).at_least == 3s));
    BOOST_TEST(
        (told(403, {{"X-RateLimit-Remaining", "7"}, {"X-RateLimit-Reset", "1000030"}}).kind == Trouble::Kind::Rights));
    BOOST_TEST((told(429, {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "999"}}).at_least == 0ms));
    BOOST_TEST((told(429, {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "99999999999"}}).at_least == 24h));
    BOOST_TEST((told(401, {}).kind == Trouble::Kind::Credentials));
    BOOST_TEST(told(500, {}).message.find("s3cret") == std::string::npos);
    BOOST_TEST(told(500, {}).message.find(":p@") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_request_waits_as_long_as_its_source_says) {
    MemoryStore store;
    test::ManualClock clock;
    SourceSettings source;
    source.id = {"tickets"};
    source.url = "https://a.example/x";
    source.timeout = 500ms;
    milliseconds waits{0};
    JsonPollSettings settings;
    settings.channel = "Ticket";
    const auto refuse = [&](const HttpRequest& request) -> Exchange {
        waits = request.timeout;
        HttpResponse response;
        response.status = 500;
        return response;
    };
    JsonPoller poller(source, settings, refuse, store, clock);
    BOOST_TEST(poller.step("").trouble.has_value());
    BOOST_TEST((waits == 500ms));
}

BOOST_AUTO_TEST_SUITE_END()
