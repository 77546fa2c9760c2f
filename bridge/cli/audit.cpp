#include <iostream>

#include "bridge/cli/api.h"

namespace orbridge::cli {

int run_audit(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    const auto answer =
        api.get("/api/v1/audit" + query_of(args, {"who", "what", "subject", "since", "until", "limit"}));
    if (!answer) return fail(answer.error());
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
        return kOk;
    }
    std::vector<std::vector<std::string>> rows = {{"AT", "WHO", "WHAT", "SUBJECT", "DETAIL"}};
    for (const auto& member : (*answer)->root()["audit"].members()) {
        const auto& row = member.value;
        rows.push_back({text_of(row, "at"), text_of(row, "who"), text_of(row, "what"), text_of(row, "subject"),
                        std::string(row["detail"].raw())});
    }
    std::cout << table(rows);
    return kOk;
}

}  // namespace orbridge::cli
