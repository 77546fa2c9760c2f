#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include "bridge/cli/api.h"
#include "bridge/core/text.h"

namespace orbridge::cli {
namespace {

constexpr std::size_t kInputBytesMax = 1 << 20;
constexpr const char* kPath = "/api/v1/credentials";

int usage(const std::string& what) { return fail({Error::Kind::Invalid, what}), kConfiguration; }

int print(const Args& args, const Result<JsonPtr>& answer, const std::string& said) {
    if (!answer) return fail(answer.error());
    std::cout << (args.json() ? std::string((*answer)->text()) : said) << "\n";
    return kOk;
}

std::string scope_of(const Args& args) { return args.get("scope", "global"); }

/// Secrets come from a file or from standard input, never from the command line, which everybody can see.
Result<std::string> read_input(const std::string& file) {
    std::ifstream opened;
    if (!file.empty() && file != "-") opened.open(file, std::ios::binary);
    if (!file.empty() && file != "-" && !opened) return Error{Error::Kind::Invalid, "cannot read " + file};
    auto& from = opened.is_open() ? static_cast<std::istream&>(opened) : std::cin;
    std::string text{std::istreambuf_iterator<char>(from), {}};
    if (text.size() > kInputBytesMax) return Error{Error::Kind::Invalid, "more than 1 MiB of values"};
    return text;
}

std::string list_path(const Args& args) {
    return args.word(1).empty() ? kPath : std::string(kPath) + "?adapter=" + percent_encode(args.word(1));
}

int list(ApiClient& api, const Args& args) {
    const auto answer = api.get(list_path(args));
    if (!answer || args.json()) return print(args, answer, "");
    std::vector<std::vector<std::string>> rows = {{"ADAPTER", "NAME", "SCOPE", "STATUS", "CHECKED", "USED BY"}};
    for (const auto& member : (*answer)->root()["credentials"].members()) {
        const auto& row = member.value;
        std::vector<std::string> users;
        for (const auto& user : row["used_by"].members()) users.push_back(user.value.string().value_or(""));
        const auto trouble = text_of(row, "trouble");
        rows.push_back({text_of(row, "adapter"), text_of(row, "name"), text_of(row, "scope"),
                        trouble.empty() ? text_of(row, "status") : "unreadable", text_of(row, "validated_at"),
                        join(users, ", ")});
    }
    std::cout << table(rows);
    return kOk;
}

/// The row of the adapter and name that are given; an absent one is no error.
Result<std::optional<JsonPtr>> find(ApiClient& api, const Args& args) {
    const auto answer = api.get(list_path(args));
    if (!answer) return answer.error();
    for (const auto& member : (*answer)->root()["credentials"].members()) {
        const auto& row = member.value;
        if (text_of(row, "name") != args.word(2) || text_of(row, "scope") != scope_of(args)) continue;
        auto document = JsonDocument::parse(row.raw());
        if (!document) return document.error();
        return std::optional(*std::move(document));
    }
    return std::optional<JsonPtr>();
}

/// One field's text beside what is there, whose secrets are masked and therefore stay.
Result<std::string> with_field(ApiClient& api, const Args& args, const std::string& text) {
    const auto found = find(api, args);
    if (!found) return found.error();
    JsonWriter json;
    json.object();
    if (*found) {
        for (const auto& member : (**found)->root()["values"].members())
            if (member.key != args.get("field")) json.member_raw(member.key, member.value.raw());
    }
    const auto line = text.substr(0, text.find_last_not_of("\r\n") + 1);
    json.member(args.get("field"), line).end();
    return std::move(json).text();
}

int set(ApiClient& api, const Args& args) {
    const auto input = read_input(args.get("file"));
    if (!input) return fail(input.error());
    const auto values = args.has("field") ? with_field(api, args, *input) : input;
    if (!values) return fail(values.error());
    const auto document = JsonDocument::parse(*values);
    if (!document) return usage("expected the values as a JSON object, or one value with --field");
    JsonWriter json;
    json.object().member("adapter", args.word(1)).member("name", args.word(2)).member("scope", scope_of(args));
    json.member("test", args.has("test")).member_raw("values", (*document)->root().raw()).end();
    const auto answer = api.put(kPath, json.text());
    return print(args, answer, answer ? "stored, " + text_of((*answer)->root(), "status") : "");
}

int want_exit(const Result<JsonPtr>& answer) {
    return answer && text_of((*answer)->root(), "success") == "true" ? kOk : kFailed;
}

int test(ApiClient& api, const Args& args, const std::string& id) {
    const auto answer = api.post(std::string(kPath) + '/' + id + "/test", "{}");
    if (!answer) return fail(answer.error());
    print(args, answer, text_of((*answer)->root(), "message"));
    return want_exit(answer);
}

int import_file(ApiClient& api, const Args& args) {
    const auto input = read_input(args.get("file"));
    if (!input) return fail(input.error());
    const auto answer = api.post("/api/v1/import", *input);
    return print(args, answer,
                 answer ? std::to_string((*answer)->root()["credentials"].size()) +
                              " known; `credentials list` tells "
                              "which wait for their values"
                        : "");
}

int rekey(ApiClient& api, const Args& args) {
    const auto answer = api.post(std::string(kPath) + "/rekey", "{}");
    if (!answer) return fail(answer.error());
    const auto root = (*answer)->root();
    print(args, answer, text_of(root, "sealed_anew") + " sealed anew, " + text_of(root, "current") + " were already");
    for (const auto& each : root["unreadable"].members()) std::cerr << each.value.string().value_or("") << "\n";
    return root["unreadable"].empty() ? kOk : kFailed;
}

}  // namespace

int run_credentials(const Args& args) {
    static const std::vector<std::string> kActions = {"list", "set", "test", "rm", "rekey", "export", "import"};
    const auto action = args.words().empty() ? std::string("list") : args.word(0);
    if (std::find(kActions.begin(), kActions.end(), action) == kActions.end())
        return usage("unknown action '" + action + "', expected one of: " + join(kActions, ", "));
    const bool of_one = action == "set" || action == "test" || action == "rm";
    if (of_one && args.word(2).empty()) return usage("name an adapter and the credentials: " + action + " github main");
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    if (action == "list") return list(api, args);
    if (action == "set") return set(api, args);
    if (action == "rekey") return rekey(api, args);
    if (action == "import") return import_file(api, args);
    if (action == "export") {
        const auto answer = api.get("/api/v1/export");
        return print(args, answer, answer ? std::string((*answer)->text()) : "");
    }
    const auto found = find(api, args);
    if (!found) return fail(found.error());
    if (!*found) {
        return fail({Error::Kind::NotFound,
                     "there are no credentials " + args.word(1) + '/' + args.word(2) + " for " + scope_of(args)});
    }
    const auto id = text_of((**found)->root(), "id");
    if (action == "test") return test(api, args, id);
    return print(args, api.remove(std::string(kPath) + '/' + id), "removed");
}

}  // namespace orbridge::cli
