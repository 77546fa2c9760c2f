#include <iostream>

#include "bridge/cli/api.h"

namespace orbridge::cli {
namespace {

int list(ApiClient& api, const Args& args) {
    const auto answer = api.get("/api/v1/tokens");
    if (!answer) return fail(answer.error());
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
        return kOk;
    }
    std::vector<std::vector<std::string>> rows = {{"NAME", "FROM", "CREATED"}};
    for (const auto& member : (*answer)->root()["tokens"].members()) {
        const bool configured = text_of(member.value, "configured") == "true";
        rows.push_back({text_of(member.value, "name"), configured ? "configuration" : "store",
                        text_of(member.value, "created_at")});
    }
    std::cout << table(rows);
    return kOk;
}

}  // namespace

/// `create` prints the token and nothing else, so that it can be put into a file.
int run_token(const Args& args) {
    const auto action = args.words().empty() ? std::string("list") : args.word(0);
    const bool changes = action == "create" || action == "remove";
    if ((action != "list" && !changes) || (changes && args.word(1).empty())) {
        fail({Error::Kind::Invalid, "expected `token list`, `token create <name>` or `token remove <name>`"});
        return kConfiguration;
    }
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    if (!changes) return list(api, args);
    JsonWriter json;
    json.object().member("name", args.word(1)).end();
    const auto answer = api.post(action == "create" ? "/api/v1/tokens" : "/api/v1/tokens/remove", json.text());
    if (!answer) return fail(answer.error());
    const auto root = (*answer)->root();
    const auto said = action == "create" ? text_of(root, "token") : text_of(root, "removed") + " removed";
    std::cout << (args.json() ? std::string((*answer)->text()) : said) << "\n";
    return kOk;
}

}  // namespace orbridge::cli
