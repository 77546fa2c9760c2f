#include "bridge/deliver/resolver.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <mutex>
#include <set>

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

/// A DNS in which every name is 192.0.2.1 but those of `.hangs`, which take until they are let go, and of `.gone`.
/// Shared with threads that may outlive a test.
struct Dns {
    std::mutex mutex;
    std::condition_variable change;
    bool open = false;
    bool hold_all = false;  ///< all names take until they are let go
    int hanging = 0, most_hanging = 0;
    std::multiset<std::string> asked;

    Result<std::vector<IpAddress>> look_up(const std::string& host) {
        std::unique_lock lock(mutex);
        asked.insert(host);
        if (host.ends_with(".hangs") || hold_all) {
            most_hanging = std::max(most_hanging, ++hanging);
            change.notify_all();
            change.wait(lock, [this] { return open; });
            --hanging;
        }
        if (!host.ends_with(".test")) return Error{Error::Kind::Unavailable, "cannot resolve " + host};
        return std::vector<IpAddress>{*parse_ip("192.0.2.1")};
    }
    void wait_for_hanging(int count) {
        std::unique_lock lock(mutex);
        change.wait(lock, [&] { return hanging == count; });
    }
    void let_go(bool whether) {
        const std::lock_guard lock(mutex);
        open = whether;
        change.notify_all();
    }
};

struct World {
    explicit World(ResolverSettings settings = {})
        : resolver([dns = dns](const std::string& host) { return dns->look_up(host); }, settings,
                   [this] {
                       const std::lock_guard lock(mutex);
                       rung = true;
                       change.notify_all();
                   }) {}
    ~World() { dns->let_go(true); }

    /// Waits for `count` answers.
    std::vector<Resolver::Answer> answers(std::size_t count) {
        std::vector<Resolver::Answer> all;
        while (all.size() < count) {
            std::unique_lock lock(mutex);
            change.wait(lock, [this] { return std::exchange(rung, false); });
            lock.unlock();
            for (auto& each : resolver.answers()) all.push_back(std::move(each));
        }
        return all;
    }
    void ask_many_that_hang(int count) {
        for (int i = 0; i < count; ++i) BOOST_TEST(!resolver.find(std::to_string(i) + ".hangs").value().has_value());
    }

    std::shared_ptr<Dns> dns = std::make_shared<Dns>();
    std::mutex mutex;
    std::condition_variable change;
    bool rung = false;
    Resolver resolver;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(resolver)

BOOST_AUTO_TEST_CASE(a_name_is_looked_up_once_and_then_known) {
    World world;
    world.dns->hold_all = true;
    BOOST_TEST(!world.resolver.find("a.test").value().has_value());
    BOOST_TEST(!world.resolver.find("a.test").value().has_value());
    world.dns->let_go(true);
    const auto answers = world.answers(1);
    BOOST_TEST(answers.at(0).host == "a.test");
    BOOST_TEST(to_text(answers.at(0).addresses.value().at(0)) == "192.0.2.1");
    BOOST_TEST(world.resolver.find("a.test").value().has_value());
    BOOST_TEST(world.dns->asked.count("a.test") == 1U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_resolved_says_so_and_is_asked_for_again) {
    World world;
    for (int i = 0; i < 2; ++i) {
        BOOST_TEST(!world.resolver.find("a.gone").value().has_value());
        BOOST_TEST(world.answers(1).at(0).addresses.error().message == "cannot resolve a.gone");
    }
    BOOST_TEST(world.dns->asked.count("a.gone") == 2U);
}

BOOST_AUTO_TEST_CASE(names_that_hang_have_bounded_threads_and_delay_no_known_name) {
    World world({.threads_max = 8, .fresh = 0ms});
    world.resolver.find("known.test").value();
    world.answers(1);
    world.ask_many_that_hang(2'000);
    world.dns->wait_for_hanging(8);
    BOOST_TEST(world.resolver.find("known.test").value().has_value());
}

BOOST_AUTO_TEST_CASE(names_that_hung_before_leave_threads_to_new_ones) {
    World world({.threads_max = 8});
    world.ask_many_that_hang(20);
    world.dns->let_go(true);
    world.answers(20);
    world.dns->let_go(false);
    world.ask_many_that_hang(20);
    world.dns->wait_for_hanging(4);
    BOOST_TEST(!world.resolver.find("new.test").value().has_value());
    BOOST_TEST(world.answers(1).at(0).host == "new.test");
    BOOST_TEST(world.dns->hanging == 4);
}

BOOST_AUTO_TEST_CASE(what_nobody_waits_for_any_more_is_not_looked_up) {
    World world({.threads_max = 1});
    world.ask_many_that_hang(1);
    world.dns->wait_for_hanging(1);
    world.resolver.find("given-up.test").value();
    world.resolver.find("wanted.test").value();
    world.resolver.forget("given-up.test");
    world.dns->let_go(true);
    world.answers(2);
    BOOST_TEST(world.dns->asked.count("given-up.test") == 0U);
    BOOST_TEST(world.dns->asked.count("wanted.test") == 1U);
}

BOOST_AUTO_TEST_CASE(no_more_names_wait_than_are_allowed) {
    World world({.threads_max = 1, .names_max = 3});
    world.ask_many_that_hang(3);
    const auto refused = world.resolver.find("one-more.test");
    BOOST_TEST(refused.error().message == "cannot resolve one-more.test: too many names are being looked up");
}

BOOST_AUTO_TEST_CASE(an_end_waits_for_no_lookup) {
    auto world = std::make_unique<World>();
    const auto dns = world->dns;
    world->ask_many_that_hang(1);
    dns->wait_for_hanging(1);
    {
        Resolver gone([dns](const std::string& host) { return dns->look_up(host); }, {}, [] {});
        gone.find("x.hangs").value();
        dns->wait_for_hanging(2);
    }
    BOOST_TEST(dns->hanging == 2);
}

BOOST_AUTO_TEST_CASE(only_names_are_looked_up) {
    const auto look = [](std::string_view url) {
        const auto named = name_to_look_up(url);
        return named ? named->host + ' ' + std::to_string(named->port) : std::string("-");
    };
    BOOST_TEST(look("http://a.test/x") == "a.test 80");
    BOOST_TEST(look("HTTPS://A.test?x") == "A.test 443");
    BOOST_TEST(look("https://u:p@a.test:8443/@b") == "a.test 8443");
    for (const auto* url :
         {"http://127.0.0.1/", "http://[::1]:80/", "http://localhost:1/", "http://x.localhost/", "http://127.1/",
          "http://0x7f.0x1/", "http://a.test./", "http://a%2etest/", "http://a.test:x/", "ftp://a.test/", "http://"})
        BOOST_TEST(look(url) == "-", url);
}

BOOST_AUTO_TEST_SUITE_END()
