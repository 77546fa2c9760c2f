#include <iostream>

#include "bridge/cli/api.h"

namespace orbridge::cli {
namespace {

/// `create_issue `, or `step ticket, create_issue `.
std::string what_was_run(const Json& attempt) {
    if (!attempt["task"]) return {};
    const auto step = attempt["step"] ? "step " + text_of(attempt, "step") + ", " : std::string();
    return step + text_of(attempt, "task") + ' ';
}

void print_delivery(const Json& delivery) {
    std::cout << "  → " << text_of(delivery, "target") << ": " << text_of(delivery, "explanation") << "\n";
    for (const auto& member : delivery["attempts_made"].members()) {
        const auto& attempt = member.value;
        std::cout << "      attempt " << text_of(attempt, "number") << " at " << text_of(attempt, "started_at") << ": "
                  << what_was_run(attempt) << text_of(attempt, "outcome");
        if (attempt["status"]) std::cout << ", HTTP " << text_of(attempt, "status");
        std::cout << ", " << text_of(attempt, "duration_ms") << " ms";
        if (attempt["reason"]) std::cout << ": " << text_of(attempt, "reason");
        if (attempt["message"]) std::cout << ": " << text_of(attempt, "message");
        std::cout << "\n";
    }
    if (const auto job = delivery["job"]; job.is_object()) {
        std::cout << "      job " << text_of(job, "job") << ": " << text_of(job, "state") << " "
                  << text_of(job, "result") << "\n";
    }
}

void print_explanation(const Json& answer) {
    const auto event = answer["event"];
    std::cout << "event " << text_of(event, "id") << "\n  received " << text_of(event, "received_at") << " from "
              << text_of(event, "source") << " (" << text_of(event, "intake") << "), class " << text_of(event, "class")
              << "\n";
    if (text_of(event, "state") == "unmapped") {
        std::cout << "  unmapped: no mapping takes it; add one and run: orbridge replay --event "
                  << text_of(event, "id") << "\n";
        return;
    }
    std::cout << "  channel " << text_of(event, "channel") << ", name " << text_of(event, "event_name") << "\n";
    for (const auto& member : answer["deliveries"].members()) print_delivery(member.value);
    std::cout << "routes and subscriptions as they are now:\n";
    for (const auto& member : answer["routes"].members()) {
        const auto& verdict = member.value;
        std::cout << "  " << (text_of(verdict, "matched") == "true" ? "takes it  " : "passes by ")
                  << text_of(verdict, "route") << " → " << text_of(verdict, "target") << ": "
                  << text_of(verdict, "reason") << "\n";
    }
}

}  // namespace

int run_why(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    auto path = "/api/v1/explain/" + percent_encode(args.word(0));
    if (!args.word(1).empty()) path += "?target=" + percent_encode(args.word(1));
    const auto answer = ApiClient(*settings).get(path);
    if (!answer) return fail(answer.error());
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
    } else {
        print_explanation((*answer)->root());
    }
    return kOk;
}

}  // namespace orbridge::cli
