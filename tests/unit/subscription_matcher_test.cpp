#include "adapters/subscriber/matcher.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace orbridge;

namespace {

using Names = std::vector<std::string>;

struct Subscriptions {
    SubscriptionMatcher matcher;

    void add(const std::string& hook, const std::string& channel, const std::string& java) {
        const auto filter = read_event_filter(java);
        BOOST_TEST_REQUIRE(filter.has_value());
        matcher.add(hook, channel, *filter);
    }
    void expect(const std::string& channel, const std::string& name, const Names& hooks) const {
        BOOST_TEST(matcher.match(channel, name) == hooks, boost::test_tools::per_element());
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(subscription_matcher)

BOOST_AUTO_TEST_CASE(m1_channels_are_equal_or_not_and_case_counts) {
    Subscriptions all;
    all.add("a", "Object", ".*");
    all.add("b", "object", ".*");
    all.add("c", "*", ".*");
    all.expect("Object", "new", {"a"});
    all.expect("object", "new", {"b"});
    all.expect("Objects", "new", {});
    BOOST_TEST(all.matcher.listened_to("Object"));
    BOOST_TEST(!all.matcher.listened_to("Status"));
}

BOOST_AUTO_TEST_CASE(m2_the_whole_name_must_match) {
    Subscriptions all;
    all.add("exact", "Object", "new");
    all.add("either", "Object", "update|delete");
    all.add("prefix", "Object", "new:.*");
    all.expect("Object", "new", {"exact"});
    all.expect("Object", "new:x", {"prefix"});
    all.expect("Object", "New", {});
    all.expect("Object", "update", {"either"});
    all.expect("Object", "xdelete", {});
    all.expect("Object", "updates", {});
}

BOOST_AUTO_TEST_CASE(m7_each_matching_hook_is_found_once_in_order_of_registration) {
    Subscriptions all;
    all.add("z", "Object", "created:.*");
    all.add("y", "Object", "created:x");
    all.add("x", "Object", "(created|updated):.*");
    all.add("w", "Object", ".*");
    all.add("v", "Object", "created:.*");
    all.expect("Object", "created:x", {"z", "y", "x", "w", "v"});
    all.expect("Object", "updated:x", {"x", "w"});
}

BOOST_AUTO_TEST_CASE(all_beginnings_of_a_name_are_found) {
    Subscriptions all;
    for (const auto* beginning : {"", "a", "ab", "abc", "abd", "ac", "b", "abcd", "abce"})
        all.add(std::string("hook-") + beginning, "Object", std::string(beginning) + ".*");
    all.expect("Object", "abcf", {"hook-", "hook-a", "hook-ab", "hook-abc"});
    all.expect("Object", "ab", {"hook-", "hook-a", "hook-ab"});
    all.expect("Object", "zz", {"hook-"});
    all.expect("Object", "", {"hook-"});
    all.matcher.remove("hook-");
    all.expect("Object", "zz", {});
}

BOOST_AUTO_TEST_CASE(r6_a_hook_registered_again_is_replaced_and_counts_as_new) {
    Subscriptions all;
    all.add("a", "Object", "new|old");
    all.add("b", "Object", ".*");
    all.add("a", "Object", "[a-z]+");
    all.expect("Object", "old", {"b", "a"});
    all.add("a", "Status", "[a-z]+");
    all.expect("Object", "old", {"b"});
    all.expect("Status", "old", {"a"});
    BOOST_TEST(all.matcher.size() == 2U);
}

BOOST_AUTO_TEST_CASE(the_only_pattern_of_a_channel_can_be_replaced) {
    Subscriptions all;
    all.add("a", "Object", "new|old");
    all.add("a", "Object", "new|young");
    all.expect("Object", "young", {"a"});
    all.expect("Object", "old", {});
    all.matcher.remove("a");
    all.expect("Object", "young", {});
    BOOST_TEST(!all.matcher.listened_to("Object"));
}

BOOST_AUTO_TEST_CASE(a_removed_hook_is_not_found_for_a_name_seen_before) {
    Subscriptions all;
    for (int i = 0; i < 50; ++i) all.add(std::to_string(i), "Object", "(new|x" + std::to_string(i) + ")");
    BOOST_TEST(all.matcher.match("Object", "new").size() == 50U);
    all.matcher.remove("7");
    BOOST_TEST(all.matcher.match("Object", "new").size() == 49U);
    all.add("late", "Object", "n(e)w");
    BOOST_TEST(all.matcher.match("Object", "new").size() == 50U);
}

BOOST_AUTO_TEST_CASE(thousands_of_patterns_come_and_go_and_each_is_found_while_it_stays) {
    Subscriptions all;
    for (int i = 0; i < 2500; ++i) all.add("h" + std::to_string(i), "Object", ".*-" + std::to_string(i) + "|all");
    for (int i = 0; i < 2500; i += 25) all.expect("Object", "x-" + std::to_string(i), {"h" + std::to_string(i)});
    for (int i = 0; i < 2000; ++i) all.matcher.remove("h" + std::to_string(i));
    all.expect("Object", "x-7", {});
    all.expect("Object", "x-2007", {"h2007"});
    BOOST_TEST(all.matcher.match("Object", "all").size() == 500U);
    all.add("again", "Object", ".*-7|all");
    all.expect("Object", "x-7", {"again"});
}

BOOST_AUTO_TEST_CASE(m6_patterns_that_do_not_fit_one_set_are_searched_all_the_same) {
    Subscriptions all;
    for (int i = 0; i < 200; ++i)
        all.add("h" + std::to_string(i), "Object", ".*[a-é]{900}" + std::to_string(i) + "|new");
    BOOST_TEST(all.matcher.match("Object", "new").size() == 200U);
    all.expect("Object", std::string(900, 'b') + "17", {"h17"});
}

BOOST_AUTO_TEST_CASE(m6_patterns_made_to_stall_a_backtracking_engine_are_searched_in_linear_time) {
    Subscriptions all;
    all.add("1", "Object", "(a+)+b");
    all.add("2", "Object", "(x+x+)+y");
    all.add("3", "Object", "(a|b)*c");
    all.expect("Object", std::string(1000, 'a'), {});
    all.expect("Object", std::string(1000, 'x'), {});
    all.expect("Object", std::string(1000, 'a') + "c", {"3"});
}

BOOST_AUTO_TEST_CASE(events_are_matched_while_subscriptions_change) {
    Subscriptions all;
    all.add("stays", "Object", "(new|old):.*");
    std::atomic<bool> done{false};
    std::thread changes([&] {
        for (int i = 0; i < 400; ++i) {
            const auto filter = *read_event_filter("(new|n" + std::to_string(i % 100) + "):.*");
            all.matcher.add("h" + std::to_string(i % 50), i % 3 == 0 ? "Status" : "Object", filter);
            if (i % 7 == 0) all.matcher.remove("h" + std::to_string(i % 50));
        }
        done = true;
    });
    std::size_t lost = 0;
    while (!done) {
        const auto hooks = all.matcher.match("Object", "new:x");
        if (hooks.empty() || hooks.front() != "stays") ++lost;
    }
    changes.join();
    BOOST_TEST(lost == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
