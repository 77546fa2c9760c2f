#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <deque>
#include <thread>

#include "tests/sockets/served.h"

using namespace orbridge;
using namespace orbridge::test;
using namespace std::chrono_literals;

namespace {

HttpSettings few_threads(int threads_max, int queued_max = 256) {
    auto settings = local_settings();
    settings.threads_max = threads_max;
    settings.queued_max = queued_max;
    settings.keep_alive = 600s;
    return settings;
}

/// Both ends of the connections are in this process.
std::size_t connections_possible(std::size_t wanted) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    return std::min<std::size_t>(wanted, (limit.rlim_cur - 100) / 2);
}

std::deque<RawClient> connect_and_ask(Served& served, std::size_t count) {
    std::deque<RawClient> clients;
    for (std::size_t i = 0; i < count; ++i) {
        clients.push_back(served.connect());
        clients.back().send(get("/first"));
        BOOST_REQUIRE(clients.back().receive().status == 200);
    }
    return clients;
}

bool refuses_connections(int port) {
    try {
        RawClient client(port);
        return false;
    } catch (const std::runtime_error&) {
        return true;
    }
}

/// Posts until the connection ends; counts whole answers.
void post_until_closed(int port, std::atomic<int>& answered, std::atomic<int>& wrong) {
    for (;;) {
        try {
            RawClient client(port);
            for (;;) {
                if (!client.send(post("/a", "hello"))) break;
                const auto answer = client.receive();
                if (answer.status == 0) break;
                ++(answer.status == 202 ? answered : wrong);
            }
        } catch (const std::runtime_error&) {
            return;
        }
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(load)

BOOST_AUTO_TEST_CASE(idle_keep_alive_connections_hold_no_thread) {
    Served served(few_threads(8));
    auto idle = connect_and_ask(served, 64);
    auto client = served.connect();
    client.send(get("/new"));
    BOOST_TEST(client.receive().body == "/new");
    for (auto& one : idle) {
        one.send(get("/again"));
        BOOST_TEST(one.receive().body == "/again");
    }
}

BOOST_AUTO_TEST_CASE(two_thousand_idle_connections_are_no_burden) {
    Served served(few_threads(4));
    auto idle = connect_and_ask(served, connections_possible(2000));
    auto client = served.connect();
    client.send(get("/new"));
    BOOST_TEST(client.receive().body == "/new");
    idle.front().send(get("/again"));
    BOOST_TEST(idle.front().receive().body == "/again");
}

BOOST_AUTO_TEST_CASE(a_connection_is_used_again_and_again) {
    Served served;
    auto client = served.connect();
    for (int i = 0; i < 500; ++i) {
        client.send(post("/a", std::to_string(i)));
        BOOST_TEST(client.receive().status == 202);
    }
    BOOST_TEST(served.take_requests().back() == "POST /a 499");
}

BOOST_AUTO_TEST_CASE(requests_sent_ahead_are_answered_in_order) {
    Served served;
    std::string bytes;
    for (int i = 0; i < 500; ++i) bytes += get("/" + std::to_string(i), "X-Padding: " + std::string(300, 'p') + "\r\n");
    auto client = served.connect();
    std::thread sender([&] { client.send(bytes); });
    for (int i = 0; i < 500; ++i) BOOST_TEST(client.receive().body == "/" + std::to_string(i));
    sender.join();
}

BOOST_AUTO_TEST_CASE(all_of_many_connections_get_their_turn_on_few_threads) {
    Served served(few_threads(4));
    std::deque<RawClient> clients;
    for (int i = 0; i < 200; ++i) clients.push_back(served.connect());
    for (int round = 0; round < 10; ++round) {
        for (auto& client : clients) client.send(post("/a", "hello"));
        for (auto& client : clients) BOOST_TEST(client.receive().status == 202);
    }
}

BOOST_AUTO_TEST_CASE(who_finds_no_thread_and_no_place_to_wait_is_told_when_to_come_back) {
    Gate gate;
    Served served(few_threads(1, 1), [&](const InboundRequest&) {
        gate.pass();
        return Answer{.status = 202};
    });
    auto first = served.connect();
    first.send(post("/a", "1"));
    gate.wait_until_waiting(1);
    std::deque<RawClient> others;
    for (int i = 0; i < 5; ++i) {
        others.push_back(served.connect());
        others.back().send(post("/a", "x"));
    }
    // Which of them found the one place does not matter; it is answered once the gate is open.
    const auto refused = [](RawClient& other) { return other.readable(1ms); };
    while (std::count_if(others.begin(), others.end(), refused) < 4) {
    }
    gate.open();
    int served_late = 0;
    for (auto& other : others) {
        const auto answer = other.receive();
        if (answer.status == 202) ++served_late;
        if (answer.status == 503) BOOST_TEST(answer.header("Retry-After") == "1");
    }
    BOOST_TEST(served_late == 1);
    BOOST_TEST(first.receive().status == 202);
}

BOOST_AUTO_TEST_CASE(bodies_that_would_fill_the_memory_are_refused) {
    auto settings = local_settings();
    settings.buffered_bytes_max = 256 << 10;
    Served served(settings);
    auto small = served.connect();
    small.send(post("/a", std::string(1000, 'b')).substr(0, 500));
    auto large = served.connect();
    large.send(post("/a", std::string(1 << 20, 'b')).substr(0, 600'000));
    const auto answer = large.receive();
    BOOST_TEST(answer.status == 503);
    BOOST_TEST(answer.header("Retry-After") == "1");
    small.send(post("/a", std::string(1000, 'b')).substr(500));
    BOOST_TEST(small.receive().status == 202);
}

BOOST_AUTO_TEST_CASE(at_the_limit_of_connections_the_next_one_waits_for_a_place) {
    auto settings = local_settings();
    settings.connections_max = 4;
    Served served(settings);
    auto full = connect_and_ask(served, 4);
    auto next = served.connect();
    next.send(get("/next"));
    full.pop_front();
    BOOST_TEST(next.receive().body == "/next");
}

BOOST_AUTO_TEST_CASE(every_request_that_reached_a_handler_is_answered_though_the_server_stops) {
    std::atomic<int> handled{0};
    Gate enough;
    Served served(few_threads(4), [&](const InboundRequest&) {
        if (++handled == 500) enough.arrive();
        return Answer{.status = 202};
    });
    std::atomic<int> answered{0};
    std::atomic<int> wrong{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 8; ++i)
        clients.emplace_back([&] { post_until_closed(served.server().port(), answered, wrong); });
    enough.wait_until_waiting(1);
    served.server().stop(20s);
    for (auto& client : clients) client.join();
    BOOST_TEST(answered == handled);
    BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(stopping_waits_for_a_request_in_progress_and_takes_no_new_ones) {
    Gate gate;
    Served served(few_threads(2), [&](const InboundRequest&) {
        gate.pass();
        return Answer{.body = "done"};
    });
    auto client = served.connect();
    client.send(get("/a"));
    gate.wait_until_waiting(1);
    std::thread stopper([&] { served.server().stop(60s); });
    while (!refuses_connections(served.server().port())) std::this_thread::yield();
    gate.open();
    const auto answer = client.receive();
    BOOST_TEST(answer.body == "done");
    BOOST_TEST(answer.header("Connection") == "close");
    BOOST_TEST((client.wait_for_end() == RawClient::End::Closed));
    client.shut_write();
    stopper.join();
}

BOOST_AUTO_TEST_CASE(what_is_not_done_by_the_limit_is_cut_off) {
    Gate gate;
    Served served(few_threads(2), [&](const InboundRequest&) {
        gate.pass();
        return Answer{};
    });
    auto client = served.connect();
    client.send(get("/a"));
    gate.wait_until_waiting(1);
    std::thread stopper([&] { served.server().stop(0ms); });
    BOOST_TEST(client.receive().status == 0);
    gate.open();
    stopper.join();
}

BOOST_AUTO_TEST_CASE(a_port_is_not_shared_with_another_server) {
    Served served;
    auto settings = local_settings();
    settings.listen = served.server().address();
    SystemClock clock;
    Log log(clock, Log::Level::Error, to_nowhere());
    const auto second = HttpServer::start(
        settings, [](const InboundRequest&) { return Answer{}; }, log);
    BOOST_TEST((second.error().kind == Error::Kind::Unavailable));
    settings.listen = "nonsense";
    const auto third = HttpServer::start(
        settings, [](const InboundRequest&) { return Answer{}; }, log);
    BOOST_TEST((third.error().kind == Error::Kind::Invalid));
}

BOOST_AUTO_TEST_SUITE_END()
