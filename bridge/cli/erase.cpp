#include <unistd.h>

#include <iostream>

#include "bridge/cli/api.h"

namespace orbridge::cli {
namespace {

std::string order_of(const Args& args, bool dry_run) {
    JsonWriter json;
    json.object().member("subject", args.word(0));
    if (args.has("source")) json.member("source", args.get("source"));
    if (args.has("text")) json.member("text", args.get("text"));
    if (dry_run) json.member("dry_run", true);
    json.end();
    return std::move(json).text();
}

std::string counts_of(const Json& told) {
    return text_of(told, "events") + " events (" + text_of(told, "without_subject") + " of them without a subject), " +
           text_of(told, "deliveries_cancelled") + " pending deliveries, " + text_of(told, "attempts") + " attempts, " +
           text_of(told, "jobs") + " job results, " + text_of(told, "snapshots") + " snapshots, " +
           text_of(told, "replays") + " replays, " + text_of(told, "audit_rows") + " audit rows";
}

/// What was not looked for is to be known before anybody takes it for gone.
std::string hint(const Json& told) {
    if (told["searched"].boolean().value_or(false)) return {};
    return "\nEvents without a subject were not searched: its name is too short to mean it and nothing else; name "
           "what they hold with --text.";
}

bool confirmed(const std::string& what) {
    std::cerr << what << "\nErase all of this for good? [y/N] " << std::flush;
    std::string line;
    std::getline(std::cin, line);
    return line == "y" || line == "yes";
}

}  // namespace

/// Counts, asks, and then erases: without a terminal only with `--yes`.
int run_erase(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    const bool only_counts = args.has("dry-run");
    if (only_counts || !args.has("yes")) {
        const auto counted = api.post("/api/v1/erase", order_of(args, true));
        if (!counted) return fail(counted.error());
        const auto said = counts_of((*counted)->root());
        const auto not_searched = hint((*counted)->root());
        if (only_counts) {
            std::cout << (args.json() ? std::string((*counted)->text())
                                      : said + " would be erased (dry run)" + not_searched)
                      << "\n";
            return kOk;
        }
        if (isatty(STDIN_FILENO) != 1)
            return fail({Error::Kind::Invalid, said + " would be erased: repeat with --yes to do it" + not_searched});
        if (!confirmed(said + not_searched)) return fail({Error::Kind::Invalid, "nothing was erased"});
    }
    const auto answer = api.post("/api/v1/erase", order_of(args, false));
    if (!answer) return fail(answer.error());
    const auto told = (*answer)->root();
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
        return kOk;
    }
    std::cout << counts_of(told) << " erased; what is left is named " << text_of(told, "name") << hint(told) << "\n";
    if (text_of(told, "overwritten") != "true")
        std::cout << "the database's log could not be cut yet: the bytes go with its next checkpoint\n";
    return kOk;
}

}  // namespace orbridge::cli
