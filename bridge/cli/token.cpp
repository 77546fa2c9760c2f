#include <iostream>

#include "bridge/cli/api.h"
#include "bridge/core/text.h"

namespace orbridge::cli {
namespace {

std::string reads_of(const Json& token) {
    std::vector<std::string> sources;
    for (const auto& source : token["reads"].members()) sources.push_back(source.value.string().value_or(""));
    return join(sources, ",");
}

std::string order_of(const Args& args) {
    JsonWriter json;
    json.object().member("name", args.word(1));
    if (args.has("read")) {
        const auto sources = args.get("read");
        json.key("reads").array();
        for (const auto source : split(sources, ',')) json.value(trim(source));
        json.end();
    }
    json.end();
    return std::move(json).text();
}

int list(ApiClient& api, const Args& args) {
    const auto answer = api.get("/api/v1/tokens");
    if (!answer) return fail(answer.error());
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
        return kOk;
    }
    std::vector<std::vector<std::string>> rows = {{"NAME", "FROM", "READS", "CREATED"}};
    for (const auto& member : (*answer)->root()["tokens"].members()) {
        const bool configured = text_of(member.value, "configured") == "true";
        rows.push_back({text_of(member.value, "name"), configured ? "configuration" : "store", reads_of(member.value),
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
    const auto answer = api.post(action == "create" ? "/api/v1/tokens" : "/api/v1/tokens/remove", order_of(args));
    if (!answer) return fail(answer.error());
    const auto root = (*answer)->root();
    const auto said = action == "create" ? text_of(root, "token") : text_of(root, "removed") + " removed";
    std::cout << (args.json() ? std::string((*answer)->text()) : said) << "\n";
    return kOk;
}

}  // namespace orbridge::cli
