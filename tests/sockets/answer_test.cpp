#include <Poco/Exception.h>

#include <boost/test/unit_test.hpp>

#include "tests/sockets/served.h"

using namespace orbridge;
using namespace orbridge::test;

namespace {

Answer throw_by_path(const InboundRequest& request) {
    if (request.path == "/standard") throw std::runtime_error("standard");
    if (request.path == "/poco") throw Poco::IOException("poco");
    if (request.path == "/odd") throw 42;  // NOLINT(hicpp-exception-baseclass): that is the point
    return Answer{.body = "fine"};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(answers)

BOOST_AUTO_TEST_CASE(a_handler_that_throws_is_answered_500_and_the_connection_goes_on) {
    Served served(local_settings(), throw_by_path);
    auto client = served.connect();
    for (const auto* path : {"/standard", "/poco", "/odd"}) {
        client.send(get(path));
        const auto answer = client.receive();
        BOOST_TEST(answer.status == 500);
        BOOST_TEST(answer.body.starts_with(R"({"error":{"code":"internal",)"));
    }
    client.send(get("/fine"));
    BOOST_TEST(client.receive().body == "fine");
}

BOOST_AUTO_TEST_CASE(head_is_answered_like_get_without_the_body) {
    Served served;
    auto client = served.connect();
    client.send("HEAD /twelve-chars HTTP/1.1\r\nHost: x\r\n\r\n");
    BOOST_TEST(client.receive(true).header("Content-Length") == "13");
    client.send(get("/next"));
    BOOST_TEST(client.receive().body == "/next");
}

BOOST_AUTO_TEST_CASE(an_answer_that_cannot_have_a_body_has_none) {
    Served served(local_settings(), [](const InboundRequest& request) {
        return Answer{.status = request.path == "/204" ? 204 : 304, .body = "never sent"};
    });
    auto client = served.connect();
    for (const auto* path : {"/204", "/304", "/204"}) {
        client.send(get(path));
        const auto answer = client.receive();
        BOOST_TEST(std::to_string(answer.status) == std::string(path).substr(1));
        BOOST_TEST(count_header(answer.headers, "Content-Length") == 0U);
    }
}

BOOST_AUTO_TEST_CASE(a_handler_cannot_write_a_second_answer_or_another_framing) {
    Served served(local_settings(), [](const InboundRequest&) {
        return Answer{.body = "body",
                      .headers = {{"X", "y\r\nX-Injected: 1\r\n\r\nHTTP/1.1 200 OK"}, {"Content-Length", "1"}}};
    });
    auto client = served.connect();
    client.send(get("/a"));
    const auto answer = client.receive();
    BOOST_TEST(answer.body == "body");
    BOOST_TEST(count_header(answer.headers, "X-Injected") == 0U);
    BOOST_TEST(count_header(answer.headers, "Content-Length") == 1U);
}

BOOST_AUTO_TEST_CASE(either_side_may_end_the_connection) {
    Served served(local_settings(), [](const InboundRequest& request) {
        return Answer{.headers = request.path == "/end" ? Headers{{"Connection", "close"}} : Headers{}};
    });
    for (const auto& request :
         {get("/a", "Connection: close\r\n"), std::string("GET /a HTTP/1.0\r\n\r\n"), get("/end")}) {
        auto client = served.connect();
        client.send(request + get("/ignored"));
        const auto answers = client.receive_all();
        BOOST_TEST(answers.size() == 1U);
        BOOST_TEST(answers.at(0).header("Connection") == "close");
    }
}

BOOST_AUTO_TEST_CASE(http_1_0_can_keep_its_connection) {
    Served served;
    auto client = served.connect();
    for (int i = 0; i < 2; ++i) {
        client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        const auto answer = client.receive();
        BOOST_TEST(answer.status == 200);
        BOOST_TEST(answer.header("Connection") == "keep-alive");
    }
}

BOOST_AUTO_TEST_CASE(the_handler_learns_who_asks) {
    Served served(local_settings(), [](const InboundRequest& request) { return Answer{.body = request.peer}; });
    auto client = served.connect();
    client.send(get("/a"));
    const auto answer = client.receive();
    BOOST_TEST(answer.body == "127.0.0.1");
    BOOST_TEST(answer.header("Keep-Alive") == "timeout=5");
}

BOOST_AUTO_TEST_CASE(a_refusal_can_take_another_form) {
    HttpOptions options;
    options.refusal_answer = [](const InboundRequest& head, const Refusal& refusal) {
        if (head.path != "/lease") throw std::runtime_error("no form of mine");
        return Answer{.status = refusal.status, .body = R"({"success":false})"};
    };
    options.body_bytes_max = [](const InboundRequest&) -> std::size_t { return 3; };
    Served served(local_settings(), {}, options);
    auto lease = served.connect();
    lease.send(post("/lease", "four"));
    const auto answer = lease.receive();
    BOOST_TEST(answer.status == 413);
    BOOST_TEST(answer.body == R"({"success":false})");
    auto other = served.connect();
    other.send(post("/other", "four"));
    BOOST_TEST(other.receive().body.starts_with(R"({"error":{"code":"body_too_large")"));
}

BOOST_AUTO_TEST_SUITE_END()
