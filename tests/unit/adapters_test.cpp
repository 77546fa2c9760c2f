#include <boost/test/unit_test.hpp>

#include "bridge/core/text.h"
#include "tests/support/adapter_desk.h"

namespace orbridge {
using namespace std::chrono_literals;
using namespace test;

BOOST_AUTO_TEST_SUITE(adapters)

BOOST_AUTO_TEST_CASE(an_answer_is_told_by_a_pattern) {
    const auto made = make(
        R"({adapter: windmill, config: {url: "https://w.example", workspace: main}, credentials: {token: S3CR3T-wm},
        task: run_script, params: {path: f/a/b, args: {body: "{{event.payload}}"}}})");
    BOOST_TEST(written(*made, R"({"n":1})") ==
               "POST https://w.example/api/w/main/jobs/run/p/f/a/b?job_id=0190-d\nContent-Type: application/json\n"
               "Authorization: Bearer S3CR3T-wm\n\n"
               R"({"body":{"n":1}})");
    BOOST_TEST(is_delivered(answered(*made, 201, "0190d3e2-6f4b-7a00-8000-000000000001")));
    BOOST_TEST(is_delivered(answered(*made, 400, "Bad request: Job with id 0190-d already exists")));
    BOOST_TEST(is_rejected(answered(*made, 200, "<!DOCTYPE html>\n<title>Windmill</title>")));
    BOOST_TEST(is_rejected(answered(*made, 400, "SqlErr: unsupported Unicode escape sequence")));
    BOOST_TEST(is_retry(answered(*made, 400, "SqlErr: pool timed out\nwhile waiting"), Retry::Why::Trouble));
    BOOST_TEST(is_retry(answered(*made, 404, "Not found: script not found at name f/a/b"), Retry::Why::Trouble));
    BOOST_TEST(is_retry(answered(*made, 403, "Permission denied"), Retry::Why::Misconfigured));
}

BOOST_AUTO_TEST_CASE(what_stands_in_an_event_is_no_reference_for_windmill_and_what_is_configured_is_one) {
    const auto made = make(
        R"({adapter: windmill, config: {url: "https://w.example", workspace: main}, credentials: {token: S3CR3T-wm},
        task: run_script, params: {path: f/a/b, args: {db: "$res:f/a/pg", text: "{{event.payload.text}}", all: "{{event.payload}}"}}})");
    const auto text = written(*made, R"({"text":"$var:u/admin/secret","deep":[{"x":"$res:u/a"}],"fine":"a $var:b"})");
    BOOST_TEST(text.substr(text.find("\n\n") + 2) ==
               R"({"db":"$res:f/a/pg","text":" $var:u/admin/secret","all":{"text":" $var:u/admin/secret",)"
               R"("deep":[{"x":" $res:u/a"}],"fine":"a $var:b"}})");
    const auto whole = make(
        R"({adapter: windmill, config: {url: "https://w.example", workspace: main}, credentials: {token: S3CR3T-wm},
        task: run_script, params: {path: f/a/b, args: "{{event.payload}}"}})");
    const auto override = written(*whole, R"({"_ENTRYPOINT_OVERRIDE":"other"})");
    BOOST_TEST(override.ends_with(R"({" _ENTRYPOINT_OVERRIDE":"other"})"));
}

