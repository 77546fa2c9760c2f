#include "bridge/receive/route_table.h"

#include <boost/test/unit_test.hpp>

using namespace orbridge;

namespace {

RouteHandler says(std::string text) {
    return [text](const InboundRequest&, const PathValues&) { return Answer{.body = text}; };
}

RouteHandler shows(std::string name) {
    return [name](const InboundRequest&, const PathValues& values) { return Answer{.body = values[name]}; };
}

Answer ask(const RouteTable& table, std::string method, std::string path) {
    InboundRequest request;
    request.method = std::move(method);
    request.path = std::move(path);
    Answer answer;
    table(request, [&](Answer given) { answer = std::move(given); });
    return answer;
}

std::string told(const RouteTable& table, std::string path) { return ask(table, "GET", std::move(path)).body; }

}  // namespace

BOOST_AUTO_TEST_SUITE(route_table)

BOOST_AUTO_TEST_CASE(a_placeholder_takes_one_segment_and_decodes_it) {
    RouteTable table;
    table.add("GET", "/ingest/{source}", shows("source"));
    BOOST_TEST(told(table, "/ingest/cloud") == "cloud");
    BOOST_TEST(told(table, "/ingest/a%2Fb%20c+d") == "a/b c+d");
    BOOST_TEST(ask(table, "GET", "/ingest/").status == 404);
    BOOST_TEST(ask(table, "GET", "/ingest").status == 404);
    BOOST_TEST(ask(table, "GET", "/ingest/a/b").status == 404);
    BOOST_TEST(ask(table, "GET", "/Ingest/a").status == 404);
}

BOOST_AUTO_TEST_CASE(the_rest_may_be_empty_and_stays_as_sent) {
    RouteTable table;
    table.add("GET", "/ui/**", shows("**"));
    BOOST_TEST(told(table, "/ui/a/b%2Fc") == "a/b%2Fc");
    BOOST_TEST(ask(table, "GET", "/ui/").status == 200);
    BOOST_TEST(told(table, "/ui/") == "");
    BOOST_TEST(ask(table, "GET", "/ui").status == 404);
}

BOOST_AUTO_TEST_CASE(the_earlier_literal_wins_whatever_was_added_first) {
    RouteTable table;
    table.add("GET", "/**", says("rest")).add("GET", "/{a}/view", says("placeholder"));
    table.add("GET", "/a/{b}", says("literal, placeholder")).add("GET", "/a/view", says("literals"));
    table.add("GET", "/a/**", says("literal, rest"));
    BOOST_TEST(told(table, "/a/view") == "literals");
    BOOST_TEST(told(table, "/a/other") == "literal, placeholder");
    BOOST_TEST(told(table, "/b/view") == "placeholder");
    BOOST_TEST(told(table, "/a/x/y") == "literal, rest");
    BOOST_TEST(told(table, "/b/x/y") == "rest");
    BOOST_TEST(told(table, "/") == "rest");
}

BOOST_AUTO_TEST_CASE(an_encoded_literal_is_the_same_path) {
    RouteTable table;
    table.add("GET", "/api/v1", says("yes"));
    BOOST_TEST(told(table, "/%61pi/v1") == "yes");
}

BOOST_AUTO_TEST_CASE(a_wrong_method_is_told_the_right_ones) {
    RouteTable table;
    table.add("POST", "/ingest/{source}", says("post")).add("GET", "/ingest/{source}", says("get"));
    const auto answer = ask(table, "DELETE", "/ingest/x");
    BOOST_TEST(answer.status == 405);
    BOOST_TEST(*find_header(answer.headers, "Allow") == "GET, HEAD, POST");
    BOOST_TEST(answer.body == R"({"error":{"code":"method_not_allowed","message":"This path takes GET, HEAD, POST"}})");
}

BOOST_AUTO_TEST_CASE(a_weaker_pattern_serves_the_method_a_stronger_one_does_not) {
    RouteTable table;
    table.add("POST", "/a/b", says("post")).add("GET", "/a/**", says("get"));
    BOOST_TEST(told(table, "/a/b") == "get");
}

BOOST_AUTO_TEST_CASE(head_goes_to_the_handler_of_get_and_star_takes_every_method) {
    RouteTable table;
    table.add("GET", "/a", says("get")).add("*", "/b", says("any"));
    BOOST_TEST(ask(table, "HEAD", "/a").body == "get");
    BOOST_TEST(ask(table, "PATCH", "/b").body == "any");
}

BOOST_AUTO_TEST_CASE(an_unknown_path_is_answered_in_json) {
    const auto answer = ask(RouteTable{}, "GET", "/nowhere");
    BOOST_TEST(answer.status == 404);
    BOOST_TEST(answer.content_type == "application/json");
    BOOST_TEST(answer.body == R"({"error":{"code":"not_found","message":"There is nothing at this path"}})");
}

BOOST_AUTO_TEST_CASE(a_handler_may_answer_after_it_has_returned) {
    RouteTable table;
    Respond kept;
    table.add_later("POST", "/a/{x}", [&](const InboundRequest&, const PathValues& values, const Respond& respond) {
        kept = [respond, x = values["x"]](Answer answer) {
            answer.body += x;
            respond(std::move(answer));
        };
    });
    InboundRequest request;
    request.method = "POST";
    request.path = "/a/b";
    std::string body;
    table(request, [&](const Answer& answer) { body = answer.body; });
    BOOST_TEST(body.empty());
    kept(Answer{.body = "later "});
    BOOST_TEST(body == "later b");
}

BOOST_AUTO_TEST_SUITE_END()
