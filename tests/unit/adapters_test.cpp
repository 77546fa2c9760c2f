#include <cstdlib>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "adapters/http/recipe.h"
#include "adapters/http/sigv4.h"
#include "adapters/registry.h"
#include "bridge/adapt/loader.h"
#include "bridge/adapt/template.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using http_tasks::TaskRecipe;

const std::string kAdapters = ORBRIDGE_ROOT "/adapters";

Scope scope_of(const std::string& params) {
    Scope scope;
    BOOST_REQUIRE(scope.set("params", params));
    return scope;
}

/// A folder of its own, gone with it.
class TemporaryFolder {
public:
    TemporaryFolder() {
        auto name = (fs::temp_directory_path() / "orbridge-adapters-XXXXXX").string();
        BOOST_REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

std::string rendered(const std::string& text, const Scope& scope, Encoding encoding) {
    const auto parsed = ValueTemplate::parse(text);
    BOOST_REQUIRE_MESSAGE(parsed, text);
    const auto made = parsed->text(scope, encoding);
    return made ? *made : "! " + made.error().message;
}

std::string rendered_json(const std::string& yaml, const std::string& params) {
    Complaints complaints;
    const auto node = ConfigNode::parse(yaml, "t.yaml", complaints);
    KnownNames known;
    known.add("params", true);
    const auto tree = read_tree(node, known);
    BOOST_REQUIRE(complaints.empty());
    return render(tree, scope_of(params));
}

Adapters shipped() {
    Complaints complaints;
    auto all = load_adapters({kAdapters}, complaints);
    for (const auto& line : complaints.lines()) BOOST_TEST_MESSAGE(line);
    BOOST_REQUIRE(complaints.empty());
    return all;
}

/// A target of the configuration, made as the daemon makes it.
struct Made {
    Complaints complaints;
    std::unique_ptr<Recipe> recipe;
    const TaskRecipe& tasks() const { return dynamic_cast<const TaskRecipe&>(*recipe); }
};

std::unique_ptr<Made> make(const std::string& yaml, const AdapterHooks& hooks = {}) {
    auto made = std::make_unique<Made>();
    const auto root = ConfigNode::parse(yaml, "orbridge.yaml", made->complaints);
    auto policy = OutboundPolicy::make({});
    AdapterBox box{shipped(), std::make_shared<const OutboundPolicy>(std::move(*policy))};
    TargetSettings target{.id = {"there"}, .adapter = root.text("adapter"), .node = root};
    RouteSettings route;
    route.name = "r";
    route.to = {{"there"}};
    auto with_clock = hooks;
    with_clock.now = [] { return *from_iso8601("2013-05-24T00:00:00Z"); };
    made->recipe = make_recipe(target, {route}, box, with_clock);
    return made;
}

Delivery delivery_of(const std::string& payload) {
    Delivery delivery;
    delivery.id = {"0190-d"};
    delivery.target = {"there"};
    delivery.event.id = {"0190-e"};
    delivery.event.channel = "Object";
    delivery.event.event_name = "created:zaken:aanvraag:7f";
    delivery.event.payload = payload;
    return delivery;
}

std::string text_of(const HttpRequest& request) {
    std::string text = request.method + ' ' + request.url + '\n';
    for (const auto& header : request.headers) text += header.name + ": " + header.value + '\n';
    return text + '\n' + request.body;
}

std::string written(const Made& made, const std::string& payload = "{}") {
    for (const auto& line : made.complaints.lines()) BOOST_TEST_MESSAGE(line);
    BOOST_REQUIRE(made.complaints.empty());
    const auto request = made.recipe->request_for(delivery_of(payload), "r");
    return request ? text_of(*request) : "! " + request.error().message;
}

Outcome answered(const Made& made, int status, const std::string& body, Headers headers = {}) {
    HttpResponse response;
    response.status = status;
    response.body = body;
    response.headers = std::move(headers);
    return made.recipe->outcome_on(delivery_of("{}"), "r", response);
}

bool is_delivered(const Outcome& outcome) { return std::holds_alternative<Delivered>(outcome); }
bool is_rejected(const Outcome& outcome) { return std::holds_alternative<Rejected>(outcome); }
bool is_retry(const Outcome& outcome, Retry::Why why) {
    const auto* retry = std::get_if<Retry>(&outcome);
    return retry != nullptr && retry->why == why;
}
std::string reason_of(const Outcome& outcome) {
    if (const auto* rejected = std::get_if<Rejected>(&outcome)) return rejected->reason;
    if (const auto* retry = std::get_if<Retry>(&outcome)) return retry->reason;
    return {};
}

/// Answers with what it is told to, and keeps what it was asked.
class Answering final : public Transport {
public:
    void send(HttpRequest request, Done done) override {
        seen.push_back(std::move(request));
        if (answers.empty())
            return done({TransportFailure{TransportFailure::Reached::NothingSent, false, "refused"}, {}});
        auto answer = answers.front();
        answers.erase(answers.begin());
        done({std::move(answer), {}});
    }
    void poll(milliseconds) override {}
    void wake() override {}
    void stop() override {}
    std::vector<Exchange> answers;
    std::vector<HttpRequest> seen;
};

HttpResponse answer(int status, const std::string& body) {
    HttpResponse response;
    response.status = status;
    response.body = body;
    return response;
}

constexpr const char* kNasty =
    R"({"v":"a/b?c=d&é\"\r\nX: y","empty":"","up":"..","n":5,"b":true,"list":[1,2],"o":{"k":null}})";

}  // namespace

