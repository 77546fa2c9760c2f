#include <atomic>
#include <boost/test/unit_test.hpp>
#include <deque>
#include <thread>

#include "tests/sockets/served.h"

// Handlers that answer after they have returned.
using namespace orbridge;
using namespace orbridge::test;
using namespace std::chrono_literals;

namespace {

/// Keeps requests unanswered until told.
struct Kept {
    Guarded<std::vector<Respond>> all;
    Gate gate;

    LaterHandler handler() {
        return [this](const InboundRequest&, const Respond& respond) {
            all.with([&](auto& kept) { kept.push_back(respond); });
            gate.arrive();
        };
    }
    std::vector<Respond> take() {
        return all.with([](auto& kept) { return std::exchange(kept, {}); });
    }
};

HttpOptions quick() {
    HttpOptions options;
    options.is_quick = [](const InboundRequest& head) { return head.path == "/quick"; };
    return options;
}

HttpSettings settings_with(int threads_max, int queued_max) {
    auto settings = local_settings();
    settings.threads_max = threads_max;
    settings.queued_max = queued_max;
    return settings;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(later)

BOOST_AUTO_TEST_CASE(many_requests_wait_for_their_answers_on_no_thread) {
    Kept kept;
    Served served(kept.handler(), settings_with(100, 100), quick());
    std::deque<RawClient> clients;
    for (int i = 0; i < 150; ++i) {
        clients.push_back(served.connect());
        clients.back().send(get("/quick"));
    }
    kept.gate.wait_until_waiting(150);
    std::thread other([&] {
        for (const auto& respond : kept.take()) respond(Answer{.status = 202, .body = "done"});
    });
    for (auto& client : clients) {
        const auto answer = client.receive();
        BOOST_TEST(answer.status == 202);
        BOOST_TEST(answer.body == "done");
    }
    other.join();
}

BOOST_AUTO_TEST_CASE(a_connection_goes_on_after_a_late_answer) {
    Kept kept;
    Served served(kept.handler(), local_settings(), quick());
    auto client = served.connect();
    for (int i = 1; i <= 3; ++i) {
        client.send(get(i == 2 ? "/slow" : "/quick"));
        kept.gate.wait_until_waiting(i);
        kept.take().front()(Answer{.body = std::to_string(i)});
        BOOST_TEST(client.receive().body == std::to_string(i));
    }
}

BOOST_AUTO_TEST_CASE(who_is_forgotten_is_told_so) {
    Kept kept;
    Served served(kept.handler(), local_settings(), quick());
    auto client = served.connect();
    client.send(get("/quick"));
    kept.gate.wait_until_waiting(1);
    kept.take();
    BOOST_TEST(client.receive().status == 500);
}

BOOST_AUTO_TEST_CASE(only_the_first_answer_counts_also_if_the_handler_fails_behind_it) {
    const LaterHandler handler = [](const InboundRequest&, const Respond& respond) {
        respond(Answer{.body = "first"});
        respond(Answer{.body = "second"});
        throw std::runtime_error("too late");
    };
    Served served(handler, local_settings(), quick());
    auto client = served.connect();
    for (int i = 0; i < 2; ++i) {
        client.send(get("/quick"));
        BOOST_TEST(client.receive().body == "first");
    }
}

BOOST_AUTO_TEST_CASE(no_more_wait_for_an_answer_than_may) {
    Kept kept;
    Served served(kept.handler(), settings_with(2, 1), quick());
    std::deque<RawClient> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(served.connect());
        clients.back().send(get("/quick"));
        kept.gate.wait_until_waiting(i + 1);
    }
    auto refused = served.connect();
    refused.send(get("/quick"));
    const auto answer = refused.receive();
    BOOST_TEST(answer.status == 503);
    BOOST_TEST(answer.header("Retry-After") == "1");
    for (const auto& respond : kept.take()) respond(Answer{});
    for (auto& client : clients) BOOST_TEST(client.receive().status == 200);
}

BOOST_AUTO_TEST_CASE(many_that_wait_for_something_long_shut_nobody_out) {
    Kept kept;
    Served served(kept.handler(), settings_with(2, 1), quick());
    std::deque<RawClient> clients;
    for (int i = 0; i < 50; ++i) {
        clients.push_back(served.connect());
        clients.back().send(get("/slow"));
        kept.gate.wait_until_waiting(i + 1);
    }
    auto client = served.connect();
    client.send(get("/quick"));
    kept.gate.wait_until_waiting(51);
    for (const auto& respond : kept.take()) respond(Answer{});
    BOOST_TEST(client.receive().status == 200);
    for (auto& each : clients) BOOST_TEST(each.receive().status == 200);
}

BOOST_AUTO_TEST_CASE(stopping_waits_until_all_are_answered) {
    Kept kept;
    Served served(kept.handler(), local_settings(), quick());
    auto client = served.connect();
    client.send(get("/quick"));
    kept.gate.wait_until_waiting(1);
    std::atomic<bool> stopped{false};
    std::thread stopping([&] {
        served.server().stop(30s);
        stopped = true;
    });
    auto respond = kept.take();
    BOOST_TEST(!stopped);
    respond.front()(Answer{.body = "done"});
    BOOST_TEST(client.receive().body == "done");
    BOOST_TEST((client.wait_for_end() == RawClient::End::Closed));
    respond.clear();
    stopping.join();
}

BOOST_AUTO_TEST_SUITE_END()
