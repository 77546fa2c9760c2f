#include <iostream>

#include "bridge/cli/api.h"
#include "bridge/plan.h"

namespace orbridge::cli {

int run_check(const Args& args) {
    Complaints complaints;
    const auto file = config_file(args);
    auto settings = read_settings(ConfigNode::load(file, complaints), complaints);
    const auto sources = settings.sources.size(), targets = settings.targets.size(), routes = settings.routes.size();
    const auto plan = make_plan(std::move(settings), {}, complaints);
    for (const auto& line : plan->adapter_faults) std::cerr << line << " (this adapter is left out)\n";
    if (args.json()) {
        JsonWriter json;
        json.object().member("ok", complaints.empty()).key("complaints").array();
        for (const auto& line : complaints.lines()) json.value(line);
        json.end().end();
        std::cout << json.text() << "\n";
    } else if (complaints.empty()) {
        std::cout << file << ": ok (" << sources << " sources, " << targets << " targets, " << routes << " routes)\n";
    } else {
        for (const auto& line : complaints.lines()) std::cout << line << "\n";
    }
    return complaints.empty() ? kOk : kConfiguration;
}

}  // namespace orbridge::cli
