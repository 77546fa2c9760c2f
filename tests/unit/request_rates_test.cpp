#include "bridge/run/request_rates.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <future>
#include <thread>

#include "bridge/deliver/rated_transport.h"
#include "bridge/run/shared_fetches.h"
#include "tests/support/delivery_fakes.h"

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

SourceSettings a_source(const std::string& id, const std::string& token, int requests) {
    SourceSettings source;
    source.id = {id};
    source.url = "https://desk.example.org/api/" + id;
    source.bearer = Secret(token);
    source.rate = {requests, 1'000ms};
    return source;
}

/// Read by one thread while another sets it.
class SharedClock final : public Clock {
public:
    TimePoint now() const override { return TimePoint{milliseconds{now_}}; }
    void advance(milliseconds by) { now_ += by.count(); }

private:
    std::atomic<std::int64_t> now_{1'790'000'000'000};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(request_rates)

BOOST_AUTO_TEST_CASE(S5_no_period_at_the_other_side_sees_more_than_the_limit) {
    RequestWindow window({2, 1'000ms});
    const TimePoint start{100s};
    BOOST_TEST((window.next(start) == start));
    window.begin();
    window.begin();
    BOOST_TEST(!window.next(start).has_value());  // nobody knows yet when they arrive
    window.end(start + 300ms);
    BOOST_TEST((window.next(start + 400ms) == start + 1'300ms));
    window.end(start + 500ms);
    BOOST_TEST((window.next(start + 1'300ms) == start + 1'300ms));
    window.begin();
    BOOST_TEST((window.next(start + 1'400ms) == start + 1'500ms));
}

BOOST_AUTO_TEST_CASE(S5_a_clock_that_is_set_back_holds_nobody_up_for_long) {
    RequestWindow window({1, 1'000ms});
    const TimePoint start{100'000s};
    window.begin();
    window.end(start);
    const auto back = start - 24h;
    BOOST_TEST((window.next(back) == back + 1'000ms));
    BOOST_TEST((window.next(back + 1'000ms) == back + 1'000ms));
}

BOOST_AUTO_TEST_CASE(S5_who_shows_the_same_credentials_shares_a_gate_at_the_lowest_rate) {
    orbridge::test::ManualClock clock;
    RequestRates rates(clock);
    const auto a = a_source("a", "one", 5), b = a_source("b", "one", 1), c = a_source("c", "one", 0),
               other = a_source("d", "two", 5);
    rates.configure({a, b, c, other});
    std::vector<std::string> sent;
    const Exchanger send = [&](HttpRequest request) -> Exchange {
        sent.push_back(request.url);
        return HttpResponse{.status = 200};
    };
    const auto asks = [&](const SourceSettings& source) {
        return rates.limited(source, send)({.url = source.id.value});
    };
    (void)asks(c);
    std::promise<bool> second;
    std::thread waits([&] { second.set_value(std::holds_alternative<HttpResponse>(asks(a))); });
    (void)asks(other);  // has a gate of its own
    rates.close();
    BOOST_TEST(!second.get_future().get());
    waits.join();
    BOOST_TEST(sent == (std::vector<std::string>{"c", "d"}), boost::test_tools::per_element());
    rates.configure({a, b, c, other});
    clock.advance(2s);
    BOOST_TEST(std::holds_alternative<HttpResponse>(asks(b)));
}

BOOST_AUTO_TEST_CASE(S5_who_does_not_wait_takes_its_turn_among_those_who_do) {
    SharedClock clock;
    RequestGate gate({1, 1'000ms}, clock);
    BOOST_TEST(!gate.try_enter().has_value());
    BOOST_TEST((gate.try_enter().value() == clock.now() + 20ms));  // nobody knows when what is on its way has ended
    gate.leave();
    BOOST_TEST((gate.try_enter().value() == clock.now() + 1'000ms));
    std::promise<bool> entered;
    std::thread waits([&] { entered.set_value(gate.enter()); });  // behind the one that asked
    clock.advance(1'000ms);
    BOOST_TEST(!gate.try_enter().has_value());
    gate.leave();
    clock.advance(1'000ms);
    gate.set_open(true);  // the clock of a test wakes nobody
    BOOST_TEST(entered.get_future().get());
    waits.join();
    gate.leave();
}

BOOST_AUTO_TEST_CASE(S5_a_place_that_nobody_asks_for_any_more_holds_nobody_up) {
    orbridge::test::ManualClock clock;
    RequestGate gate({1, 1'000ms}, clock);
    BOOST_TEST(!gate.try_enter().has_value());
    gate.leave();
    BOOST_TEST(gate.try_enter().has_value());  // and it never comes back
    clock.advance(2'001ms);
    BOOST_TEST(gate.enter());
    gate.leave();
}

BOOST_AUTO_TEST_CASE(S5_a_target_with_a_sources_credentials_keeps_to_its_rate) {
    orbridge::test::ManualClock clock;
    orbridge::test::ScriptedTransport inner;
    RequestRates rates(clock);
    RatedTransport rated(inner, [&](const HttpRequest& request) { return rates.gate_for(request); });
    const auto request = [](const std::string& url, const std::string& token) {
        return HttpRequest{.method = "POST", .url = url, .headers = {{"authorization", token}}};
    };
    const auto same = request("https://desk.example.org/other", "Bearer one");
    BOOST_TEST(!rated.admit(same).has_value());  // no source has a rate
    auto basic = a_source("b", "", 1);
    basic.user = "u";
    basic.password = Secret("p");
    rates.configure({a_source("a", "one", 1), basic});
    int refused = 0;
    const auto done = [&](const Transport::Finished& finished) {
        if (std::holds_alternative<TransportFailure>(finished.exchange)) ++refused;
    };
    BOOST_TEST(!rated.admit(same).has_value());
    rated.send(same, done);
    BOOST_TEST(rated.admit(same).has_value());
    rated.send(same, done);  // it did not ask, or did not listen
    BOOST_TEST(refused == 1);
    for (const auto& other : {request("https://desk.example.org/other", "Bearer two"),
                              request("https://elsewhere.example.org/other", "Bearer one"), HttpRequest{}})
        BOOST_TEST(!rated.admit(other).has_value());
    BOOST_TEST(!rated.admit(request("https://desk.example.org/", "Basic dTpw")).has_value());
    BOOST_TEST(rated.admit(request("https://desk.example.org/", "Basic dTpw")).has_value());
}

BOOST_AUTO_TEST_CASE(S14_one_answer_is_shared_while_it_is_fresh_and_never_across_owners) {
    orbridge::test::ManualClock clock;
    const auto shared = std::make_shared<SharedFetches>(clock);
    int sent = 0;
    int status = 200;
    const auto ask = shared->share(
        [&](HttpRequest) -> Exchange { return HttpResponse{.status = status, .body = std::to_string(++sent)}; }, 900ms);
    const auto answer = [&](const std::string& token) {
        const auto exchange =
            ask({.method = "GET", .url = "https://a.example/x", .headers = {{"Authorization", token}}});
        return std::get<HttpResponse>(exchange).body;
    };
    BOOST_TEST(answer("a") == "1");
    clock.advance(900ms);
    BOOST_TEST(answer("a") == "1");
    BOOST_TEST(answer("b") == "2");
    clock.advance(1ms);
    BOOST_TEST(answer("a") == "3");
    clock.advance(2s);
    status = 500;
    BOOST_TEST(answer("a") == "4");
    BOOST_TEST(answer("a") == "5");  // a failure is nobody else's
}

BOOST_AUTO_TEST_CASE(S14_who_asks_the_same_meanwhile_waits_for_that_answer) {
    orbridge::test::ManualClock clock;
    const auto shared = std::make_shared<SharedFetches>(clock);
    std::promise<void> asked, go_on;
    std::atomic<int> sent{0};
    const auto ask = shared->share(
        [&](HttpRequest) -> Exchange {
            ++sent;
            asked.set_value();  // a second one would throw
            go_on.get_future().wait();
            return HttpResponse{.status = 200, .body = "x"};
        },
        900ms);
    const auto get = [&] { return std::get<HttpResponse>(ask({.method = "GET", .url = "https://a.example/x"})).body; };
    auto first = std::async(std::launch::async, get);
    asked.get_future().wait();
    auto second = std::async(std::launch::async, get);
    go_on.set_value();
    BOOST_TEST(first.get() == "x");
    BOOST_TEST(second.get() == "x");
    BOOST_TEST(sent == 1);
}

BOOST_AUTO_TEST_SUITE_END()
