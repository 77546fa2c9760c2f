#include <iostream>

#include "bridge/cli/api.h"

namespace orbridge::cli {

int run_task(const Args& args) {
    if (args.word(0) != "run") {
        std::cerr << "orbridge task: expected run <target> <task>\n";
        return kConfiguration;
    }
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    const auto params = args.get("params", "{}");
    if (const auto document = JsonDocument::parse(params); !document || !(*document)->root().is_object()) {
        std::cerr << "orbridge task: --params: expected a JSON object\n";
        return kConfiguration;
    }
    const auto path = "/api/v1/targets/" + percent_encode(args.word(1)) + "/tasks/" + percent_encode(args.word(2));
    const auto answer = ApiClient(*settings).post(path, params);
    if (!answer) return fail(answer.error());
    const auto result = (*answer)->root();
    const bool success = result["success"].boolean().value_or(false);
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
    } else {
        for (const auto& step : result["steps"].members()) {
            std::cout << text_of(step.value, "task") << ": " << text_of(step.value, "message") << " ("
                      << text_of(step.value, "seconds") << " s)\n";
        }
        std::cout << (success ? "" : "FAILED: ") << text_of(result, "message") << "\n";
        if (result["data"].present()) std::cout << result["data"].raw() << "\n";
    }
    return success ? kOk : kFailed;
}

}  // namespace orbridge::cli