BOOST_AUTO_TEST_SUITE(adapters)

BOOST_AUTO_TEST_CASE(I6_a_value_stays_one_value_wherever_it_stands) {
    const auto scope = scope_of(kNasty);
    BOOST_TEST(rendered("/x/{{params.v}}", scope, Encoding::Path) == "/x/a%2Fb%3Fc%3Dd%26%C3%A9%22%0D%0AX%3A%20y");
    BOOST_TEST(rendered("{{params.v}}", scope, Encoding::Query) == "a%2Fb%3Fc%3Dd%26%C3%A9%22%0D%0AX%3A%20y");
    BOOST_TEST(rendered("{{params.v}}", scope, Encoding::Header) == "a/b?c=d&é\" X: y");
    BOOST_TEST(rendered_json("{t: \"<{{params.v}}>\"}", kNasty) == "{\"t\":\"<a/b?c=d&é\\\"\\r\\nX: y>\"}");
    BOOST_TEST(rendered("/r/{{params.v | segments}}", scope, Encoding::Path) ==
               "/r/a/b%3Fc%3Dd%26%C3%A9%22%0D%0AX%3A%20y");
}

BOOST_AUTO_TEST_CASE(I6_no_value_leads_up_or_to_the_whole_collection) {
    const auto scope = scope_of(kNasty);
    for (const auto* path :
         {"/x/{{params.empty}}", "/x/{{params.up}}", "/x/{{params.up | segments}}", "/x/{{params.nope}}"})
        BOOST_TEST(rendered(path, scope, Encoding::Path).starts_with("! "));
}

BOOST_AUTO_TEST_CASE(I7_one_whole_variable_keeps_its_type) {
    BOOST_TEST(rendered_json(R"({n: "{{params.n}}", b: "{{ params.b }}", l: "{{params.list}}", o: "{{params.o}}"})",
                             kNasty) == R"({"n":5,"b":true,"l":[1,2],"o":{"k":null}})");
    BOOST_TEST(rendered_json(R"({t: "{{params.n | text}}", u: "n={{params.n}}", gone: "{{params.nope}}", one: 1})",
                             kNasty) == R"({"t":"5","u":"n=5","one":1})");
}

BOOST_AUTO_TEST_CASE(filters_change_texts) {
    const auto scope = scope_of(R"({"t":" aB "})");
    BOOST_TEST(rendered("{{params.t | trim | upper}}", scope, Encoding::None) == "AB");
    BOOST_TEST(rendered("{{params.t | lower}}", scope, Encoding::None) == " ab ");
    BOOST_TEST(rendered("{{params.t | base64}}", scope, Encoding::None) == "IGFCIA==");
    BOOST_TEST(!ValueTemplate::parse("{{params.t | shout}}"));
    BOOST_TEST(!ValueTemplate::parse("{{params.t"));
    BOOST_TEST(!ValueTemplate::parse("{{}}"));
    BOOST_TEST(!ValueTemplate::parse("{{a b}}"));
}

