#include <iostream>

#include "bridge/cli/api.h"

namespace orbridge::cli {
namespace {

std::string state_of(const Json& row) {
    auto state = text_of(row, "state");
    if (state != "pending") return state;
    if (text_of(row, "in_flight") == "true") return "in flight";
    return text_of(row, "waiting_for_order") == "true" ? "pending (waits for its turn)" : "pending";
}

int show_delivery(ApiClient& api, const Args& args) {
    const auto answer = api.get("/api/v1/deliveries/" + percent_encode(args.get("show")));
    if (!answer) return fail(answer.error());
    std::cout << (*answer)->text() << "\n";
    return kOk;
}

}  // namespace

int run_deliveries(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    if (args.has("show")) return show_delivery(api, args);
    const auto answer =
        api.get("/api/v1/deliveries" + query_of(args, {"target", "event", "state", "since", "until", "limit"}));
    if (!answer) return fail(answer.error());
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
        return kOk;
    }
    std::vector<std::vector<std::string>> rows = {
        {"CREATED", "DELIVERY", "TARGET", "EVENT NAME", "TRIES", "STATE", "REASON"}};
    for (const auto& member : (*answer)->root()["deliveries"].members()) {
        const auto& row = member.value;
        rows.push_back({text_of(row, "created_at"), text_of(row, "id"), text_of(row, "target"),
                        text_of(row, "event_name"), text_of(row, "attempts"), state_of(row), text_of(row, "reason")});
    }
    std::cout << table(rows);
    return kOk;
}

}  // namespace orbridge::cli
