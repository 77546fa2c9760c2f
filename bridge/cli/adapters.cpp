#include <fstream>
#include <iostream>

#include "bridge/adapt/loader.h"
#include "bridge/cli/api.h"
#include "bridge/core/text.h"
#include "bridge/settings/settings.h"

namespace orbridge::cli {
namespace {

constexpr const char* kStart =
    R"(# What an adapter file may say: docs/integrations.md. Check it with `orbridge adapters check %NAME%.yaml`.
name: %NAME%
title: %NAME%
kind: http
base_url: https://api.example.org
# How requests show who sends them: bearer, basic {user, password}, headers, or aws_sigv4.
auth: { bearer: "{{credentials.token}}" }
credentials:
  - { name: token, type: password, required: true, description: Where people find it }
# Must change nothing on the other side.
test:
  request: { method: GET, path: /me }
  expect: { status: [200] }
  message: "Connected as {{response.body.name}}"
tasks:
  send_message:
    title: Send a message
    params:
      - { name: text, type: string, required: true }
    # Sending it twice does no harm: it may be repeated though an earlier attempt may have arrived.
    repeatable: true
    request:
      method: POST
      path: /messages
      json: { text: "{{params.text}}" }
    expect: { status: [200, 201] }
    message: Sent
    data: { id: "{{response.body.id}}" }
)";

int fail_usage(const std::string& what) {
    std::cerr << "orbridge adapters: " << what << "\n";
    return kConfiguration;
}

int check_file(const std::string& file) {
    Complaints complaints;
    const auto adapter = load_adapter(file, complaints);
    for (const auto& line : complaints.lines()) std::cout << line << "\n";
    if (!adapter) return kConfiguration;
    std::cout << file << ": ok (adapter " << adapter->name << ", " << adapter->tasks.size() << " tasks)\n";
    return kOk;
}

int make_file(const std::string& name) {
    if (!is_name(name)) return fail_usage("expected a name of a-z, 0-9, `_` and `-`");
    const auto file = name + ".yaml";
    if (std::ifstream(file)) return fail({Error::Kind::Conflict, file + " is there already"});
    std::string text = kStart;
    constexpr std::string_view kName = "%NAME%";
    for (auto at = text.find(kName); at != std::string::npos; at = text.find(kName, at + name.size()))
        text.replace(at, kName.size(), name);
    std::ofstream out(file);
    out << text;
    out.close();
    if (!out) return fail({Error::Kind::Unavailable, "cannot write " + file});
    std::cout << file << " is written. Edit it, then: orbridge adapters check " << file << "\n";
    return kOk;
}

int remove_it(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    const auto answer = ApiClient(*settings).remove("/api/v1/adapters/" + percent_encode(args.word(1)));
    if (!answer) return fail(answer.error());
    std::cout << (args.json() ? std::string((*answer)->text())
                              : text_of((*answer)->root(), "file") + " is removed; reload to have it forgotten")
              << "\n";
    return kOk;
}

int list_them(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    Complaints complaints;
    const auto adapters = load_adapters(settings->adapters.folders, complaints);
    JsonWriter json;
    json.object().key("adapters").array();
    std::vector<std::vector<std::string>> rows = {{"adapter", "kind", "tasks", "file"}};
    for (const auto& [name, adapter] : adapters) {
        std::vector<std::string> tasks;
        for (const auto& [task, declared] : adapter->tasks) tasks.push_back(task);
        rows.push_back({name, adapter->kind, join(tasks, " "), adapter->file});
        json.object().member("name", name).member("kind", adapter->kind).member("file", adapter->file);
        json.key("tasks").array();
        for (const auto& task : tasks) json.value(task);
        json.end().end();
    }
    json.end().key("left_out").array();
    for (const auto& line : complaints.lines()) json.value(line);
    json.end().end();
    if (args.json()) {
        std::cout << json.text() << "\n";
    } else {
        std::cout << table(rows);
        for (const auto& line : complaints.lines()) std::cerr << line << "\n";
    }
    return complaints.empty() ? kOk : kConfiguration;
}

}  // namespace

int run_adapters(const Args& args) {
    const auto what = args.word(0);
    if (what.empty() || what == "list") return list_them(args);
    if (what == "check" && !args.word(1).empty()) return check_file(args.word(1));
    if (what == "new" && !args.word(1).empty()) return make_file(args.word(1));
    if (what == "rm" && !args.word(1).empty()) return remove_it(args);
    return fail_usage("expected list, check <file>, new <name> or rm <name>");
}

}  // namespace orbridge::cli