BOOST_AUTO_TEST_CASE(I9_github_says_until_when_it_wants_to_be_left_alone) {
    const auto made = make(
        R"({adapter: github, credentials: {token: S3CR3T-gh}, task: create_issue, params: {repo: a/b, title: t}})");
    const auto wait = [&](Headers headers) {
        return std::get<Retry>(answered(*made, 403, R"({"message":"limit"})", std::move(headers))).at_least;
    };
    // It is 2013-05-24T00:00:00Z, which is 1369353600.
    BOOST_TEST((wait({{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1369353660"}}) == 60s));
    BOOST_TEST(
        (wait({{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1369353660"}, {"Retry-After", "90"}}) == 90s));
    for (const auto* odd : {"1369353000", "soon", "-1", "99999999999999999999"})
        BOOST_TEST((wait({{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", odd}}) == 0s), odd);
}

BOOST_AUTO_TEST_CASE(I9_github_writes_what_is_expected) {
    const auto made = make(R"({adapter: github, credentials: {token: S3CR3T-gh}, task: create_issue,
        params: {repo: acme/zaken, title: "{{event.payload.object.name}} is {{event.payload.object.state}}"}})");
    BOOST_TEST(written(*made, R"({"object":{"name":"A \"1\"","state":"open"}})") ==
               "POST https://api.github.com/repos/acme/zaken/issues\n"
               "Content-Type: application/json\n"
               "Accept: application/vnd.github+json\n"
               "X-GitHub-Api-Version: 2022-11-28\n"
               "Authorization: Bearer S3CR3T-gh\n\n"
               R"({"title":"A \"1\" is open","body":""})");
    BOOST_TEST(is_delivered(answered(*made, 201, R"({"number":1})")));
    BOOST_TEST(is_rejected(answered(*made, 422, R"({"message":"Validation Failed"})")));
    BOOST_TEST(is_retry(answered(*made, 403, R"({"message":"limit"})", {{"X-RateLimit-Remaining", "0"}}),
                        Retry::Why::RateLimited));
    BOOST_TEST(is_retry(answered(*made, 401, R"({"message":"Bad credentials"})"), Retry::Why::Misconfigured));
}

BOOST_AUTO_TEST_CASE(I9_jira_sends_descriptions_as_documents) {
    const auto made = make(R"({adapter: jira, config: {url: "https://acme.atlassian.net"}, task: create_issue,
        credentials: {email: a@b.example, api_token: S3CR3T-jira},
        params: {project: zak, summary: S, description: "{{event.payload.text}}"}})");
    BOOST_TEST(
        written(*made, R"({"text":"one\n\ntwo"})") ==
        "POST https://acme.atlassian.net/rest/api/3/issue\n"
        "Content-Type: application/json\n"
        "Accept: application/json\n"
        "Authorization: Basic " +
            to_base64("a@b.example:S3CR3T-jira") +
            "\n\n"
            R"({"fields":{"project":{"key":"ZAK"},"summary":"S","description":{"type":"doc","version":1,"content":[)"
            R"({"type":"paragraph","content":[{"type":"text","text":"one"}]},{"type":"paragraph","content":[]},)"
            R"({"type":"paragraph","content":[{"type":"text","text":"two"}]}]},"issuetype":{"name":"Task"}}})");
}

BOOST_AUTO_TEST_CASE(I9_teams_sendgrid_openregister_and_http_write_what_is_expected) {
    const auto teams = make(
        R"({adapter: teams, credentials: {webhook_url: "https://t.example/hook?sig=S3CR3T"}, task: send_simple_message, params: {text: Hi}})");
    BOOST_TEST(written(*teams) ==
               "POST https://t.example/hook?sig=S3CR3T\nContent-Type: application/json\n\n"
               R"({"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":)"
               R"({"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":"Hi","wrap":true}]}}]})");
    const auto mail = make(R"({adapter: sendgrid, credentials: {api_key: S3CR3T-sg}, task: send_email,
        params: {to: a@b.example, from: c@d.example, subject: S, body: B}})");
    BOOST_TEST(written(*mail) ==
               "POST https://api.sendgrid.com/v3/mail/send\nContent-Type: application/json\nAuthorization: Bearer "
               "S3CR3T-sg\n\n"
               R"({"personalizations":[{"to":[{"email":"a@b.example"}]}],"from":{"email":"c@d.example"},"subject":"S",)"
               R"("content":[{"type":"text/plain","value":"B"}]})");
    const auto object = make(R"({adapter: openregister, config: {url: "https://cloud.example"}, task: patch_object,
        credentials: {user: bot, password: S3CR3T-or}, params: {register: zaken, schema: aanvraag, id: "{{event.payload.id}}", object: {done: true}}})");
    BOOST_TEST(written(*object, R"({"id":"7f"})") ==
               "PATCH https://cloud.example/index.php/apps/openregister/api/objects/zaken/aanvraag/7f\n"
               "Content-Type: application/json\nOCS-APIRequest: true\nAccept: application/json\nAuthorization: Basic " +
                   to_base64("bot:S3CR3T-or") + "\n\n{\"done\":true}");
    const auto plain = make(R"({adapter: http, config: {url: "https://a.example/in"}, task: post,
        params: {body: {id: "{{event.id}}", object: "{{event.payload}}"}, idempotency_key: "{{delivery.id}}"}})");
    BOOST_TEST(written(*plain, R"({"a": 1.50})") ==
               "POST https://a.example/in\nContent-Type: application/json\nIdempotency-Key: 0190-d\n\n"
               R"({"id":"0190-e","object":{"a": 1.50}})");
}

BOOST_AUTO_TEST_CASE(I9_s3_stores_an_object) {
    const auto made =
        make(R"({adapter: s3, config: {endpoint: "http://127.0.0.1:9000", bucket: zaken}, task: upload_file,
        credentials: {access_key_id: AKIA, secret_access_key: S3CR3T-aws}, params: {key: "2026/a b.json", content: "{}", content_type: application/json}})");
    const auto text = written(*made);
    BOOST_TEST(text.starts_with("PUT http://127.0.0.1:9000/zaken/2026/a%20b.json\n"));
    BOOST_TEST(text.find("x-amz-content-sha256: " + to_hex(sha256("{}"))) != std::string::npos);
    BOOST_TEST(text.find("Credential=AKIA/20130524/us-east-1/s3/aws4_request") != std::string::npos);
    BOOST_TEST(text.find("S3CR3T") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(I10_slack_tells_success_by_the_body) {
    const auto hook = make(
        R"({adapter: slack, credentials: {webhook_url: "https://h.example/services/S3CR3T"}, task: send_message, params: {text: "{{event.eventName}}"}})");
    BOOST_TEST(written(*hook) ==
               "POST https://h.example/services/S3CR3T\nContent-Type: application/json\n\n"
               R"({"text":"created:zaken:aanvraag:7f"})");
    BOOST_TEST(is_delivered(answered(*hook, 200, "ok")));
    BOOST_TEST(is_rejected(answered(*hook, 200, "invalid_payload")));
    BOOST_TEST(reason_of(answered(*hook, 200, "invalid_payload")).find("invalid_payload") != std::string::npos);
    const auto bot = make(
        R"({adapter: slack, credentials: {bot_token: S3CR3T-bot}, task: send_message, params: {text: Hi, channel: C1}})");
    BOOST_TEST(written(*bot) ==
               "POST https://slack.com/api/chat.postMessage\nContent-Type: application/json\nAuthorization: Bearer "
               "S3CR3T-bot\n\n"
               R"({"channel":"C1","text":"Hi"})");
    BOOST_TEST(is_delivered(answered(*bot, 200, R"({"ok":true})")));
    const auto refused = answered(*bot, 200, R"({"ok":false,"error":"not_authed"})");
    BOOST_TEST(is_retry(refused, Retry::Why::Misconfigured));
    BOOST_TEST(reason_of(refused).find("not_authed") != std::string::npos);
    BOOST_TEST(is_rejected(answered(*bot, 200, R"({"ok":false,"error":"channel_not_found"})")));
}

BOOST_AUTO_TEST_CASE(K5_the_slack_test_posts_nothing) {
    Answering transport;
    const auto bot = make(R"({adapter: slack, credentials: {bot_token: S3CR3T-bot}})");
    transport.answers = {answer(200, R"({"ok":true,"user":"orbridge","team":"T"})")};
    BOOST_TEST((bot->recipe->test(transport).front().verdict == TestStep::Verdict::Ok));
    BOOST_TEST(transport.seen.back().url == "https://slack.com/api/auth.test");
    const auto hook = make(R"({adapter: slack, credentials: {webhook_url: "https://h.example/services/S3CR3T"}})");
    transport.answers = {answer(400, "no_text"), answer(404, "no_service")};
    BOOST_TEST((hook->recipe->test(transport).front().verdict == TestStep::Verdict::Ok));
    BOOST_TEST(transport.seen.back().body == R"({"text":""})");
    BOOST_TEST((hook->recipe->test(transport).front().verdict == TestStep::Verdict::Failed));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