BOOST_AUTO_TEST_CASE(I2_faulty_files_are_left_out_with_their_places_and_the_others_load) {
    const TemporaryFolder folder;
    const auto put = [&](const std::string& name, const std::string& text) {
        std::ofstream((fs::path(folder.path()) / name).string()) << text;
    };
    const std::string test = "test: { request: { method: GET, path: /me } }\n";
    const std::string head = "kind: http\nbase_url: https://a.example\n";
    const std::string tasks = "tasks: { go: { request: { method: GET, path: /go } } }\n";
    put("a.yaml", "name: good\n" + head + test + tasks);
    put("b.yaml", "name: [unclosed\n");
    put("c.yaml", "name: untested\n" + head + tasks);
    put("d.yaml",
        "name: typed\n" + head + test +
            "tasks:\n  go:\n    params:\n      - { name: x, type: colour }\n    request: { method: GET, path: /go }\n");
    put("e.yaml", "name: unknown\n" + head + test +
                      "tasks: { go: { request: { method: GET, path: \"/{{credentials.nope}}\" } } }\n");
    put("f.yaml", "name: good\n" + head + test + tasks);
    Complaints complaints;
    const auto all = load_adapters({folder.path()}, complaints);
    BOOST_TEST(all.size() == 1U);
    const auto lines = complaints.lines();
    BOOST_REQUIRE(lines.size() == 5U);
    const auto says = [&](std::size_t i, const std::string& file, const std::string& what) {
        BOOST_TEST_MESSAGE(lines[i]);
        BOOST_TEST(lines[i].find(file + ":") != std::string::npos);
        BOOST_TEST(lines[i].find(what) != std::string::npos);
    };
    says(0, "b.yaml", "not valid YAML");
    says(1, "c.yaml", "test: missing");
    says(2, "d.yaml:8:26", "colour");
    says(3, "e.yaml:5:46", "no variable `credentials.nope`");
    says(4, "f.yaml:1:7", "has this name");
}

BOOST_AUTO_TEST_CASE(I1_the_shipped_adapters_load) {
    const auto all = shipped();
    for (const auto* name :
         {"slack", "github", "jira", "teams", "sendgrid", "s3", "http", "openregister", "postgresql", "smtp"})
        BOOST_TEST(all.count(name) == 1U, name);
    for (const auto& [name, adapter] : all)
        if (!adapter->is_native()) BOOST_TEST(!adapter->test.steps.empty());
}

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

