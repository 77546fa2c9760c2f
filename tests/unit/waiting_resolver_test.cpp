#include "bridge/deliver/waiting_resolver.h"

#include <boost/test/unit_test.hpp>
#include <latch>
#include <memory>
#include <thread>

namespace orbridge {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

Result<std::vector<IpAddress>> table(const std::string& host) {
    if (host == "known") return std::vector<IpAddress>{*parse_ip("192.0.2.1"), *parse_ip("2001:db8::1")};
    return Error{Error::Kind::Unavailable, "cannot resolve " + host};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(waiting_resolver)

BOOST_AUTO_TEST_CASE(a_name_is_waited_for_and_an_address_is_itself) {
    WaitingResolver names(&table);
    const auto found = names.find("known", Steady::now() + 1min, {});
    BOOST_REQUIRE(found);
    BOOST_TEST(found->size() == 2U);
    BOOST_TEST(to_text(names.find("192.0.2.9", Steady::now(), {})->front()) == "192.0.2.9");
    BOOST_TEST(names.find("other", Steady::now() + 1min, {}).error().message == "cannot resolve other");
}

BOOST_AUTO_TEST_CASE(a_lookup_that_hangs_is_waited_for_no_longer_than_asked) {
    const auto opened = std::make_shared<std::latch>(1);  // outlives the lookup, which is left behind
    WaitingResolver names([opened](const std::string& host) {
        if (host == "hangs") opened->wait();
        return table(host);
    });
    BOOST_TEST(names.find("hangs", Steady::now() + 20ms, {}).error().message ==
               "cannot resolve hangs: no answer in time");
    BOOST_TEST(names.find("known", Steady::now() + 1min, {}).has_value());
    std::stop_source stop;
    stop.request_stop();
    BOOST_TEST(!names.find("hangs", Steady::now() + 1h, stop.get_token()));
    opened->count_down();
}

BOOST_AUTO_TEST_CASE(all_who_wait_for_a_name_are_answered) {
    const auto opened = std::make_shared<std::latch>(1);
    WaitingResolver names([opened](const std::string& host) {
        opened->wait();
        return table(host);
    });
    std::atomic<int> found{0};
    {
        std::vector<std::jthread> waiting;
        for (int i = 0; i < 4; ++i) {
            waiting.emplace_back([&, i] {
                const auto answer = names.find(i % 2 == 0 ? "known" : "other", Steady::now() + 10min, {});
                if (answer.has_value() == (i % 2 == 0)) ++found;
            });
        }
        opened->count_down();
    }
    BOOST_TEST(found == 4);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
