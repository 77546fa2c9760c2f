#include "bridge/route/loop_guard.h"

#include <boost/test/unit_test.hpp>

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kStart{1'000'000s};
const std::string kId = "0190a3c0-0000-7000-8000-000000000001";

Event event_about(const std::string& subject, std::string payload = "{}") {
    Event event;
    event.source = {"cloud"};
    event.subject = subject;
    event.payload = std::move(payload);
    return event;
}

bool nothing_is_ours(const std::string&) { return false; }
bool all_is_ours(const std::string&) { return true; }

}  // namespace

BOOST_AUTO_TEST_SUITE(loop_guard)

BOOST_AUTO_TEST_CASE(an_event_by_a_service_user_is_an_echo_and_the_policy_says_what_becomes_of_it) {
    LoopSettings rules;
    rules.users = {"windmill"};
    const LoopGuard guard;
    const auto ours = event_about("x", R"({"user":{"uid":"windmill"}})");
    const auto theirs = event_about("x", R"({"user":{"uid":"anna"}})");
    BOOST_TEST(guard.judge(rules, ours, {"a"}, kStart, nothing_is_ours).echo);
    BOOST_TEST(!guard.judge(rules, ours, {"a"}, kStart, nothing_is_ours).cut);
    BOOST_TEST(!guard.judge(rules, theirs, {"a"}, kStart, nothing_is_ours).echo);
    rules.policy = LoopSettings::Policy::Cut;
    const auto verdict = guard.judge(rules, ours, {"a"}, kStart, nothing_is_ours);
    BOOST_TEST(verdict.cut);
    BOOST_TEST(verdict.reason == "loop: caused by windmill");
    BOOST_TEST(!guard.judge(rules, theirs, {"a"}, kStart, nothing_is_ours).cut);
}

BOOST_AUTO_TEST_CASE(a_marker_tells_an_echo_once_as_people_go_on_to_edit_the_object) {
    LoopSettings rules;
    rules.marker = "data.orbridge";
    rules.policy = LoopSettings::Policy::Cut;
    LoopGuard guard;
    const auto event = event_about("x", R"({"data":{"orbridge":")" + kId + R"("}})");
    BOOST_TEST(!guard.judge(rules, event, {"a"}, kStart, nothing_is_ours).echo);
    BOOST_TEST(guard.judge(rules, event, {"a"}, kStart, all_is_ours).cut);
    guard.count(rules, event, {"a"}, kStart);
    BOOST_TEST(!guard.judge(rules, event, {"a"}, kStart, all_is_ours).echo);
    BOOST_TEST(
        !guard.judge(rules, event_about("x", R"({"data":{"orbridge":"text"}})"), {"a"}, kStart, all_is_ours).echo);
}

BOOST_AUTO_TEST_CASE(more_than_the_limit_in_the_window_is_cut_until_it_has_calmed_down) {
    LoopSettings rules;
    rules.limit = 3;
    LoopGuard guard;
    const auto event = event_about("x");
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(!guard.judge(rules, event, {"a"}, kStart, nothing_is_ours).cut);
        guard.count(rules, event, {"a"}, kStart);
    }
    const auto verdict = guard.judge(rules, event, {"a"}, kStart + 1s, nothing_is_ours);
    BOOST_TEST(verdict.limit);
    BOOST_TEST(verdict.reason.find("more than 3") != std::string::npos);
    BOOST_TEST(!guard.judge(rules, event, {"b"}, kStart, nothing_is_ours).cut);
    BOOST_TEST(!guard.judge(rules, event_about("y"), {"a"}, kStart, nothing_is_ours).cut);
    BOOST_TEST(!guard.judge(rules, event, {"a"}, kStart + 61s, nothing_is_ours).cut);
    rules.limit = 0;
    BOOST_TEST(!guard.judge(rules, event, {"a"}, kStart, nothing_is_ours).cut);
}

BOOST_AUTO_TEST_CASE(what_is_remembered_is_bounded_and_events_about_nothing_are_never_cut) {
    LoopSettings rules;
    rules.limit = 1;
    LoopGuard guard(2);
    for (const auto* subject : {"x", "y", "z"}) guard.count(rules, event_about(subject), {"a"}, kStart);
    BOOST_TEST(!guard.judge(rules, event_about("x"), {"a"}, kStart, nothing_is_ours).cut);
    BOOST_TEST(guard.judge(rules, event_about("z"), {"a"}, kStart, nothing_is_ours).cut);
    guard.count(rules, event_about(""), {"a"}, kStart);
    BOOST_TEST(!guard.judge(rules, event_about(""), {"a"}, kStart, nothing_is_ours).cut);
}

BOOST_AUTO_TEST_SUITE_END()
