#include <boost/test/unit_test.hpp>
#include <memory>

#include "tests/support/adapter_desk.h"

namespace orbridge {
using namespace test;
using http_tasks::TaskRecipe;

BOOST_AUTO_TEST_SUITE(adapters)

BOOST_AUTO_TEST_CASE(I5_parameters_are_checked_before_anything_is_sent) {
    const auto made = make(R"({adapter: github, base_url: "http://127.0.0.1:1", credentials: {token: S3CR3T-gh}})");
    Answering transport;
    const auto says = [&](const std::string& task, const std::string& params) {
        const auto result = made->tasks().run_task(task, params, transport);
        BOOST_TEST(!result.success);
        return result.message;
    };
    BOOST_TEST(says("create_issue", R"({"repo":"a/b"})") == "params: title: missing");
    BOOST_TEST(says("create_issue", R"({"repo":"a","title":"t"})").starts_with("params: repo: does not look like"));
    BOOST_TEST(says("create_issue", R"({"repo":"a/b","title":5})") == "params: title: expected string");
    BOOST_TEST(says("close_issue", R"({"repo":"a/b","issue_number":"1"})") == "params: issue_number: expected integer");
    BOOST_TEST(says("close_issue", R"({"repo":"a/b","issue_number":0})") ==
               "params: issue_number: expected at least 1");
    BOOST_TEST(says("create_issue", "[]") == "params: expected an object");
    BOOST_TEST(transport.seen.empty());
}

BOOST_AUTO_TEST_CASE(I4_only_declared_tasks_run) {
    const auto made = make(R"({adapter: github, credentials: {token: S3CR3T-gh}})");
    Answering transport;
    for (const auto* task : {"__class__", "test", "../x", "unknown", ""})
        BOOST_TEST(!made->tasks().run_task(task, "{}", transport).success);
    BOOST_TEST(transport.seen.empty());
}

BOOST_AUTO_TEST_CASE(I8_every_failure_is_a_result_with_a_message) {
    const auto made = make(R"({adapter: github, credentials: {token: S3CR3T-gh}})");
    Answering transport;
    const std::string params = R"({"repo":"a/b","title":"t"})";
    const std::vector<Exchange> ends = {TransportFailure{TransportFailure::Reached::Unclear, true, "timed out"},
                                        TransportFailure{TransportFailure::Reached::NothingSent, false, "refused"},
                                        answer(500, "oops S3CR3T-gh"), answer(200, "{"),
                                        TransportFailure{TransportFailure::Reached::NothingSent, false, "TLS"}};
    for (const auto& end : ends) {
        transport.answers = {end};
        const auto result = made->tasks().run_task("create_issue", params, transport);
        BOOST_TEST(!result.success);
        BOOST_TEST(!result.message.empty());
        BOOST_TEST(result.message.find("S3CR3T") == std::string::npos);
    }
    transport.answers = {answer(201, R"({"number":7,"html_url":"https://x"})")};
    const auto result = made->tasks().run_task("create_issue", params, transport);
    BOOST_TEST(result.success);
    BOOST_TEST(result.message == "Issue #7 created");
    BOOST_TEST(result.data == R"({"number":7,"url":"https://x"})");
}

BOOST_AUTO_TEST_CASE(I8_an_answer_that_is_no_json_is_no_success_where_one_is_read) {
    const auto made = make(
        R"({adapter: github, credentials: {token: S3CR3T-gh}, task: create_issue, params: {repo: a/b, title: t}})");
    for (const auto* page : {"<!DOCTYPE html><title>Sign in</title>", "{\"number\":", "ok"}) {
        BOOST_TEST(is_rejected(answered(*made, 201, page)), page);
        BOOST_TEST(reason_of(answered(*made, 201, page)).find("no JSON") != std::string::npos);
    }
    BOOST_TEST(is_delivered(answered(*made, 201, "")));  // said less, and nothing wrong
    const auto plain = make(R"({adapter: http, config: {url: "https://a.example/in"}, task: post})");
    BOOST_TEST(is_delivered(answered(*plain, 200, "thanks")));  // the whole body, whatever it is
}

BOOST_AUTO_TEST_CASE(what_seems_to_be_of_our_own_making_says_so_where_the_parameters_ask_for_it) {
    const auto made = make(R"({adapter: http, config: {url: "https://a.example/in"}, task: post,
        params: {body: {id: "{{event.id}}", loop: "{{event.loop}}"}, idempotency_key: "{{delivery.id}}"}})");
    BOOST_TEST(
        written(*made).ends_with("\n\n"
                                 R"({"id":"0190-e"})"));
    auto echo = delivery_of("{}");
    echo.mark = "loop: caused by windmill";
    BOOST_TEST(made->recipe->request_for(echo, "r").value().body ==
               R"({"id":"0190-e","loop":"loop: caused by windmill"})");
}

BOOST_AUTO_TEST_CASE(I12_an_address_that_others_chose_is_judged) {
    AdapterHooks hooks;
    hooks.credentials.values = [](const CredentialName&) -> Result<HeldCredential> {
        HeldCredential held;
        held.values = Secret(R"({"webhook_url":"http://169.254.169.254/latest"})");
        return held;
    };
    const auto stored = make("{adapter: slack, credentials: team, task: send_message, params: {text: Hi}}", hooks);
    const auto refused = written(*stored);
    BOOST_TEST_MESSAGE(refused);
    BOOST_TEST(refused.starts_with("! the address is refused: "));
    const auto own = make(
        R"({adapter: slack, credentials: {webhook_url: "http://127.0.0.1:1/x"}, task: send_message, params: {text: Hi}})");
    BOOST_TEST(written(*own).starts_with("POST http://127.0.0.1:1/x"));
}

BOOST_AUTO_TEST_CASE(I13_what_may_have_arrived_is_sent_again_only_if_it_is_repeatable) {
    auto delivery = delivery_of("{}");
    delivery.unclear = true;
    const auto issue = make(
        R"({adapter: github, credentials: {token: S3CR3T-gh}, task: create_issue, params: {repo: a/b, title: T}})");
    const auto again = issue->recipe->request_for(delivery, "r");
    BOOST_REQUIRE(!again);
    BOOST_TEST((again.error().kind == Error::Kind::Invalid));
    const auto message = make(
        R"({adapter: slack, credentials: {bot_token: S3CR3T}, task: send_message, params: {text: T, channel: C}})");
    BOOST_TEST(message->recipe->request_for(delivery, "r").has_value());
    // Whoever takes a key knows it again.
    const std::string post = R"({adapter: http, config: {url: "https://a.example"}, task: post, params: {body: {}, )";
    BOOST_TEST(!make(post + "idempotency_key: ''}}")->recipe->request_for(delivery, "r"));
    BOOST_TEST(make(post + "idempotency_key: '{{delivery.id}}'}}")->recipe->request_for(delivery, "r").has_value());
}

BOOST_AUTO_TEST_CASE(T3_a_chain_stops_at_the_first_failure_and_sees_what_came_before) {
    Complaints complaints;
    const auto adapter = parse_adapter(R"(
name: chain
base_url: http://127.0.0.1:1
test: { request: { path: /me } }
tasks:
  both:
    steps:
      - { name: first, request: { method: POST, path: /a }, data: { id: "{{response.body.id}}" } }
      - { name: second, request: { method: POST, path: "/b/{{steps.first.data.id}}" } }
      - { name: third, request: { method: POST, path: /c } }
)",
                                       "chain.yaml", complaints);
    for (const auto& line : complaints.lines()) BOOST_TEST_MESSAGE(line);
    BOOST_REQUIRE(adapter);
    const auto node = ConfigNode::parse("{}", "t.yaml", complaints);
    TargetSettings target{.id = {"there"}, .adapter = "chain", .node = node};
    const TaskRecipe recipe(AdapterUse(target, {}, adapter, {}), {}, nullptr, [] { return TimePoint{}; });
    BOOST_REQUIRE(complaints.empty());
    Answering transport;
    transport.answers = {answer(200, R"({"id":42})"), answer(400, "no")};
    const auto result = recipe.run_task("both", "{}", transport);
    BOOST_TEST(!result.success);
    BOOST_TEST(transport.seen.size() == 2U);
    BOOST_TEST(transport.seen.back().url == "http://127.0.0.1:1/b/42");
    BOOST_REQUIRE(result.steps.size() == 2U);
    BOOST_TEST(result.steps[0].success);
    BOOST_TEST(result.steps[1].name == "second");
}

BOOST_AUTO_TEST_CASE(T4_what_passes_is_tried_again_and_what_cannot_is_not) {
    const auto made = make(R"({adapter: sendgrid, credentials: {api_key: S3CR3T-sg}, task: send_email,
        params: {to: a@b.example, from: c@d.example, subject: S, body: B}})");
    BOOST_TEST(is_retry(answered(*made, 500, ""), Retry::Why::Trouble));
    BOOST_TEST(is_retry(answered(*made, 503, ""), Retry::Why::Trouble));
    BOOST_TEST(is_retry(answered(*made, 429, "", {{"Retry-After", "7"}}), Retry::Why::RateLimited));
    BOOST_TEST(is_rejected(answered(*made, 400, "")));
    BOOST_TEST(is_rejected(answered(*made, 404, "")));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
