#include <iostream>

#include "bridge/cli/api.h"

namespace orbridge::cli {
namespace {

std::string order_of(const Args& args) {
    JsonWriter json;
    json.object();
    for (const auto* name : {"event", "subject", "channel", "target", "state"})
        if (args.has(name)) json.member(name, args.get(name));
    for (const auto* name : {"since", "until"})
        if (args.has(name)) json.member(name, time_argument(args.get(name)));
    if (args.has("limit")) json.member("limit", args.get("limit"));
    if (args.has("unmapped")) json.member("unmapped", true);
    if (args.has("dry-run")) json.member("dry_run", true);
    json.end();
    return std::move(json).text();
}

}  // namespace

int run_replay(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    const auto answer = ApiClient(*settings).post("/api/v1/replay", order_of(args));
    if (!answer) return fail(answer.error());
    const auto report = (*answer)->root();
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
    } else {
        std::cout << text_of(report, "matched") << " matched, "
                  << (args.has("dry-run") ? "none replayed (dry run)" : text_of(report, "replayed") + " replayed")
                  << "\n";
        if (text_of(report, "more") == "true") std::cout << "there are more: call again\n";
        for (const auto& problem : report["problems"].members())
            std::cout << "  " << problem.value.string().value_or("") << "\n";
    }
    return report["problems"].empty() ? kOk : kFailed;
}

int run_cancel(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    JsonWriter json;
    json.object();
    for (const auto* name : {"target", "delivery"})
        if (args.has(name)) json.member(name, args.get(name));
    json.end();
    const auto answer = ApiClient(*settings).post("/api/v1/cancel", json.text());
    if (!answer) return fail(answer.error());
    std::cout << (args.json() ? std::string((*answer)->text()) : text_of((*answer)->root(), "cancelled") + " cancelled")
              << "\n";
    return kOk;
}

}  // namespace orbridge::cli
