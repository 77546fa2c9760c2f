#include <algorithm>
#include <iostream>
#include <thread>

#include "bridge/cli/api.h"
#include "bridge/core/text.h"
#include "bridge/deliver/curl_transport.h"
#include "bridge/plan.h"

namespace orbridge::cli {
namespace {

const char* verdict_text(TestStep::Verdict verdict) {
    switch (verdict) {
        case TestStep::Verdict::Ok: return "ok";
        case TestStep::Verdict::Warning: return "warning";
        case TestStep::Verdict::Failed: return "FAILED";
        case TestStep::Verdict::Skipped: return "skipped";
    }
    return "";
}

/// A transport with a thread that drives it, for recipes that send and wait.
std::vector<TestStep> run_steps(const Recipe& recipe, const std::string& ca_file) {
    CurlSettings curl;
    curl.ca_file = ca_file;
    CurlTransport transport(std::move(curl));
    std::jthread driver([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) transport.poll(seconds{1});
    });
    auto steps = recipe.test(transport);
    driver.request_stop();
    transport.wake();
    return steps;
}

bool any_failed(const std::vector<TestStep>& steps) {
    return std::any_of(steps.begin(), steps.end(),
                       [](const TestStep& step) { return step.verdict == TestStep::Verdict::Failed; });
}

void print(const std::vector<TestStep>& steps, bool as_json) {
    if (!as_json) {
        std::vector<std::vector<std::string>> rows;
        rows.reserve(steps.size());
        for (const auto& step : steps) rows.push_back({verdict_text(step.verdict), step.name, step.detail});
        std::cout << table(rows);
        return;
    }
    JsonWriter json;
    json.array();
    for (const auto& step : steps) {
        json.object()
            .member("step", step.name)
            .member("verdict", to_lower(verdict_text(step.verdict)))
            .member("detail", step.detail)
            .end();
    }
    json.end();
    std::cout << json.text() << "\n";
}

/// Stored credentials are in the running bridge's hands.
int test_there(const Args& args, const Settings& settings) {
    const auto answer = ApiClient(settings).post("/api/v1/targets/" + percent_encode(args.word(0)) + "/test", "{}");
    if (!answer) return fail(answer.error());
    std::vector<TestStep> steps;
    for (const auto& each : (*answer)->root()["steps"].members()) {
        const auto verdict = text_of(each.value, "verdict");
        const auto known = verdict == "ok"        ? TestStep::Verdict::Ok
                           : verdict == "warning" ? TestStep::Verdict::Warning
                           : verdict == "skipped" ? TestStep::Verdict::Skipped
                                                  : TestStep::Verdict::Failed;
        steps.push_back({text_of(each.value, "step"), known, text_of(each.value, "detail")});
    }
    print(steps, args.json());
    return any_failed(steps) ? kFailed : kOk;
}

}  // namespace

int run_test(const Args& args) {
    Complaints complaints;
    auto settings = load_settings(args, complaints);
    if (!settings) return kConfiguration;
    const auto plan = make_plan(std::move(*settings), {}, complaints);
    if (!complaints.empty()) {
        for (const auto& line : complaints.lines()) std::cerr << line << "\n";
        return kConfiguration;
    }
    const auto recipe = plan->recipes.find({args.word(0)});
    if (recipe == plan->recipes.end())
        return fail({Error::Kind::NotFound, "no target `" + args.word(0) + "` is configured"});
    if (recipe->second->has_stored_credentials()) return test_there(args, plan->settings);
    const auto steps = run_steps(*recipe->second, plan->settings.ca_file);
    print(steps, args.json());
    return any_failed(steps) ? kFailed : kOk;
}

}  // namespace orbridge::cli
