#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

#include "bridge/adapt/loader.h"
#include "bridge/cli/api.h"
#include "bridge/settings/config_file.h"
#include "bridge/settings/portable.h"

namespace orbridge::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBundleBytesMax = 16 << 20;

/// What adapters' files say of their fields.
bool is_declared_secret(const Adapters& adapters, const std::string& adapter, std::string_view section,
                        const std::string& field) {
    const auto found = adapters.find(adapter);
    if (found == adapters.end()) return false;
    const auto hides = [&](const Fields& fields) {
        const auto* declared = find_field(fields, field);
        return declared != nullptr && declared->secret();
    };
    if (section == "config") return hides(found->second->config);
    const auto& tasks = found->second->tasks;
    return std::any_of(tasks.begin(), tasks.end(), [&](const auto& task) { return hides(task.second.params); });
}

/// The files of the folders that the configuration names. Those of the program are where the program is.
std::vector<std::string> files_of(const ConfigNode& root) {
    std::vector<std::string> files;
    for (const auto& item : root["adapters"]["folders"].one_or_list()) {
        std::error_code trouble;
        for (const auto& entry : fs::directory_iterator(root.beside(item.as_text().value_or("")), trouble))
            if (entry.path().extension() == ".yaml") files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
}

void write_adapters(JsonWriter& json, const ConfigNode& root) {
    json.key("adapters").array();
    std::set<std::string> told;
    for (const auto& file : files_of(root)) {
        const auto text = read_file(file, 1 << 20);
        const auto name = fs::path(file).filename().string();
        if (text && told.insert(name).second) json.object().member("file", name).member("text", *text).end();
    }
    json.end();
}

/// Those that the configuration uses, and those that the store of the running daemon has besides.
void write_credentials(JsonWriter& json, const Settings& settings, const Portable& made) {
    std::set<std::vector<std::string>> all;
    for (const auto& [adapter, name] : made.stored) all.insert({adapter, name, "global"});
    if (const auto answer = ApiClient(settings).get("/api/v1/export")) {
        for (const auto& row : (*answer)->root()["credentials"].members())
            all.insert({text_of(row.value, "adapter"), text_of(row.value, "name"), text_of(row.value, "scope")});
    }
    json.key("credentials").array();
    for (const auto& row : all)
        json.object().member("adapter", row[0]).member("name", row[1]).member("scope", row[2]).end();
    json.end();
}

int write_to(const fs::path& file, const std::string& text) {
    std::error_code trouble;
    if (fs::exists(file, trouble)) return fail({Error::Kind::Conflict, file.string() + " is there already"});
    std::ofstream out(file);
    out << text;
    out.close();
    return out ? kOk : fail({Error::Kind::Unavailable, "cannot write " + file.string()});
}

/// Files of a bundle are named by whoever wrote it.
bool is_file_name(const std::string& name) {
    return name.ends_with(".yaml") && name.size() <= 100 && name.find('/') == std::string::npos && name[0] != '.';
}

int write_files(const Json& bundle, const fs::path& folder) {
    std::error_code trouble;
    fs::create_directories(folder / "adapters", trouble);
    fs::create_directories(folder / "secrets", trouble);
    fs::permissions(folder / "secrets", fs::perms::owner_all, trouble);
    if (trouble) return fail({Error::Kind::Unavailable, folder.string() + ": " + trouble.message()});
    for (const auto& each : bundle["adapters"].members()) {
        const auto name = text_of(each.value, "file");
        if (!is_file_name(name)) return fail({Error::Kind::Invalid, "adapters: `" + name + "` is no name of a file"});
    }
    if (const int code = write_to(folder / "orbridge.yaml", text_of(bundle, "configuration")); code != kOk) return code;
    for (const auto& each : bundle["adapters"].members()) {
        const int code = write_to(folder / "adapters" / text_of(each.value, "file"), text_of(each.value, "text"));
        if (code != kOk) return code;
    }
    return kOk;
}

}  // namespace

int run_export(const Args& args) {
    Complaints complaints;
    const auto file = config_file(args);
    const auto root = ConfigNode::load(file, complaints);
    const auto settings = read_settings(root, complaints);
    for (const auto& line : complaints.lines()) std::cerr << line << "\n";
    const auto text = read_file(file, kYamlBytesMax);
    if (!complaints.empty() || !text) return kConfiguration;
    Complaints left_out;  // such adapters are not in use
    const auto adapters = load_adapters(settings.adapters.folders, left_out);
    const auto made = portable(*parse_yaml(*text).root, [&](const auto& adapter, auto section, const auto& field) {
        return is_declared_secret(adapters, adapter, section, field);
    });
    JsonWriter json;
    json.object().member("orbridge_export", 1).member("configuration", made.yaml);
    write_adapters(json, root);
    write_credentials(json, settings, made);
    json.key("wanted").array();
    for (const auto& each : made.wanted) json.value(each);
    json.end().end();
    std::cout << json.text() << "\n";
    return kOk;
}

int run_import(const Args& args) {
    const auto text = read_file(args.word(0), kBundleBytesMax);
    if (!text) return fail({Error::Kind::Invalid, args.word(0) + ": " + text.error().message});
    const auto document = JsonDocument::parse(*text);
    if (!document || (*document)->root()["orbridge_export"].integer() != 1)
        return fail({Error::Kind::Invalid, args.word(0) + ": expected what `orbridge export` printed"});
    const auto bundle = (*document)->root();
    const fs::path folder = args.word(1);
    if (const int code = write_files(bundle, folder); code != kOk) return code;
    std::cout << (folder / "orbridge.yaml").string() << " is written.\n";
    for (const auto& each : bundle["wanted"].members())
        std::cout << "to be given: " << each.value.string().value_or("") << "\n";
    if (!bundle["credentials"].empty()) {
        std::cout << "Once it runs: orbridge credentials import --file " << args.word(0)
                  << "; `orbridge credentials list` tells which wait for their values\n";
    }
    return kOk;
}

}  // namespace orbridge::cli
