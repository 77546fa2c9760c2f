#include <iostream>

#include "bridge/cli/api.h"

namespace orbridge::cli {

int run_runs(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    const auto answer = ApiClient(*settings).get(
        "/api/v1/runs" + query_of(args, {"target", "task", "delivery", "success", "since", "until", "limit"}));
    if (!answer) return fail(answer.error());
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
        return kOk;
    }
    std::vector<std::vector<std::string>> rows = {
        {"AT", "TARGET", "TASK", "STEP", "BY", "RESULT", "SECONDS", "MESSAGE", "PARAMS"}};
    for (const auto& member : (*answer)->root()["runs"].members()) {
        const auto& run = member.value;
        const bool success = run["success"].boolean().value_or(false);
        rows.push_back({text_of(run, "at"), text_of(run, "target"), text_of(run, "task"), text_of(run, "step"),
                        text_of(run, "who"), success ? "ok" : "FAILED", text_of(run, "seconds"),
                        text_of(run, "message"), std::string(run["params"].raw())});
    }
    std::cout << table(rows);
    return kOk;
}

}  // namespace orbridge::cli
