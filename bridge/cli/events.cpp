#include <iostream>

#include "bridge/cli/api.h"

namespace orbridge::cli {
namespace {

int show_event(ApiClient& api, const Args& args) {
    const auto answer = api.get("/api/v1/events/" + percent_encode(args.get("show")));
    if (!answer) return fail(answer.error());
    std::cout << (*answer)->text() << "\n";
    return kOk;
}

}  // namespace

int run_events(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    if (args.has("show")) return show_event(api, args);
    const auto query = query_of(args, {"source", "channel", "subject", "state", "since", "until", "limit"});
    const auto answer = api.get("/api/v1/events" + query);
    if (!answer) return fail(answer.error());
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
        return kOk;
    }
    std::vector<std::vector<std::string>> rows = {{"RECEIVED", "EVENT", "SOURCE", "INTAKE", "CHANNEL", "NAME"}};
    for (const auto& member : (*answer)->root()["events"].members()) {
        const auto& row = member.value;
        const bool mapped = text_of(row, "state") == "mapped";
        rows.push_back({text_of(row, "received_at"), text_of(row, "id"), text_of(row, "source"),
                        text_of(row, "intake") + (row["backfilled"] ? " (backfilled)" : ""),
                        mapped ? text_of(row, "channel") : "(" + text_of(row, "state") + ")",
                        mapped ? text_of(row, "event_name") : text_of(row, "class")});
    }
    std::cout << table(rows);
    return kOk;
}

}  // namespace orbridge::cli
