#include "bridge/settings/settings.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "bridge/core/text.h"
#include "bridge/settings/sections.h"
#include "bridge/settings/values.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;
namespace fs = std::filesystem;

constexpr std::size_t kKiB = 1 << 10;
constexpr std::size_t kMiB = 1 << 20;
constexpr std::string_view kSqlite = "sqlite:";

HttpSettings read_http(const ConfigNode& root) {
    HttpSettings http;
    http.listen = root.text("listen", http.listen);
    if (!is_listen_address(http.listen))
        root["listen"].complain("expected an address and a port, like 0.0.0.0:8080 or [::]:8080, or `unix:/<file>`");
    const auto node = root["http"];
    http.body_bytes_max = node.size("body_bytes_max", http.body_bytes_max, kKiB, 64 * kMiB);
    http.header_bytes_max = node.size("header_bytes_max", http.header_bytes_max, kKiB, kMiB);
    http.threads_max = static_cast<int>(node.integer("threads_max", http.threads_max, 1, 1024));
    http.waiters_max = static_cast<int>(node.integer("waiters_max", http.waiters_max, 0, 100'000));
    http.wait_max = node.duration("wait_max", http.wait_max, 1s, 10min);
    http.queued_max = static_cast<int>(node.integer("queued_max", http.queued_max, 1, 65536));
    http.request_timeout = node.duration("request_timeout", http.request_timeout, 10ms, 5min);
    http.keep_alive = node.duration("keep_alive", http.keep_alive, 0s, 5min);
    http.send_timeout = node.duration("send_timeout", http.send_timeout, 10ms, 5min);
    http.connections_max = static_cast<std::size_t>(
        node.integer("connections_max", static_cast<std::int64_t>(http.connections_max), 1, 100'000));
    http.buffered_bytes_max = node.size("buffered_bytes_max", http.buffered_bytes_max, kMiB, 4096 * kMiB);
    node.done();
    return http;
}

StoreSettings read_store(const ConfigNode& root) {
    StoreSettings store;
    const auto node = root["store"];
    if (node.is_scalar()) {
        const auto text = node.as_text().value_or("sqlite:x");
        if (text.substr(0, kSqlite.size()) != kSqlite || text.size() == kSqlite.size()) {
            node.complain("expected `sqlite:<file>`, like sqlite:/var/lib/orbridge/orbridge.db");
        } else {
            store.path = node.beside(text.substr(kSqlite.size()));
        }
        return store;
    }
    store.path = node.beside(node.text("path", store.path));
    store.batch_max = static_cast<int>(node.integer("batch_max", store.batch_max, 1, 10'000));
    store.twin_window = node.duration("twin_window", store.twin_window, 0s, 1h);
    const auto retention = node["retention"];
    store.retention_finished = retention.duration("finished", store.retention_finished, 1h, days{3650});
    store.retention_dead = retention.duration("dead", store.retention_dead, 1h, days{3650});
    store.retention_audit = retention.duration("audit", store.retention_audit, 1h, days{3650});
    store.audit_rows_max = retention.integer("audit_rows_max", store.audit_rows_max, 1'000, 1'000'000'000);
    store.retention_snapshots = retention.duration("snapshots", store.retention_snapshots, 1h, days{3650});
    store.snapshots_max = retention.integer("snapshots_max", store.snapshots_max, 100, 1'000'000'000);
    retention.done();
    const auto runs = node["runs"];
    store.runs_bytes_max = runs.size("bytes_max", store.runs_bytes_max, 0, 4096 * kMiB);
    store.run_params_bytes_max = runs.size("params_bytes_max", store.run_params_bytes_max, 64, kMiB);
    runs.done();
    store.old_state_bytes_max = node.size("old_object_bytes_max", store.old_state_bytes_max, 0, 16 * kMiB);
    node.done();
    return store;
}

std::string read_ca_file(const ConfigNode& node) {
    const auto name = node.as_text();
    if (!name) return {};
    auto file = fs::absolute(node.beside(*name)).lexically_normal().string();
    std::string first;
    std::ifstream read(file);
    while (std::getline(read, first) && first.find("-----BEGIN ") == std::string::npos) {
    }
    if (!read) node.complain("cannot read a certificate from " + file + ", expected a file in PEM");
    return file;
}

ReplaySettings read_replay(const ConfigNode& root) {
    ReplaySettings replay;
    const auto node = root["replay"];
    const auto number = [&](const char* name, int otherwise, int most) {
        return static_cast<int>(node.integer(name, otherwise, 1, most));
    };
    replay.per_second_start = number("per_second_start", replay.per_second_start, 1'000'000);
    replay.per_second_max = number("per_second_max", replay.per_second_max, 1'000'000);
    replay.doubles_every =
        node.duration("doubles_every", replay.doubles_every, std::chrono::milliseconds{100}, std::chrono::hours{1});
    replay.running_max = number("running_max", replay.running_max, 1'000);
    replay.jobs_max = number("jobs_max", replay.jobs_max, 10'000);
    node.done();
    return replay;
}

BacklogSettings read_backlog(const ConfigNode& root) {
    BacklogSettings backlog;
    const auto node = root["backlog"];
    backlog.deliveries_max = node.integer("deliveries_max", backlog.deliveries_max, 1, 1'000'000'000);
    backlog.bytes_max = node.size("bytes_max", backlog.bytes_max, kMiB, std::size_t{1} << 44);
    backlog.free_disk_min = node.size("free_disk_min", backlog.free_disk_min, 0, std::size_t{1} << 44);
    backlog.warn_at = node.number("warn_at", backlog.warn_at, 0.1, 1);
    node.done();
    return backlog;
}

bool is_file(const std::string& name) {
    std::error_code ignored;
    return fs::is_regular_file(name, ignored);
}

std::string absolute(const std::string& name) { return fs::absolute(name).lexically_normal().string(); }

std::vector<std::string> shipped_mappings(const ConfigNode& root) {
    const std::vector<std::string> folders = {root.beside("mappings"), root.beside("../mappings"),
                                              "/usr/share/orbridge/mappings"};
    std::vector<std::string> found;
    for (const auto& name : kShippedMappings) {
        const auto has_it = [&](const fs::path& folder) { return is_file((folder / name).string()); };
        const auto folder = std::find_if(folders.begin(), folders.end(), has_it);
        if (folder != folders.end()) found.push_back(absolute((fs::path(*folder) / name).string()));
    }
    if (found.empty()) {
        root["mappings"].complain("missing, and neither " + join(kShippedMappings, " nor ") + " is in " +
                                  join(folders, ", "));
    }
    return found;
}

std::vector<std::string> read_mappings(const ConfigNode& root) {
    const auto node = root["mappings"];
    if (!node.present()) return shipped_mappings(root);
    std::vector<std::string> files;
    for (const auto& item : node.one_or_list()) {
        const auto name = item.as_text();
        if (!name) continue;
        const auto file = absolute(item.beside(*name));
        if (!is_file(file)) {
            item.complain("there is no such file");
        } else if (std::find(files.begin(), files.end(), file) != files.end()) {
            item.complain("named twice");
        } else {
            files.push_back(file);
        }
    }
    if (node.is_list() && node.items().empty()) node.complain("must not be empty");
    return files;
}

/// Those that come with the program stand first; who has more names their folders.
AdapterSettings read_adapters(const ConfigNode& root) {
    AdapterSettings adapters;
    const auto node = root["adapters"];
    for (const auto& shipped :
         {root.beside("adapters"), root.beside("../adapters"), std::string("/usr/share/orbridge/adapters")}) {
        if (!is_file((fs::path(shipped) / "http.yaml").string())) continue;
        adapters.folders.push_back(absolute(shipped));
        break;
    }
    for (const auto& item : node["folders"].one_or_list()) {
        const auto name = item.as_text();
        if (!name) continue;
        const auto folder = absolute(item.beside(*name));
        std::error_code ignored;
        if (!fs::is_directory(folder, ignored)) {
            item.complain("there is no such folder");
        } else if (std::find(adapters.folders.begin(), adapters.folders.end(), folder) == adapters.folders.end()) {
            adapters.folders.push_back(folder);
        }
    }
    adapters.allow = node.texts("allow", {});
    adapters.step_data_bytes_max = node.size("step_data_bytes_max", adapters.step_data_bytes_max, kKiB, 4 * kMiB);
    node.done();
    return adapters;
}

}  // namespace

const char* to_text(LoopSettings::Policy policy) {
    switch (policy) {
        case LoopSettings::Policy::Deliver: return "deliver";
        case LoopSettings::Policy::Mark: return "mark";
        case LoopSettings::Policy::Cut: return "cut";
    }
    return "";
}

bool is_name(std::string_view text) {
    const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    const auto fits = [&](char c) { return plain(c) || c == '_' || c == '-'; };
    return !text.empty() && text.size() <= 63 && plain(text.front()) && std::all_of(text.begin(), text.end(), fits);
}

void check_name(const ConfigNode& node, const std::string& name) {
    if (!is_name(name)) node.complain("not a name, expected 1 to 63 of a-z, 0-9, `_` and `-`, a letter or digit first");
}

Settings read_settings(const ConfigNode& root, Complaints& /*all reach it through root*/) {
    Settings settings;
    settings.file = root.file();
    settings.http = read_http(root);
    settings.public_url = root.url("public_url", false);
    settings.store = read_store(root);
    settings.replay = read_replay(root);
    settings.backlog = read_backlog(root);
    settings.mappings = read_mappings(root);
    settings.adapters = read_adapters(root);
    settings.exapp = read_exapp(root, settings.http);
    settings.sources = read_sources(root, settings.exapp);
    check_replay_memory(settings.sources, settings.store.retention_finished);
    settings.targets = read_targets(root);
    settings.routes = read_routes(root, settings.sources, settings.targets);
    settings.subscriptions = read_subscriptions(root);
    settings.credentials = read_credentials(root);

    const auto admin = root["admin"];
    settings.admin_token = admin.secret("token", false);
    admin.done();
    const auto log = root["log"];
    settings.log_level = log.word("level", {"debug", "info", "warning", "error"}, settings.log_level);
    log.done();
    const auto deliver = root["deliver"];
    settings.in_flight_max = static_cast<int>(deliver.integer("in_flight_max", settings.in_flight_max, 1, 10'000));
    settings.lookups_max = static_cast<int>(deliver.integer("lookups_max", settings.lookups_max, 1, 256));
    settings.threads_max = static_cast<int>(deliver.integer("threads_max", settings.threads_max, 1, 256));
    settings.ca_file = read_ca_file(deliver["ca_file"]);
    deliver.done();
    settings.stop_timeout = root.duration("stop_timeout", settings.stop_timeout, 0s, 5min);
    settings.standby.enabled = root.flag("standby", settings.standby.enabled);
    settings.standby.poll = root.duration("standby_poll", settings.standby.poll, 10ms, 1min);
    root.done();
    return settings;
}

}  // namespace orbridge
