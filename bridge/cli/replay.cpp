#include <unistd.h>

#include <chrono>
#include <iostream>
#include <thread>

#include "bridge/cli/api.h"

namespace orbridge::cli {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks{500};

std::string order_of(const Args& args) {
    JsonWriter json;
    json.object();
    for (const auto* name : {"event", "subject", "channel", "target", "state"})
        if (args.has(name)) json.member(name, args.get(name));
    for (const auto* name : {"since", "until"})
        if (args.has(name)) json.member(name, time_argument(args.get(name)));
    if (args.has("unmapped")) json.member("unmapped", true);
    if (args.has("dry-run")) json.member("dry_run", true);
    json.end();
    return std::move(json).text();
}

bool is_running(const Json& job) { return text_of(job, "state") == "running"; }

std::string progress_of(const Json& job) {
    const bool least = text_of(job, "total_is_least") == "true";
    return text_of(job, "matched") + " of " + (least ? "more than " : "") + text_of(job, "total");
}

void print(const Json& job) {
    std::cout << text_of(job, "matched") << " matched, " << text_of(job, "replayed") << " replayed";
    if (text_of(job, "state") != "done") std::cout << " (" << text_of(job, "state") << ")";
    std::cout << "\n";
    for (const auto& problem : job["problems"].members())
        std::cout << "  " << problem.value.string().value_or("") << "\n";
}

/// Until it has ended: on a terminal the progress is written over itself.
Result<JsonPtr> follow(ApiClient& api, Result<JsonPtr> job) {
    const bool terminal = isatty(STDERR_FILENO) == 1;
    const auto path = job ? "/api/v1/replays/" + text_of((*job)->root(), "id") : std::string();
    while (job && is_running((*job)->root())) {
        if (terminal) std::cerr << "\rreplaying: " << progress_of((*job)->root()) << "   " << std::flush;
        std::this_thread::sleep_for(kBetweenLooks);
        job = api.get(path);
    }
    if (terminal) std::cerr << "\r\033[K" << std::flush;
    return job;
}

}  // namespace

int run_replay(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    auto answer = api.post("/api/v1/replays", order_of(args));
    if (answer && !args.has("dry-run") && !args.has("no-wait")) answer = follow(api, std::move(answer));
    if (!answer) return fail(answer.error());
    const auto job = (*answer)->root();
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
    } else if (args.has("dry-run")) {
        std::cout << text_of(job, "matched") << (text_of(job, "more") == "true" ? " and more" : "")
                  << " matched, none replayed (dry run)\n";
    } else {
        if (is_running(job)) std::cout << "replay " << text_of(job, "id") << " is under way: ";
        print(job);
    }
    return job["problems"].empty() ? kOk : kFailed;
}

int run_replays(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    const auto& words = args.words();
    const auto answer = api.get(words.empty() ? "/api/v1/replays" : "/api/v1/replays/" + words.front());
    if (!answer) return fail(answer.error());
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
        return kOk;
    }
    if (!words.empty()) {
        print((*answer)->root());
        return kOk;
    }
    for (const auto& member : (*answer)->root()["replays"].members()) {
        const auto& job = member.value;
        std::cout << text_of(job, "id") << "  " << text_of(job, "created_at") << "  " << text_of(job, "state") << "  "
                  << progress_of(job) << "\n";
    }
    return kOk;
}

int run_cancel(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    if (args.has("replay")) {
        const auto answer = api.remove("/api/v1/replays/" + args.get("replay"));
        if (!answer) return fail(answer.error());
        if (args.json()) {
            std::cout << (*answer)->text() << "\n";
        } else {
            print((*answer)->root());
        }
        return kOk;
    }
    JsonWriter json;
    json.object();
    for (const auto* name : {"target", "delivery"})
        if (args.has(name)) json.member(name, args.get(name));
    json.end();
    const auto answer = api.post("/api/v1/cancel", json.text());
    if (!answer) return fail(answer.error());
    std::cout << (args.json() ? std::string((*answer)->text()) : text_of((*answer)->root(), "cancelled") + " cancelled")
              << "\n";
    return kOk;
}

}  // namespace orbridge::cli
