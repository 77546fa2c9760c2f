#include <iostream>

#include "bridge/cli/api.h"

namespace orbridge::cli {
namespace {

std::string path_of(const Args& args) {
    std::string path = "/api/v1/snapshots";
    for (const auto& word : args.words()) path += "/" + percent_encode(word);
    return path;
}

void print_sources(const Json& answer) {
    std::vector<std::vector<std::string>> rows = {{"SOURCE", "POLLED", "STALE"}};
    for (const auto& member : answer["sources"].members()) {
        const auto& row = member.value;
        rows.push_back({text_of(row, "source"), text_of(row, "polled"), text_of(row, "stale")});
    }
    std::cout << table(rows);
}

void print_list(const Json& answer) {
    std::vector<std::vector<std::string>> rows = {{"SUBJECT", "VERSION", "LIVE", "UPDATED"}};
    for (const auto& member : answer["snapshots"].members()) {
        const auto& row = member.value;
        rows.push_back(
            {text_of(row, "subject"), text_of(row, "version"), text_of(row, "live"), text_of(row, "updated_at")});
    }
    std::cout << table(rows);
    if (const auto next = text_of(answer, "next_after"); !next.empty())
        std::cout << "there may be more: --after " << next << "\n";
}

}  // namespace

/// The sources, the subjects of one, or what is known of one subject, as JSON.
int run_snapshots(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    const auto words = args.words().size();
    if (args.has("refresh") && words != 2) {
        fail({Error::Kind::Invalid, "--refresh needs a source and a subject"});
        return kConfiguration;
    }
    const auto answer =
        args.has("refresh")
            ? api.post(path_of(args) + "/refresh", "")
            : api.get(path_of(args) + (words == 1 ? query_of(args, {"after", "limit"}) : std::string()));
    if (!answer) return fail(answer.error());
    if (args.json() || words == 2) {
        std::cout << (*answer)->text() << "\n";
    } else if (words == 1) {
        print_list((*answer)->root());
    } else {
        print_sources((*answer)->root());
    }
    return kOk;
}

}  // namespace orbridge::cli
