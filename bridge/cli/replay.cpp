#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>

#include "bridge/cli/api.h"

namespace orbridge::cli {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks{500};

/// Replays and backfills are jobs of one kind.
struct Kind {
    const char* path;
    const char* name;
    const char* under_way;
    const char* made;  ///< member of the job, and the word for it
};
constexpr Kind kReplay{"/api/v1/replays", "replay", "replaying", "replayed"};
constexpr Kind kBackfill{"/api/v1/backfills", "backfill", "backfilling", "backfilled"};

std::string order_of(const Args& args) {
    JsonWriter json;
    json.object();
    for (const auto* name : {"event", "subject", "channel", "target", "state", "source"})
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

/// `[######--------------] `, nothing as long as nobody knows how many there are.
std::string bar_of(const Json& job) {
    constexpr std::int64_t kWidth = 20;
    const auto total = job["total"].integer().value_or(0);
    if (total <= 0 || text_of(job, "total_is_least") == "true") return {};
    const auto done = std::min(kWidth, job["matched"].integer().value_or(0) * kWidth / total);
    return "[" + std::string(static_cast<std::size_t>(done), '#') +
           std::string(static_cast<std::size_t>(kWidth - done), '-') + "] ";
}

void print(const Json& job, const Kind& kind) {
    std::cout << text_of(job, "matched") << " matched, " << text_of(job, kind.made) << " " << kind.made;
    if (text_of(job, "state") != "done") std::cout << " (" << text_of(job, "state") << ")";
    std::cout << "\n";
    if (job["trouble"]) std::cout << "  stands still: " << text_of(job, "trouble") << "\n";
    for (const auto& problem : job["problems"].members())
        std::cout << "  " << problem.value.string().value_or("") << "\n";
}

/// Until it has ended: on a terminal the progress is written over itself.
Result<JsonPtr> follow(ApiClient& api, const Kind& kind, Result<JsonPtr> job) {
    const bool terminal = isatty(STDERR_FILENO) == 1;
    const auto path = job ? std::string(kind.path) + "/" + text_of((*job)->root(), "id") : std::string();
    while (job && is_running((*job)->root())) {
        const auto root = (*job)->root();
        const auto trouble = root["trouble"] ? ", stands still: " + text_of(root, "trouble") : std::string();
        if (terminal) {
            std::cerr << "\r\033[K" << kind.under_way << ": " << bar_of(root) << progress_of(root) << trouble
                      << std::flush;
        }
        std::this_thread::sleep_for(kBetweenLooks);
        job = api.get(path);
    }
    if (terminal) std::cerr << "\r\033[K" << std::flush;
    return job;
}

int begin(const Args& args, const Kind& kind) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    auto answer = api.post(kind.path, order_of(args));
    if (answer && !args.has("dry-run") && !args.has("no-wait")) answer = follow(api, kind, std::move(answer));
    if (!answer) return fail(answer.error());
    const auto job = (*answer)->root();
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
    } else if (args.has("dry-run")) {
        std::cout << text_of(job, "matched") << (text_of(job, "more") == "true" ? " and more" : "") << " matched, none "
                  << kind.made << " (dry run)\n";
    } else {
        if (is_running(job)) std::cout << kind.name << " " << text_of(job, "id") << " is under way: ";
        print(job, kind);
    }
    return job["problems"].empty() ? kOk : kFailed;
}

int show(const Args& args, const Kind& kind) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    const auto& words = args.words();
    const auto answer = api.get(words.empty() ? std::string(kind.path) : std::string(kind.path) + "/" + words.front());
    if (!answer) return fail(answer.error());
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
        return kOk;
    }
    if (!words.empty()) {
        print((*answer)->root(), kind);
        return kOk;
    }
    for (const auto& member : (*answer)->root()[std::string(kind.name) + "s"].members()) {
        const auto& job = member.value;
        std::cout << text_of(job, "id") << "  " << text_of(job, "created_at") << "  " << text_of(job, "state") << "  "
                  << progress_of(job) << "\n";
    }
    return kOk;
}

int cancel(const Args& args, const Kind& kind) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    const auto answer = ApiClient(*settings).remove(std::string(kind.path) + "/" + args.get(kind.name));
    if (!answer) return fail(answer.error());
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
    } else {
        print((*answer)->root(), kind);
    }
    return kOk;
}

}  // namespace

int run_replay(const Args& args) { return begin(args, kReplay); }
int run_replays(const Args& args) { return show(args, kReplay); }
int run_backfill(const Args& args) { return begin(args, kBackfill); }
int run_backfills(const Args& args) { return show(args, kBackfill); }

int run_cancel(const Args& args) {
    if (args.has("replay")) return cancel(args, kReplay);
    if (args.has("backfill")) return cancel(args, kBackfill);
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
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
