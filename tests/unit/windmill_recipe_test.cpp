#include <boost/test/unit_test.hpp>

#include "adapters/windmill/arguments.h"
#include "adapters/windmill/recipe.h"
#include "bridge/core/json.h"
#include "bridge/deliver/retry_after.h"

namespace orbridge::windmill {
namespace {

using namespace std::chrono_literals;

constexpr const char* kId = "0190d3e2-6f4b-7a00-8000-000000000001";
constexpr const char* kUrl = "https://windmill.example.org/api/w/main/jobs/run/p/f/nextcloud/on_object";

Delivery a_delivery(std::string payload = R"({"object":{"uuid":"7f"}})") {
    Delivery delivery{.id = {kId}, .target = {"on-object"}, .event = {}};
    delivery.event.id = {"0190d3e2-6f4b-7a00-8000-00000000000e"};
    delivery.event.source = {"cloud"};
    delivery.event.event_class = "OCA\\OpenRegister\\Event\\ObjectUpdatedEvent";
    delivery.event.channel = "Object";
    delivery.event.event_name = "updated:zaken:aanvraag:7f";
    delivery.event.occurred_at = TimePoint{1774512000000ms};
    delivery.event.payload = std::move(payload);
    return delivery;
}

WindmillSettings the_settings(const std::string& url = kUrl) {
    WindmillSettings settings;
    settings.runnable = *parse_run_url(url);
    settings.token = Secret("t0ken");
    return settings;
}

std::string body_of(const WindmillSettings& settings, const Delivery& delivery, const std::string& route = "r") {
    return WindmillRecipe(settings).request_for(delivery, route)->body;
}

std::string data_of(const std::string& payload) {
    const auto body = body_of(the_settings(), a_delivery(payload));
    const auto at = body.find("\"data\":") + 7;
    return body.substr(at, body.size() - at - 2);
}

std::string kind_of(const Outcome& outcome) {
    if (const auto* retry = std::get_if<Retry>(&outcome)) {
        static constexpr const char* kWhys[] = {"trouble", "timeout", "limited", "misconfigured"};
        return std::string(kWhys[static_cast<int>(retry->why)]) + (retry->unclear ? " unclear" : "");
    }
    if (std::holds_alternative<Rejected>(outcome)) return "rejected";
    return std::get<Delivered>(outcome).duplicate ? "duplicate" : "delivered";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(windmill_recipe)

BOOST_AUTO_TEST_CASE(the_whole_record_is_the_argument_body) {
    const auto request = WindmillRecipe(the_settings()).request_for(a_delivery(), "r");
    BOOST_TEST(request->method == "POST");
    BOOST_TEST(request->url == std::string(kUrl) + "?job_id=" + kId);
    BOOST_TEST(*find_header(request->headers, "authorization") == "Bearer t0ken");
    BOOST_TEST(*find_header(request->headers, "content-type") == "application/json");
    BOOST_TEST(request->body == R"({"body":{"event":"OCA\\OpenRegister\\Event\\ObjectUpdatedEvent",)"
                                R"("id":"0190d3e2-6f4b-7a00-8000-00000000000e","channel":"Object",)"
                                R"("eventName":"updated:zaken:aanvraag:7f","timestamp":1774512000000,"source":"cloud",)"
                                R"("data":{"object":{"uuid":"7f"}}}})");
}

BOOST_AUTO_TEST_CASE(an_update_tells_what_was_before_and_what_it_changed_unless_the_source_did) {
    auto delivery = a_delivery(R"({"object":{"uuid":"7f"}, "oldObject":null})");
    delivery.difference = Difference{R"({"uuid":"7f","data":{"a":"$res:x"}})", R"(["a"])"};
    const auto data_now = [&] {
        const auto body = body_of(the_settings(), delivery);
        const auto at = body.find("\"data\":") + 7;
        return body.substr(at, body.size() - at - 2);
    };
    BOOST_TEST(data_now() ==
               R"({"object":{"uuid":"7f"},"oldObject":{"uuid":"7f","data":{"a":" $res:x"}},"changed":["a"]})");
    delivery.difference->before.clear();
    BOOST_TEST(data_now() == R"({"object":{"uuid":"7f"},"oldObject":null,"changed":["a"]})");
    delivery.difference->before = R"({"uuid":"7f"})";
    delivery.event.payload = R"({"object":{},"oldObject":{"told":1},"changed":["b"]})";
    BOOST_TEST(data_now() == delivery.event.payload);
    delivery.event.payload = "[1]";
    BOOST_TEST(data_now() == "[1]");
}

BOOST_AUTO_TEST_CASE(payload_wrapping_sends_the_payloads_own_keys_and_nothing_before_the_brace) {
    auto settings = the_settings();
    settings.wrap = Wrap::Payload;
    BOOST_TEST(body_of(settings, a_delivery(" {\"event\":{},\"user\":{},\"time\":1}\n")) ==
               R"({"event":{},"user":{},"time":1})");
    BOOST_TEST(body_of(settings, a_delivery("")) == "{}");
}

BOOST_AUTO_TEST_CASE(wrapping_none_sends_the_records_keys) {
    auto settings = the_settings();
    settings.wrap = Wrap::None;
    BOOST_TEST(body_of(settings, a_delivery()).starts_with(R"({"event":"OCA)"));
}

BOOST_AUTO_TEST_CASE(a_query_in_the_url_is_kept_before_the_job_id) {
    const auto request = WindmillRecipe(the_settings(std::string(kUrl) + "?tag=heavy")).request_for(a_delivery(), "r");
    BOOST_TEST(request->url == std::string(kUrl) + "?tag=heavy&job_id=" + kId);
}

BOOST_AUTO_TEST_CASE(texts_windmill_would_replace_get_a_space_and_all_else_stays_as_it_was) {
    const std::pair<const char*, const char*> rows[] = {
        {R"({"a": 1.10, "b":[1E+2] })", R"({"a": 1.10, "b":[1E+2] })"},
        {R"({"price":"$100","note":"costs $5"})", R"({"price":"$100","note":"costs $5"})"},
        {R"({"a":"$var:u/admin/x"})", R"({"a":" $var:u/admin/x"})"},
        {R"({"a":"$res:u/admin/x"})", R"({"a":" $res:u/admin/x"})"},
        {R"({"a":"$jsonvar:x"})", R"({"a":" $jsonvar:x"})"},
        {R"({"a":"$encrypted:x"})", R"({"a":" $encrypted:x"})"},
        {R"({"a":[[[{"b":["$var:x"]}]]],"c" : 1})", R"({"a":[[[{"b":[" $var:x"]}]]],"c" : 1})"},
        {R"({"a":"\u0024var:x"})", R"({"a":" $var:x"})"},
        {R"({"a":"$\u0076ar:x"})", R"({"a":" $var:x"})"},
        {R"({"a":"see $var:x","b":"x"})", R"({"a":"see $var:x","b":"x"})"},
        // Any mention sets off the replacing of `$NAME` texts in the same argument.
        {R"({"a":"see $var:x","b":"$WM_TOKEN","c":"$100"})", R"({"a":"see $var:x","b":" $WM_TOKEN","c":"$100"})"},
        {R"({"$res:":1,"b":"$WM_TOKEN"})", R"({"$res:":1,"b":" $WM_TOKEN"})"},
        {R"({"b":"$WM_TOKEN"})", R"({"b":"$WM_TOKEN"})"},
        {R"({"$interpolate":["x",{"$var":"u/a/b"}]})", R"({" $interpolate":["x",{"$var":"u/a/b"}]})"},
        {R"({"_ENTRYPOINT_OVERRIDE":"f"})", R"({"_ENTRYPOINT_OVERRIDE":"f"})"},
        {R"({"a":"\\u0000 and \ud83d\ude00"})", R"({"a":"\\u0000 and \ud83d\ude00"})"},
        {R"({"a":"\\\u0024var:"})", R"({"a":"\\\u0024var:"})"},
    };
    for (const auto& [payload, sent] : rows) BOOST_TEST(data_of(payload) == sent);
}

BOOST_AUTO_TEST_CASE(what_jsonb_cannot_hold_is_replaced_by_the_replacement_character) {
    const auto text = [](const std::string& payload) {
        return *(*JsonDocument::parse(data_of(payload)))->root()["a"].string();
    };
    BOOST_TEST(text(R"({"a":"x\u0000y"})") == "x\xef\xbf\xbdy");
    BOOST_TEST(text(R"({"a":"x\ud83dy"})") == "x\xef\xbf\xbdy");
    BOOST_TEST(text(R"({"a":"\ude00"})") == "\xef\xbf\xbd");
    BOOST_TEST(data_of(R"({"k\u0000":1})").find("u0000") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_entry_point_cannot_be_chosen_by_a_payload_whose_keys_become_arguments) {
    auto settings = the_settings();
    settings.wrap = Wrap::Payload;
    BOOST_TEST(body_of(settings, a_delivery(R"({"_ENTRYPOINT_OVERRIDE":"f","a":{"_ENTRYPOINT_OVERRIDE":1}})")) ==
               R"({" _ENTRYPOINT_OVERRIDE":"f","a":{"_ENTRYPOINT_OVERRIDE":1}})");
    BOOST_TEST(body_of(settings, a_delivery(R"({"\u005fENTRYPOINT_OVERRIDE":"f"})")) ==
               R"({" _ENTRYPOINT_OVERRIDE":"f"})");
}

BOOST_AUTO_TEST_CASE(a_route_may_refuse_or_pass_what_the_target_neutralises) {
    auto settings = the_settings();
    settings.by_route = {{"strict", Interpolation::Refuse}, {"trusted", Interpolation::Pass}};
    const auto delivery = a_delivery(R"({"a":"$var:x"})");
    const WindmillRecipe recipe(settings);
    const auto refused = recipe.request_for(delivery, "strict");
    BOOST_TEST(!refused);
    BOOST_CHECK(refused.error().kind == Error::Kind::Invalid);
    BOOST_TEST(refused.error().message.find("$var:x") == std::string::npos);
    BOOST_TEST(recipe.request_for(delivery, "trusted")->body.find(R"({"a":"$var:x"})") != std::string::npos);
    BOOST_TEST(recipe.request_for(delivery, "other")->body.find(R"({"a":" $var:x"})") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_was_changed_is_counted) {
    std::map<std::string, int> counts;
    const WindmillRecipe recipe(the_settings(),
                                [&](std::string_view what, int count) { counts[std::string(what)] += count; });
    BOOST_TEST(recipe.request_for(a_delivery(R"({"a":"$var:x","b":"$res:y","c":"\u0000"})"), "r").has_value());
    BOOST_TEST(counts["reference"] == 2);
    BOOST_TEST(counts["mended"] == 1);
}

struct Row {
    int status;
    std::string body;
    std::string meaning;
};

BOOST_AUTO_TEST_CASE(every_answer_of_the_table_means_what_it_says) {
    const std::string id = kId;
    const Row rows[] = {
        {201, id, "delivered"},
        {200, id + "\n", "delivered"},
        {200, "<!doctype html>\n<html></html>", "misconfigured"},
        {201, "", "misconfigured"},
        {204, "", "misconfigured"},
        {302, "", "misconfigured"},
        {400, "Bad request: Job with id " + id + " already exists", "duplicate"},
        {400, "Bad request: Job with id 0190d3e2-0000-7a00-8000-000000000002 already exists", "misconfigured"},
        {400, "SqlErr: error returned from database: duplicate key value violates unique constraint \"job_pkey\" @x",
         "duplicate"},
        {400, "Sql error: error returned from database: duplicate key value violates unique constraint \"job_pkey\"",
         "duplicate"},
        {400, "SqlErr: error returned from database: unsupported Unicode escape sequence", "rejected"},
        {400, "SqlErr: error returned from database: invalid input syntax for type json", "rejected"},
        {400, "SqlErr: pool timed out while waiting for an open connection", "trouble"},
        {400, "Sql error: connection refused", "trouble"},
        {400, "SqlErr: error returned from database: deadlock detected", "trouble"},
        {400, "Quota exceeded: You have exceeded your free tier", "limited"},
        {400, "Bad request: License key is not valid", "misconfigured"},
        {400, "Bad request: invalid json: EOF while parsing a value at line 1 column 0", "rejected"},
        {400, "Bad request: invalid utf8", "rejected"},
        {400, "Failed to deserialize query string: UUID parsing failed", "rejected"},
        {400, "Bad request: Only super admins are allowed to use tag gpu here", "rejected"},
        {400, "<html>400 The plain HTTP request was sent to HTTPS port</html>", "misconfigured"},
        {401, "Unauthorized", "misconfigured"},
        {401, "Not authorized: Unauthorized", "misconfigured"},
        {401, "Not authorized: You are not authorized to access this script: f/a/b (but it exists)", "misconfigured"},
        {403, "Permission denied: Required scope: jobs:run:scripts:f/a/b", "misconfigured"},
        {403, "Access denied. Required scope: jobs:run", "misconfigured"},
        {403, "Token is read-only", "misconfigured"},
        {404, "Not found: script not found at name f/a/b", "misconfigured"},
        {404, "Not found: flow not found at name f/a/b", "misconfigured"},
        {404, "", "misconfigured"},
        {405, "", "misconfigured"},
        {408, "", "timeout"},
        {413, "Failed to buffer the request body: length limit exceeded", "rejected"},
        {418, "", "misconfigured"},
        {429, "", "limited"},
        {500, "Internal: Number of queued job is too high", "trouble unclear"},
        {500, "Internal Server Error", "trouble unclear"},
        {502, "<html>Bad Gateway</html>", "trouble unclear"},
        {503, "", "trouble unclear"},
        {504, "", "trouble unclear"},
    };
    const WindmillRecipe recipe(the_settings());
    for (const auto& row : rows) {
        const auto outcome = recipe.outcome_of(a_delivery(), {.status = row.status, .headers = {}, .body = row.body});
        BOOST_TEST(kind_of(outcome) == row.meaning, row.status << " " << row.body << " means " << kind_of(outcome));
    }
}

BOOST_AUTO_TEST_CASE(the_job_is_the_reference_of_a_delivery_also_when_it_is_a_duplicate) {
    const auto reference = [](int status, const std::string& body) {
        return std::get<Delivered>(read_run_answer(kId, {.status = status, .headers = {}, .body = body})).reference;
    };
    BOOST_TEST(reference(201, kId) == kId);
    BOOST_TEST(reference(400, std::string("Bad request: Job with id ") + kId + " already exists") == kId);
    BOOST_TEST(reference(201, "0190d3e2-6f4b-7a00-8000-0000000000ff") == "0190d3e2-6f4b-7a00-8000-0000000000ff");
}

BOOST_AUTO_TEST_CASE(retry_after_is_a_lower_bound_as_seconds_or_date) {
    const auto wait = [](Headers headers) {
        return std::get<Retry>(read_run_answer(kId, {.status = 503, .headers = std::move(headers)})).at_least;
    };
    BOOST_CHECK(wait({{"Retry-After", "120"}}) == 120s);
    BOOST_CHECK(wait({{"retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"}, {"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}}) ==
                30s);
    BOOST_CHECK(wait({{"retry-after", "soon"}}) == 0s);
    BOOST_CHECK(wait({{"retry-after", "-5"}}) == 0s);
    BOOST_CHECK(wait({}) == 0s);
}

BOOST_AUTO_TEST_CASE(an_inquiry_asks_for_the_job_of_this_delivery) {
    const WindmillRecipe recipe(the_settings());
    const auto request = recipe.inquiry_for(a_delivery());
    BOOST_TEST(request->method == "GET");
    BOOST_TEST(request->url ==
               std::string("https://windmill.example.org/api/w/main/jobs_u/get/") + kId + "?no_logs=true&no_code=true");
    using Arrived = Recipe::Arrived;
    const auto read = [&](int status, const std::string& body) {
        return recipe.arrived(a_delivery(), {.status = status, .headers = {}, .body = body});
    };
    BOOST_CHECK(read(200, std::string(R"({"id":")") + kId + R"(","type":"QueuedJob"})") == Arrived::Yes);
    BOOST_CHECK(read(200, "<!doctype html>") == Arrived::Unknown);
    BOOST_CHECK(read(404, std::string("Not found: Job not found at name ") + kId) == Arrived::No);
    BOOST_CHECK(read(404, "") == Arrived::Unknown);
    BOOST_CHECK(read(503, "") == Arrived::Unknown);
    BOOST_CHECK(read(401, "Unauthorized") == Arrived::Unknown);
    BOOST_CHECK(read(400, "Bad request: As a non logged in user, you can only see jobs ran by anonymous users") ==
                Arrived::No);
}

FollowedJob after(const std::vector<std::pair<int, std::string>>& answers) {
    auto settings = the_settings();
    settings.follow = true;
    const WindmillRecipe recipe(settings);
    FollowedJob job{.delivery = {kId}, .target = {"on-object"}, .job = kId, .state = "waiting", .result = {}};
    for (const auto& [status, body] : answers)
        job = recipe.followed(job, {.status = status, .headers = {}, .body = body});
    return job;
}

BOOST_AUTO_TEST_CASE(a_job_is_followed_to_its_result) {
    const auto maybe = [](const char* rest) { return std::pair<int, std::string>{200, rest}; };
    BOOST_TEST(after({maybe(R"({"started":false,"success":null,"completed":false,"result":null})")}).state ==
               "waiting");
    BOOST_TEST(after({maybe(R"({"started":true,"success":null,"completed":false,"result":null})")}).state == "running");
    const auto done = after({maybe(R"({"started":true,"success":true,"completed":true,"result":{"n":1}})")});
    BOOST_TEST(done.state == "succeeded");
    BOOST_TEST(done.result == R"({"n":1})");
    BOOST_TEST(done.checks == 1);
    BOOST_TEST(after({{503, ""}}).state == "waiting");
    BOOST_TEST(after({{404, "Not found: Job not found at name x"}}).state == "lost");
}

BOOST_AUTO_TEST_CASE(a_failure_is_told_from_a_flow_that_stopped_on_purpose_and_from_a_cancelled_job) {
    const std::pair<int, std::string> failed{200, R"({"started":true,"success":false,"completed":true,"result":{}})"};
    const auto whole = [](const std::string& flags) {
        return std::pair<int, std::string>{200, R"({"type":"CompletedJob","result":{"error":{}},)" + flags + "}"};
    };
    BOOST_TEST(after({failed}).state == "running");
    BOOST_TEST(after({failed, whole(R"("success":false)")}).state == "failed");
    BOOST_TEST(after({failed, whole(R"("success":true,"is_skipped":true)")}).state == "skipped");
    BOOST_TEST(after({failed, whole(R"("success":false,"canceled":true)")}).state == "canceled");
}

BOOST_AUTO_TEST_CASE(the_job_itself_is_asked_for_once_it_has_failed_and_now_and_then) {
    auto settings = the_settings();
    settings.follow = true;
    const WindmillRecipe recipe(settings);
    FollowedJob job{.delivery = {kId}, .target = {"on-object"}, .job = kId, .state = "waiting", .result = {}};
    BOOST_TEST(recipe.follow_request(job)->url.find("get_result_maybe") != std::string::npos);
    job.checks = 7;
    BOOST_TEST(recipe.follow_request(job)->url.find("jobs_u/get/") != std::string::npos);
    job.checks = 1;
    job.result = "{}";
    BOOST_TEST(recipe.follow_request(job)->url.find("jobs_u/get/") != std::string::npos);
    BOOST_TEST(!WindmillRecipe(the_settings()).follow_request(job).has_value());
}

BOOST_AUTO_TEST_CASE(a_large_result_is_mentioned_but_not_kept) {
    auto settings = the_settings();
    settings.follow = true;
    FollowedJob job{.delivery = {kId}, .target = {"on-object"}, .job = kId, .state = "running", .result = {}};
    HttpResponse cut{
        .status = 200, .headers = {}, .body = R"({"started":true,"success":true,"completed":true,"result":[1,)"};
    cut.body_cut = true;
    job = WindmillRecipe(settings).followed(job, cut);
    BOOST_TEST(job.state == "succeeded");
    BOOST_TEST(JsonDocument::parse(job.result).has_value());
}

BOOST_AUTO_TEST_CASE(run_urls_are_read_as_the_guides_give_them) {
    const auto runnable = parse_run_url("https://w.example.org/api/w/main/jobs/run/f/f/nextcloud/on_object");
    BOOST_TEST(runnable->api == "https://w.example.org/api");
    BOOST_TEST(runnable->workspace == "main");
    BOOST_TEST(runnable->kind == "f");
    BOOST_TEST(runnable->path == "f/nextcloud/on_object");
    BOOST_TEST(parse_run_url("http://w:8000/api/w/main/jobs/run/h/00a1b2c3d4e5f607").has_value());
    BOOST_TEST(parse_run_url("http://w:8000/api/w/main/jobs/run/fv/12").has_value());
    BOOST_TEST(parse_run_url("https://c.example.org/apps/app_api/proxy/flow/api/w/nextcloud/jobs/run/p/u/a/b")->api ==
               "https://c.example.org/apps/app_api/proxy/flow/api");
    BOOST_TEST(runnable_of("https://w.example.org/", "main", "p", "u/a/b")->run_url() ==
               "https://w.example.org/api/w/main/jobs/run/p/u/a/b");
    BOOST_TEST(runnable_of("https://w.example.org/api", "main", "f", "u/a/b")->run_url() ==
               "https://w.example.org/api/w/main/jobs/run/f/u/a/b");
}

BOOST_AUTO_TEST_CASE(urls_that_cannot_work_are_refused_with_what_to_change) {
    const std::pair<const char*, const char*> rows[] = {
        {"https://w/api/w/main/jobs/run_wait_result/p/u/a/b", "run_wait_result"},
        {"https://w/api/w/main/jobs/run_and_stream/p/u/a/b", "run_and_stream"},
        {"https://user:pass@w/api/w/main/jobs/run/p/u/a/b", "user or password"},
        {"https://w/api/w/main/jobs/run/p/u/a/b?token=x", "token"},
        {"https://w/api/w/main/jobs/run/p/u/a/b?job_id=x", "job_id"},
        {"https://w/api/w/main/jobs/run/p/u/a/b?wrap_body=true", "wrap"},
        {"https://w/api/w/main/jobs/run/p/u/a/b#x", "fragment"},
        {"https://w/api/w/main/jobs/run/p/a", "path"},
        {"https://w/api/w/main/jobs/run/p", "path"},
        {"https://w/api/w/main/jobs/run/h/12", "hash"},
        {"https://w/api/w/main/jobs/run/fv/x", "number"},
        {"https://w/api/w/main/jobs/run/q/x", "p, f, h or fv"},
        {"https://w/api/w/ma%20in/jobs/run/p/u/a/b", "workspace"},
        {"https://w/api/w/main", "jobs/run"},
        {"https://w/", "run URL"},
    };
    for (const auto& [url, hint] : rows) {
        const auto runnable = parse_run_url(url);
        BOOST_TEST(!runnable, url);
        if (!runnable) BOOST_TEST(runnable.error().message.find(hint) != std::string::npos, runnable.error().message);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge::windmill