BOOST_AUTO_TEST_CASE(of_two_adapters_of_one_name_the_config_tells_which) {
    const auto native =
        make(R"({adapter: windmill, url: "https://w.example/api/w/main/jobs/run/p/f/a/b", token: S3CR3T-wm})");
    BOOST_TEST(native->complaints.empty());
    BOOST_TEST(dynamic_cast<const TaskRecipe*>(native->recipe.get()) == nullptr);
    const auto names = adapter_names(shipped());
    BOOST_TEST(std::count(names.begin(), names.end(), "windmill") == 1);
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

BOOST_AUTO_TEST_CASE(I9_s3_signs_as_the_published_vectors_do) {
    const http_tasks::AwsKeys keys{"AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
                                   "us-east-1", "s3"};
    const auto now = *from_iso8601("2013-05-24T00:00:00Z");
    HttpRequest get{.method = "GET", .url = "https://examplebucket.s3.amazonaws.com/test.txt"};
    get.headers = {{"Range", "bytes=0-9"}};
    sign_aws(get, keys, now);
    BOOST_TEST(find_header(get.headers, "Authorization")
                   ->ends_with("SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature="
                               "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
    HttpRequest put{.method = "PUT", .url = "https://examplebucket.s3.amazonaws.com/test%24file.text"};
    put.body = "Welcome to Amazon S3.";
    put.headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
    sign_aws(put, keys, now);
    BOOST_TEST(find_header(put.headers, "Authorization")
                   ->ends_with("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

BOOST_AUTO_TEST_CASE(I9_one_byte_changed_of_body_header_or_key_is_another_signature) {
    const auto signature = [](const std::string& body, const std::string& storage, const std::string& key) {
        HttpRequest put{.method = "PUT", .url = "https://examplebucket.s3.amazonaws.com/test%24file.text"};
        put.body = body;
        put.headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", storage}};
        http_tasks::sign_aws(put, {"AKIAIOSFODNN7EXAMPLE", Secret(key), "us-east-1", "s3"},
                             *from_iso8601("2013-05-24T00:00:00Z"));
        const auto* shown = find_header(put.headers, "Authorization");
        return shown->substr(shown->size() - 64);
    };
    const std::string body = "Welcome to Amazon S3.", storage = "REDUCED_REDUNDANCY",
                      key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    std::set<std::string> seen = {signature(body, storage, key)};
    BOOST_TEST(seen.count("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd") == 1U);
    const auto changed = [](std::string text, std::size_t at) {
        text[at] = static_cast<char>(text[at] ^ 1);
        return text;
    };
    for (std::size_t i = 0; i < body.size(); ++i) seen.insert(signature(changed(body, i), storage, key));
    for (std::size_t i = 0; i < storage.size(); ++i) seen.insert(signature(body, changed(storage, i), key));
    for (std::size_t i = 0; i < key.size(); ++i) seen.insert(signature(body, storage, changed(key, i)));
    BOOST_TEST(seen.size() == 1 + body.size() + storage.size() + key.size());
}

BOOST_AUTO_TEST_CASE(K9_the_error_of_a_wrong_address_shows_no_secret_in_it) {
    AdapterHooks hooks;
    hooks.credentials.values = [](const CredentialName&) -> Result<HeldCredential> {
        HeldCredential held;
        held.values = Secret(R"({"webhook_url":"https://S3CR3T host/S3CR3T-path"})");
        return held;
    };
    const auto made = make("{adapter: slack, credentials: team, task: send_message, params: {text: Hi}}", hooks);
    BOOST_TEST(written(*made) == "! `***` is no http or https URL");
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

BOOST_AUTO_TEST_CASE(K11_an_event_is_delivered_with_what_its_register_has_or_the_targets_owner) {
    std::vector<std::string> asked;
    AdapterHooks hooks;
    hooks.credentials.values = [&asked](const CredentialName& which) -> Result<HeldCredential> {
        asked.push_back(which.adapter + ' ' + which.name + ' ' + which.scope);
        HeldCredential held;
        held.values = Secret(R"({"bot_token":"S3CR3T"})");
        return held;
    };
    const std::string team = "{adapter: slack, credentials: team, task: send_message, params: {text: Hi, channel: C}";
    const auto own = make(team + "}", hooks);
    auto delivery = delivery_of("{}");
    for (const auto* subject : {"object:3/12/7f", "object:", "object:3", "object:a b/1/2", "issue:1/2", ""}) {
        delivery.event.subject = subject;
        BOOST_TEST(own->recipe->request_for(delivery, "r").has_value());
    }
    BOOST_TEST((asked == std::vector<std::string>{"slack team register:3", "slack team global", "slack team global",
                                                  "slack team global", "slack team global", "slack team global"}));
    asked.clear();
    const auto owned = make(team + ", owner: 'workspace:main'}", hooks);
    delivery.event.subject = "object:3/12/7f";
    BOOST_TEST(owned->recipe->request_for(delivery, "r").has_value());
    BOOST_TEST((asked == std::vector<std::string>{"slack team workspace:main"}));
    BOOST_TEST(make(team + ", owner: everybody}", hooks)->complaints.lines().size() == 1U);
    BOOST_TEST(
        make("{adapter: slack, credentials: {bot_token: x}, owner: global, task: send_message, params: {text: Hi}}",
             hooks)
            ->complaints.lines()
            .size() == 1U);
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

BOOST_AUTO_TEST_CASE(T1_a_route_overrides_task_and_params_and_mistakes_are_found_at_load) {
    const auto lines = [](const std::string& yaml) {
        const auto made = make(yaml);
        return join(made->complaints.lines(), "\n");
    };
    BOOST_TEST(
        lines("{adapter: github, credentials: {token: t0k}, task: creat_issue}").find("has no task `creat_issue`") !=
        std::string::npos);
    BOOST_TEST(lines("{adapter: github, credentials: {token: t0k}, task: create_issue, params: {repo: a/b}}")
                   .find("needs `title`") != std::string::npos);
    BOOST_TEST(
        lines(
            "{adapter: github, credentials: {token: t0k}, task: create_issue, params: {repo: a/b, title: x, nope: 1}}")
            .find("no parameter `nope`") != std::string::npos);
    BOOST_TEST(lines("{adapter: github, credentials: {token: t0k}, task: create_issue, params: {repo: a/b, title: "
                     "\"{{event.paylod.x}}\"}}")
                   .find("no variable `event.paylod.x`") != std::string::npos);
    BOOST_TEST(lines("{adapter: github, task: create_issue, params: {repo: a/b, title: x}}").find("token: missing") !=
               std::string::npos);
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

BOOST_AUTO_TEST_CASE(K9_what_makes_an_address_secret_is_hidden_by_itself_too_and_its_host_is_not) {
    const auto made = make(
        R"({adapter: teams, credentials: {webhook_url: "https://hook-user:S3CR3T-pass@services.example/workflows/S3CR3T-path?sig=S3CR3T%2Fsig&v=1"},
        task: send_simple_message, params: {text: Hi}})");
    for (const auto* part : {"S3CR3T-pass", "S3CR3T-path", "S3CR3T%2Fsig", "S3CR3T/sig"})
        BOOST_TEST(made->recipe->shown(std::string("no ") + part + " here") == "no *** here", part);
    for (const auto* part : {"services.example", "workflows", "v=1"})
        BOOST_TEST(made->recipe->shown(std::string("no ") + part) == std::string("no ") + part);
}

BOOST_AUTO_TEST_CASE(K9_no_way_of_escaping_a_secret_shows_what_of_it_needs_none) {
    const auto made = make(
        R"({adapter: sendgrid, credentials: {api_key: "S3CR3T-begin \"é/+S3CR3T-end"}, task: send_email,
        params: {to: a@b.example, from: c@d.example, subject: S, body: B}})");
    for (const auto* said : {"S3CR3T-begin+%22%c3%a9%2f%2bS3CR3T-end", R"(S3CR3T-begin \"\u00e9\/+S3CR3T-end)",
                             "S3CR3T-begin &quot;&eacute;/+S3CR3T-end"})
        BOOST_TEST(made->recipe->shown(said).find("S3CR3T") == std::string::npos, made->recipe->shown(said));
}

BOOST_AUTO_TEST_CASE(K9_half_a_secret_is_hidden_where_an_answer_was_cut) {
    const auto made = make(R"({adapter: sendgrid, credentials: {api_key: S3CR3T-whole}, task: send_email,
        params: {to: a@b.example, from: c@d.example, subject: S, body: B}})");
    for (std::size_t before = 150; before < 220; ++before) {
        const auto reason = reason_of(answered(*made, 400, std::string(before, 'x') + " S3CR3T-whole and more"));
        BOOST_TEST(reason.find("S3CR") == std::string::npos, reason);
    }
    BOOST_TEST(made->recipe->shown("cut in S3CR3T-wh") == "cut in ***");
    BOOST_TEST(made->recipe->shown("cut in S3C") == "cut in S3C");
}

BOOST_AUTO_TEST_CASE(K9_nothing_that_is_kept_or_shown_holds_a_secret) {
    const auto made = make(R"({adapter: jira, config: {url: "https://acme.atlassian.net"}, task: create_issue,
        credentials: {email: a@b.example, api_token: "S3CR3T-\"x"}, params: {project: zak, summary: S}})");
    const std::string secret = "S3CR3T-\"x";
    for (const auto& form :
         {secret, percent_encode(secret), to_base64(secret), to_base64("a@b.example:" + secret), json_string(secret)}) {
        const auto outcome = answered(*made, 400, "you said " + form);
        BOOST_TEST(reason_of(outcome).find(form) == std::string::npos);
        BOOST_TEST(reason_of(outcome).find("***") != std::string::npos);
        const auto kept = made->recipe->shown("you said " + form);
        BOOST_TEST(kept.find("S3CR3T") == std::string::npos);
        BOOST_TEST(kept.find("***") != std::string::npos);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
