#include <boost/test/unit_test.hpp>
#include <deque>

#include "tests/sockets/served.h"

using namespace orbridge;
using namespace orbridge::test;
using namespace std::chrono_literals;

namespace {

/// Long enough that a test which depends on it fails.
HttpSettings patient_settings(int threads_max) {
    auto settings = local_settings();
    settings.threads_max = threads_max;
    settings.request_timeout = 600s;
    settings.keep_alive = 600s;
    return settings;
}

/// Only with requests that have begun: one that a busy machine begins late is not hung up on.
HttpSettings hasty_settings() {
    auto settings = patient_settings(2);
    settings.request_timeout = 100ms;
    return settings;
}

HttpSettings idle_for(milliseconds keep_alive) {
    auto settings = patient_settings(2);
    settings.keep_alive = keep_alive;
    return settings;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(slow)

BOOST_AUTO_TEST_CASE(more_slow_senders_than_threads_delay_nobody) {
    Served served(patient_settings(2));
    std::deque<RawClient> slow;
    for (int i = 0; i < 32; ++i) {
        slow.push_back(served.connect());
        slow.back().send(i % 2 == 0 ? "POST /slow HTTP/1.1\r\nHo" : post("/slow", "hello").substr(0, 50));
    }
    auto client = served.connect();
    client.send(get("/quick"));
    BOOST_TEST(client.receive().status == 200);
    slow.front().send("st: x\r\nContent-Length: 2\r\n\r\nhi");
    BOOST_TEST(slow.front().receive().status == 202);
}

BOOST_AUTO_TEST_CASE(a_request_that_does_not_arrive_in_time_is_told_so) {
    Served served(hasty_settings());
    for (const std::string part :
         {"P", "POST /a HTTP/1.1\r\n", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nfour"}) {
        auto client = served.connect();
        client.send(part);
        const auto answer = client.receive();
        BOOST_TEST(answer.status == 408);
        BOOST_TEST(answer.header("Connection") == "close");
        BOOST_TEST((client.wait_for_end() == RawClient::End::Closed));
    }
    BOOST_TEST(served.take_requests().empty());
}

BOOST_AUTO_TEST_CASE(sending_byte_by_byte_gains_no_time) {
    Served served(hasty_settings());
    auto client = served.connect();
    client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    int sent = 0;
    while (sent < 100'000 && !client.readable(1ms) && client.send("x")) ++sent;
    BOOST_TEST(client.receive().status == 408);
    BOOST_TEST(sent < 100'000);
}

BOOST_AUTO_TEST_CASE(a_connection_that_says_nothing_is_closed_without_a_word) {
    Served served(idle_for(50ms));
    auto client = served.connect();
    BOOST_TEST(client.receive_all().empty());
}

BOOST_AUTO_TEST_CASE(an_idle_connection_is_closed_after_the_keep_alive_time) {
    Served served(idle_for(2s));
    auto client = served.connect();
    client.send(get("/a"));
    BOOST_TEST(client.receive().status == 200);
    BOOST_TEST((client.wait_for_end() == RawClient::End::Closed));
}

BOOST_AUTO_TEST_CASE(a_slow_reader_holds_no_thread_and_gets_its_answer_whole) {
    const std::string large(16 << 20, 'l');
    Served served(patient_settings(1), [&](const InboundRequest& request) {
        return Answer{.body = request.path == "/large" ? large : "small"};
    });
    RawClient slow(served.server().port(), 4096);
    slow.send(get("/large") + get("/after"));
    auto client = served.connect();
    client.send(get("/small"));
    BOOST_TEST(client.receive().body == "small");
    BOOST_TEST((slow.receive().body == large));
    BOOST_TEST(slow.receive().body == "small");
}

BOOST_AUTO_TEST_CASE(a_reader_that_takes_nothing_is_given_up) {
    Gate given_up;
    auto settings = local_settings();
    settings.send_timeout = 50ms;
    Served served(
        settings, [](const InboundRequest&) { return Answer{.body = std::string(16 << 20, 'l')}; }, {},
        [&](const std::string& line) {
            if (line.find("http.answer_not_taken") != std::string::npos) given_up.arrive();
        });
    RawClient slow(served.server().port(), 4096);
    slow.send(get("/large"));
    given_up.wait_until_waiting(1);
    BOOST_TEST(slow.receive().status == 0);
}

BOOST_AUTO_TEST_SUITE_END()
