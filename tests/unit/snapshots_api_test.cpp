// The rules of serving snapshots that need no source and no socket (integrations.md 5.6).
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "bridge/api/snapshots_api.h"
#include "bridge/receive/lease_tokens.h"
#include "bridge/store/memory_store.h"

using namespace orbridge;

namespace {

struct SetClock final : Clock {
    TimePoint now() const override { return time; }
    TimePoint time{seconds{1'700'000'000}};
};

constexpr milliseconds kLong{600'000};

}  // namespace

BOOST_AUTO_TEST_SUITE(snapshots_api)

BOOST_AUTO_TEST_CASE(D2_a_version_is_any_integer_and_equal_to_itself_only) {
    BOOST_TEST(*names_version("7", 7));
    BOOST_TEST(*names_version("007", 7));
    BOOST_TEST(*names_version("0", 0));
    BOOST_TEST(*names_version("-0", 0));
    BOOST_TEST(*names_version("18446744073709551615", 18446744073709551615u));
    for (const auto* other : {"6", "8", "-7", "70", "1000000000000000000000000000007"})
        BOOST_TEST(!*names_version(other, 7), other);
    for (const auto* none : {"", "-", "abc", "1.5", "7 ", " 7", "+7", "0x7", "7e0"})
        BOOST_TEST(!names_version(none, 7).has_value(), none);
}

BOOST_AUTO_TEST_CASE(D5_a_tag_is_found_among_several_weak_or_not) {
    BOOST_TEST(holds_etag(R"("a-1")", R"("a-1")"));
    BOOST_TEST(holds_etag(R"("x", W/"a-1" , "y")", R"("a-1")"));
    BOOST_TEST(holds_etag("*", R"("a-1")"));
    BOOST_TEST(!holds_etag(R"("a-10")", R"("a-1")"));
    BOOST_TEST(!holds_etag("a-1", R"("a-1")"));
    BOOST_TEST(!holds_etag("", R"("a-1")"));
}

namespace {

/// Somebody who waits: how often it looked, and how it ended.
struct Reader {
    bool changed = false, last = false;
    int looks = 0, answered = 0;

    SnapshotWaiters::Look look() {
        return [this](bool is_last) {
            ++looks;
            last = is_last;
            if (changed || is_last) ++answered;
            return changed;
        };
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(D9_who_waits_is_told_of_a_change_and_only_so_many_wait) {
    SnapshotWaiters waiters([] { return 2; });
    int woken = 0;
    waiters.when_work([&] { ++woken; });
    Reader one, other, third;
    BOOST_TEST(waiters.wait({"s"}, "x", kLong, one.look()));
    BOOST_TEST(waiters.wait({"s"}, "y", kLong, other.look()));
    BOOST_TEST(!waiters.wait({"s"}, "x", kLong, third.look()));
    BOOST_TEST(woken == 2);
    BOOST_TEST(waiters.step().count() > 0);  // the first look: a change may have come before anybody waited for it
    BOOST_TEST(one.looks == 1);
    one.changed = true;
    waiters.changed({"s"}, "z");
    BOOST_TEST(woken == 2);
    waiters.changed({"s"}, "x");
    BOOST_TEST(woken == 3);
    waiters.step();
    BOOST_TEST(one.answered == 1);
    BOOST_TEST(!one.last);
    BOOST_TEST(other.looks == 1);
    BOOST_TEST(waiters.waiting() == 1);
    waiters.changed({"s"}, "x");
    waiters.step();
    BOOST_TEST(one.looks == 2);  // it is not asked again
    BOOST_TEST(third.looks == 0);
}

BOOST_AUTO_TEST_CASE(D9_who_waits_in_vain_is_answered_when_the_time_is_over) {
    SnapshotWaiters waiters([] { return 8; });
    Reader reader;
    const auto began = std::chrono::steady_clock::now();
    BOOST_TEST(waiters.wait({"s"}, "x", kLong, reader.look()));
    waiters.step(began + kLong - milliseconds{1});
    BOOST_TEST(reader.answered == 0);
    waiters.step(began + kLong * 2);
    BOOST_TEST(reader.last);
    BOOST_TEST(reader.answered == 1);
    BOOST_TEST(waiters.waiting() == 0);
}

BOOST_AUTO_TEST_CASE(D9_a_change_that_went_untold_is_noticed_all_the_same) {
    SnapshotWaiters waiters([] { return 8; });
    Reader reader;
    const auto began = std::chrono::steady_clock::now();
    BOOST_TEST(waiters.wait({"s"}, "x", kLong, reader.look()));
    waiters.step(began + milliseconds{1'000});
    reader.changed = true;
    waiters.step(began + milliseconds{30'000});
    BOOST_TEST(reader.answered == 1);
    BOOST_TEST(!reader.last);
}

BOOST_AUTO_TEST_CASE(D9_a_thousand_wait_and_each_is_answered_once_while_changes_come_from_other_threads) {
    SnapshotWaiters waiters([] { return 1'000; });
    std::vector<std::atomic<int>> answered(1'000);
    std::atomic<bool> changed{false};
    for (std::size_t n = 0; n < answered.size(); ++n) {
        BOOST_TEST(waiters.wait({"s"}, "x" + std::to_string(n % 10), kLong, [&answered, &changed, n](bool last) {
            if (!changed && !last) return false;
            ++answered[n];
            return true;
        }));
    }
    std::thread changing([&] {
        changed = true;
        for (int n = 0; n < 10; ++n) waiters.changed({"s"}, "x" + std::to_string(n));
    });
    while (waiters.waiting() > 0) waiters.step();
    changing.join();
    for (const auto& each : answered) BOOST_TEST(each == 1);
}

BOOST_AUTO_TEST_CASE(D9_the_end_lets_all_go) {
    SnapshotWaiters waiters([] { return 8; });
    Reader before, after;
    BOOST_TEST(waiters.wait({"s"}, "x", kLong, before.look()));
    waiters.stop();
    waiters.step();
    BOOST_TEST((before.last && before.answered == 1));
    BOOST_TEST(waiters.wait({"s"}, "x", kLong, after.look()));
    BOOST_TEST((after.last && after.answered == 1));
    BOOST_TEST(waiters.waiting() == 0);
}

BOOST_AUTO_TEST_CASE(D10_a_token_that_reads_registers_nothing) {
    MemoryStore store;
    SeededRandom random{1};
    LeaseTokens tokens(store);
    const auto reader = tokens.create("reader", random, TimePoint{}, {"cloud", "desk"}).value().reveal();
    const auto lease = tokens.create("lease", random, TimePoint{}).value().reveal();
    LeaseTokens again(store);
    BOOST_REQUIRE(again.load().has_value());
    BOOST_TEST(!again.name_of(reader).has_value());
    BOOST_TEST(again.readable_with(reader).value() == (std::vector<std::string>{"cloud", "desk"}));
    BOOST_TEST(again.name_of(lease).value() == "lease");
    BOOST_TEST(!again.readable_with(lease).has_value());
    BOOST_TEST(!again.readable_with("wrong").has_value());
}

BOOST_AUTO_TEST_CASE(what_changed_are_the_subjects_own_members) {
    const auto changed = [](const char* before, const char* now) { return compare_states(before, now).changed; };
    using Names = std::vector<std::string>;
    BOOST_TEST(changed(R"({"a":1,"b":2})", R"({"b":2,"a":3,"c":4})") == (Names{"a", "c"}));
    BOOST_TEST(changed(R"({"data":{"a":1},"version":1})", R"({"data":{"a":2},"version":2})") == Names{"a"});
    BOOST_TEST(changed(R"({"item":{"a":1},"id":1})", R"({"item":{"b":1},"id":1})") == (Names{"a", "b"}));
    BOOST_TEST(changed(R"({"a":1,"@self":{"u":1}})", R"({"a":1,"@self":{"u":2}})").empty());
    BOOST_TEST(changed(R"({"a":null})", "{}").empty());
    BOOST_TEST(compare_states(R"({"a":{"x":1,"y":2}})", R"({ "a": {"y":2,"x":1} })").same);
    BOOST_TEST(!compare_states(R"({"a":1,"@self":{"u":1}})", R"({"a":1,"@self":{"u":2}})").same);
    BOOST_TEST(!compare_states(R"({"a":[1,2]})", R"({"a":[2,1]})").same);
}

BOOST_AUTO_TEST_SUITE_END()
