#include <boost/test/unit_test.hpp>
#include <map>

#include "adapters/windmill/check.h"

namespace orbridge::windmill {
namespace {

using Verdict = TestStep::Verdict;

/// Answers each path from a table, at once; what is not in it cannot be reached.
class AnsweringTransport final : public Transport {
public:
    std::map<std::string, HttpResponse> answers;
    std::vector<std::string> asked;

    void send(HttpRequest request, Done done) override {
        const auto path = request.method + ' ' + request.url.substr(request.url.find("/api") + 4);
        asked.push_back(path);
        const auto found = answers.find(path);
        if (found != answers.end()) return done({found->second, {}});
        done({TransportFailure{TransportFailure::Reached::NothingSent, false, "connection refused"}, {}});
    }
    void poll(milliseconds) override {}
    void wake() override {}
    void stop() override {}
};

struct Rig {
    Rig() {
        say("GET /version", 200, "CE v1.743.0");
        say("GET /health/status", 200, R"({"status":"healthy","database_healthy":true})");
        say("GET /w/main/users/whoami", 200, R"({"username":"bridge","is_admin":false})");
        say("HEAD /w/main/jobs/run/p/u/x/x", 200);
        say("GET /w/main/scripts/exists/p/f/a/b", 200, "true");
        say("GET /w/main/scripts/get/p/f/a/b", 200, R"({"schema":{"properties":{"body":{}}}})");
        settings.runnable = *parse_run_url("https://w.example.org/api/w/main/jobs/run/p/f/a/b");
        settings.token = Secret("t0ken");
    }
    void say(const std::string& path, int status, const std::string& body = {}) {
        transport.answers[path] = {.status = status, .headers = {}, .body = body};
    }
    TestStep step(const std::string& name) {
        for (auto& one : check_target(settings, transport))
            if (one.name == name) return one;
        return {name, Verdict::Skipped, "no such step"};
    }

    AnsweringTransport transport;
    WindmillSettings settings;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(windmill_check)

BOOST_AUTO_TEST_CASE(a_target_that_is_well_passes_every_step_and_nothing_is_started) {
    Rig rig;
    const auto steps = check_target(rig.settings, rig.transport);
    BOOST_TEST(steps.size() == 6u);
    for (const auto& step : steps) BOOST_TEST((step.verdict == Verdict::Ok), step.name << ": " << step.detail);
    for (const auto& asked : rig.transport.asked) BOOST_TEST(!asked.starts_with("POST"), asked);
}

BOOST_AUTO_TEST_CASE(each_answer_is_read_as_what_it_means) {
    struct Row {
        const char* path;
        int status;
        const char* body;
        const char* step;
        Verdict verdict;
        const char* hint;
    };
    const Row rows[] = {
        {"GET /version", 200, "<!doctype html><html>", "reachable", Verdict::Failed, "before /api is wrong"},
        {"GET /version", 404, "", "reachable", Verdict::Failed, "not Windmill"},
        {"GET /health/status", 404, "", "health", Verdict::Skipped, "older"},
        {"GET /health/status", 503, "", "health", Verdict::Warning, "database"},
        {"GET /health/status", 200, R"({"status":"degraded"})", "health", Verdict::Warning, "worker"},
        {"GET /w/main/users/whoami", 401, "Not authorized: Unauthorized", "token", Verdict::Failed,
         "unknown or expired"},
        {"GET /w/main/users/whoami", 403, "Required scope: users:read", "token", Verdict::Ok, "scopes"},
        {"GET /w/main/users/whoami", 200, R"({"username":"root","is_admin":true})", "token", Verdict::Warning, "admin"},
        {"HEAD /w/main/jobs/run/p/u/x/x", 403, "", "may run", Verdict::Failed, "jobs:run:scripts:f/a/b"},
        {"GET /w/main/scripts/exists/p/f/a/b", 200, "false", "exists", Verdict::Failed, "f/a/b"},
        {"GET /w/main/scripts/exists/p/f/a/b", 403, "", "exists", Verdict::Skipped, "scope"},
        {"GET /w/main/scripts/get/p/f/a/b", 200, R"({"schema":{"properties":{"event":{}}}})", "arguments",
         Verdict::Warning, "`body`"},
        {"GET /w/main/scripts/get/p/f/a/b", 200, R"({"has_preprocessor":true,"schema":null})", "arguments", Verdict::Ok,
         "preprocessor"},
        {"GET /w/main/scripts/get/p/f/a/b", 403, "", "arguments", Verdict::Skipped, "403"},
    };
    for (const auto& row : rows) {
        Rig rig;
        rig.say(row.path, row.status, row.body);
        const auto step = rig.step(row.step);
        BOOST_TEST((step.verdict == row.verdict), row.path << " " << row.status << ": " << step.detail);
        BOOST_TEST(step.detail.find(row.hint) != std::string::npos, step.detail);
    }
}

BOOST_AUTO_TEST_CASE(after_a_failure_that_explains_all_nothing_more_is_asked) {
    Rig rig;
    rig.transport.answers.clear();
    const auto steps = check_target(rig.settings, rig.transport);
    BOOST_TEST(steps.size() == 1u);
    BOOST_TEST(steps.at(0).detail.find("connection refused") != std::string::npos);
    Rig other;
    other.say("GET /w/main/users/whoami", 401);
    BOOST_TEST(check_target(other.settings, other.transport).size() == 3u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge::windmill
