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

}  // namespace

int run_test(const Args& args) {
    auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    Complaints complaints;
    const auto plan = make_plan(std::move(*settings), {}, complaints);
    if (!complaints.empty()) {
        for (const auto& line : complaints.lines()) std::cerr << line << "\n";
        return kConfiguration;
    }
    const auto recipe = plan->recipes.find({args.word(0)});
    if (recipe == plan->recipes.end())
        return fail({Error::Kind::NotFound, "no target `" + args.word(0) + "` is configured"});
    const auto steps = run_steps(*recipe->second, settings->ca_file);
    print(steps, args.json());
    for (const auto& step : steps)
        if (step.verdict == TestStep::Verdict::Failed) return kFailed;
    return kOk;
}

}  // namespace orbridge::cli
