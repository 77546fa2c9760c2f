#include <iostream>

#include "bridge/cli/api.h"

namespace orbridge::cli {
namespace {

int usage(const std::string& what) { return fail({Error::Kind::Invalid, what}), kConfiguration; }

int print(const Args& args, const Result<JsonPtr>& answer, const std::string& said) {
    if (!answer) return fail(answer.error());
    std::cout << (args.json() ? std::string((*answer)->text()) : said) << "\n";
    return kOk;
}

std::string selector_body(const Args& args, const std::string& lease_time = {}) {
    JsonWriter json;
    json.object();
    if (args.has("url")) json.member("url", args.get("url"));
    if (!args.word(1).empty()) json.member("hook", args.word(1));
    if (!lease_time.empty()) json.member("leaseTime", lease_time);
    json.end();
    return json.text();
}

std::string said_hooks(const Result<JsonPtr>& answer, const char* what) {
    if (!answer) return {};
    std::string said = what;
    for (const auto& member : (*answer)->root()[what].members()) said += ' ' + member.value.string().value_or("");
    return said;
}

int list(ApiClient& api, const Args& args) {
    const auto answer = api.get("/api/v1/subscriptions" + query_of(args, {"url", "channel"}));
    if (!answer || args.json()) return print(args, answer, "");
    std::vector<std::vector<std::string>> rows = {
        {"HOOK", "CHANNEL", "EVENT FILTER", "URL", "LEASE END", "PRODUCT", "TOKEN", "STATE"}};
    for (const auto& member : (*answer)->root()["subscriptions"].members()) {
        const auto& row = member.value;
        rows.push_back({text_of(row, "hook"), text_of(row, "channel"), text_of(row, "event_filter"),
                        text_of(row, "url"), text_of(row, "lease_end"), text_of(row, "product"), text_of(row, "token"),
                        text_of(row, "gone") == "true" ? "gone" : "active"});
    }
    std::cout << table(rows);
    return kOk;
}

int show(ApiClient& api, const Args& args) {
    const auto answer = api.get("/api/v1/subscriptions?hook=" + percent_encode(args.word(1)));
    if (!answer) return fail(answer.error());
    const auto found = (*answer)->root()["subscriptions"];
    if (found.empty()) return fail({Error::Kind::NotFound, "there is no active subscription " + args.word(1)});
    std::cout << found.at(0).raw() << "\n";
    return kOk;
}

}  // namespace

int run_subscriptions(const Args& args) {
    const auto action = args.words().empty() ? std::string("list") : args.word(0);
    const bool named = !args.word(1).empty() || args.has("url");
    if (action != "list" && action != "show" && action != "remove" && action != "extend")
        return usage("unknown action '" + action + "', expected list, show, remove or extend");
    if (action == "show" && args.word(1).empty()) return usage("name the hook to show");
    if ((action == "remove" || action == "extend") && !named) return usage("name a hook, or give --url");
    if (action == "extend" && !args.has("lease-time")) return usage("give --lease-time SECONDS, counted from now");
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    if (action == "list") return list(api, args);
    if (action == "show") return show(api, args);
    const bool remove = action == "remove";
    const auto answer = api.post("/api/v1/subscriptions/" + action,
                                 selector_body(args, remove ? std::string() : args.get("lease-time")));
    return print(args, answer, said_hooks(answer, remove ? "removed" : "extended"));
}

}  // namespace orbridge::cli
