#include <algorithm>
#include <array>
#include <set>

#include "bridge/core/text.h"
#include "bridge/settings/sections.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;

bool contains(const std::vector<std::string>& all, std::string_view one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

const std::vector<std::string> kTypes = {"openregister", "nextcloud", "record", "spidamin", "push", "http"};

std::string read_type(const ConfigNode& node) {
    const auto type = node["type"];
    if (!type.present()) type.complain("missing, expected one of: " + join(kTypes, ", "));
    return node.word("type", kTypes, "");
}

/// As an ExApp: no password, no secret of one's own to choose, no address of ours to tell.
void read_app_api(const ConfigNode& node, const std::optional<AppApiSettings>& exapp, SourceSettings& source) {
    if (!exapp) {
        node["login"].complain(
            "`app_api` is only for a bridge that runs as a Nextcloud ExApp, expected the section "
            "`exapp` at the top of the file");
        return;
    }
    for (const auto* key : {"password", "password_file", "token", "token_file"})
        if (node[key].present()) node[key].complain("does not go with `login: app_api`");
    source.app_api = exapp;
    source.url = exapp->url;
    const auto before = std::move(source.secrets);
    // Nextcloud shows it with each event, besides the app's secret, which other ways in carry too.
    source.secrets = {Secret(to_hex(hmac_sha256(exapp->secret.reveal(), "orbridge ingest " + source.id.value)))};
    source.secrets.insert(source.secrets.end(), before.begin(), before.end());
}

void read_login(const ConfigNode& node, SourceSettings& source) {
    source.user = node.text("user", "");
    if (source.app_api) return;
    source.password = node.secret("password", false);
    source.bearer = node.secret("token", false);
    const bool has_user = node["user"].present();
    const bool has_password = node["password"].present() || node["password_file"].present();
    const bool has_token = node["token"].present() || node["token_file"].present();
    if (has_token && (has_user || has_password))
        node.complain("has both `token` and `user` or `password`, expected only one way to log in");
    if (has_user && !has_password) node["password"].complain("missing beside `user`");
    if (has_password && !has_user) node["user"].complain("missing beside `password`");
}

/// `auto`, `off`, or a list of intakes that the type has.
std::vector<std::string> read_register(const ConfigNode& node, const std::string& type) {
    const auto wanted = node["register"];
    if (!wanted.present()) return {"auto"};
    std::vector<std::string> intakes = {"listeners"};
    if (type != "nextcloud") intakes.insert(intakes.end(), {"webhooks", "hooks"});
    std::vector<std::string> words;
    for (const auto& item : wanted.one_or_list()) {
        const auto word = item.as_text();
        const bool is_whole = word && !wanted.is_list() && (*word == "auto" || *word == "off");
        if (word && !is_whole && !contains(intakes, *word)) {
            std::string expected = "expected auto, off or a list of: ";
            for (const auto& each : intakes) expected += (each == intakes.front() ? "" : ", ") + each;
            item.complain(expected);
        }
        if (word) words.push_back(*word);
    }
    if (wanted.is_list() && words.empty()) wanted.complain("must not be empty, expected `off` for none");
    return words;
}

void check_fit(const ConfigNode& node, const SourceSettings& source) {
    if (source.type != "nextcloud") return;
    for (const auto* key : {"hook_token", "hook_token_file", "schemas", "names_every"})
        if (node[key].present()) node[key].complain("does not fit `type: nextcloud`, only openregister has it");
}

void check_secret(const ConfigNode& node, const SourceSettings& source) {
    if (source.app_api && node["verify"].as_text() == "none")
        node["verify"].complain("`none` does not go with `login: app_api`");
    if (source.app_api) return;

    const bool has_secret = node["secret"].present() || node["secret_file"].present();
    const bool unverified = node["verify"].as_text() == "none";
    if (has_secret && unverified)
        node["verify"].complain("`none` does not go with a secret, which would not be looked at; expected one of them");
    if (has_secret || unverified) return;
    node["secret"].complain(
        "missing, whoever sends events must prove who they are: make one with `openssl rand -hex 32` and give "
        "`secret_file: <file>` or `secret: ${NAME}`");
}

bool hook_token_given(const ConfigNode& node) {
    return node["hook_token"].present() || node["hook_token_file"].present();
}

/// Events of Nextcloud itself come by AppAPI; OpenRegister's own webhooks and hooks need an address and an account.
void check_app_api_register(const ConfigNode& root, const ConfigNode& node, const SourceSettings& source) {
    const bool direct = contains(source.intakes_wanted, "webhooks") || contains(source.intakes_wanted, "hooks");
    if (!direct) return;
    if (source.user.empty())
        node["user"].complain("missing, expected the account to act as at OpenRegister, which knows no apps");
    if (root.text("public_url", "").empty())
        node.complain("cannot register webhooks or hooks without `public_url` at the top of the file");
}

/// What registering at the source takes.
void check_register(const ConfigNode& root, const ConfigNode& node, const SourceSettings& source) {
    if (contains(source.intakes_wanted, "off") || source.intakes_wanted.empty()) return;
    if (source.unverified)
        node["verify"].complain("`none` does not go with registering, expected a `secret`, or `register: off`");
    const bool wants_hooks = contains(source.intakes_wanted, "hooks") || !source.schemas.empty();
    if (source.type == "openregister" && wants_hooks && source.hook_token.empty() && !hook_token_given(node)) {
        node["hook_token"].complain(
            "missing, schema hooks need the token OpenRegister is to show: "
            "`hook_token_file: <file>` or `hook_token: ${NAME}`");
    }
    if (source.app_api) return check_app_api_register(root, node, source);
    if (!node["url"].present())
        node["url"].complain("missing, expected the address of the Nextcloud to register at, or `register: off`");
    if (!root["public_url"].present()) {
        node.complain(
            "cannot register without `public_url` at the top of the file: the address at which the source "
            "reaches us; or `register: off`");
    }
    const auto has = [&](const char* key) { return node[key].present(); };
    if (!has("user") && !has("password") && !has("password_file") && !has("token") && !has("token_file")) {
        node.complain(
            "cannot register without credentials, expected `user` and `password_file`, or `token_file`; or "
            "`register: off`");
    }
}

/// Sends by itself, and is known by a bearer token. There is nothing to register at it.
void read_plain_source(const ConfigNode& node, SourceSettings& source) {
    source.secrets = node.secrets("token", true);
    source.paths = node.texts("paths", {});
    source.limit = read_rate(node["limit"]);
    source.intakes_wanted = {"off"};
    source.node = node;
    node.done();
}

std::size_t read_count(const ConfigNode& node, std::string_view key, std::size_t usual, std::int64_t most) {
    return static_cast<std::size_t>(node.integer(key, static_cast<std::int64_t>(usual), 2, most));
}

void read_pace(const ConfigNode& node, PollSettings& poll) {
    poll.interval = node.duration("interval", poll.interval, 100ms, 24h);
    poll.fallback_interval =
        node.duration("fallback_interval", std::max(poll.fallback_interval, poll.interval), 100ms, 24h);
    poll.push_timeout = node.duration("push_timeout", poll.push_timeout, 1s, 30 * 24h);
    poll.backoff_max = node.duration("backoff_max", poll.backoff_max, 100ms, 24h);
    poll.stale_after = node.duration("stale_after", poll.interval * 2, 1ms, 30 * 24h);
    poll.refresh_min = node.duration("refresh_min", poll.refresh_min, 0ms, 24h);
    const auto existing = node.word("existing", {"remember", "tell", "backfill"}, "remember");
    poll.tell_existing = existing == "tell";
    poll.backfill_existing = existing == "backfill";
}

/// What is polled is held against its snapshots.
void read_snapshots(const ConfigNode& node, SourceSettings& source) {
    source.snapshots = node.flag("snapshots", source.type == "openregister" || source.poll.has_value());
    if (source.poll && !source.snapshots)
        node["snapshots"].complain("a source that is polled needs its snapshots, expected true, or `poll: off`");
}

std::optional<OAuth2Settings> read_oauth2(const ConfigNode& source) {
    const auto node = source["oauth2"];
    if (!node.present()) return std::nullopt;
    for (const auto* key : {"user", "password", "password_file", "token", "token_file"})
        if (source[key].present()) source[key].complain("does not go with `oauth2`, expected only one way to log in");
    OAuth2Settings settings;
    settings.credentials = node.text("credentials");
    settings.owner = node.text("owner", settings.owner);
    settings.token_url = node.url("token_url", true);
    settings.scope = node.text("scope", "");
    settings.in_header = node.word("client_auth", {"basic", "body"}, "basic") == "basic";
    settings.margin = node.duration("margin", settings.margin, 0s, 24h);
    settings.timeout = node.duration("timeout", settings.timeout, 10ms, 5min);
    const bool is_owner = settings.owner == "global" || settings.owner.starts_with("register:") ||
                          settings.owner.starts_with("workspace:");
    if (!is_owner) node["owner"].complain("expected `global`, `register:<id>` or `workspace:<name>`");
    node.done();
    return settings;
}

/// Polled only. What it asks and how it reads the answer is its adapter's business, which reads the rest of `poll`.
void read_http_source(const ConfigNode& node, SourceSettings& source) {
    source.url = node.url("url", true);
    read_login(node, source);
    source.oauth2 = read_oauth2(node);
    source.mapping = node.text("mapping", source.mapping);
    source.intakes_wanted = {"off"};
    source.poll.emplace();
    read_pace(node["poll"], *source.poll);
    read_snapshots(node, source);
    source.timeout = node.duration("timeout", source.timeout, 10ms, 5min);
    source.answer_bytes_max = node.size("answer_bytes_max", source.answer_bytes_max, 1 << 10, 64 << 20);
    source.rate = read_rate(node["rate"]);
    source.node = node;
    node.done();
}

/// `on`, `off`, or a section.
std::optional<PollSettings> read_poll(const ConfigNode& source, const std::string& type) {
    const auto node = source["poll"];
    if (!node.present()) return std::nullopt;
    const auto word = node.is_map() ? std::optional<std::string>() : node.as_text();
    if (word && *word == "off") return std::nullopt;
    if (type != "openregister") node.complain("only sources of type openregister and http can be polled");
    const bool known = source["url"].present() || source["login"].as_text() == "app_api";
    if (!known) node.complain("needs the source's `url`, and who to log in as");
    PollSettings poll;
    if (word) {
        if (*word != "on") node.complain("expected on, off, or a section of settings");
        return poll;
    }
    read_pace(node, poll);
    poll.log = node.word("log", {"auto", "realtime", "audit", "lists"}, poll.log);
    if (node["compare_every"].present() && node["compare_every"].as_text() != "auto")
        poll.compare_every = node.duration("compare_every", milliseconds{0}, 0ms, 30 * 24h);
    poll.page_rows = read_count(node, "page_rows", poll.page_rows, 10'000);
    poll.tail_rows = read_count(node, "tail_rows", poll.tail_rows, 10'000);
    poll.page_objects = read_count(node, "page_objects", poll.page_objects, 1'000);
    poll.objects_max = read_count(node, "objects_max", poll.objects_max, 100'000'000);
    node.done();
    return poll;
}

SourceSettings read_source(const ConfigNode& root, const std::optional<AppApiSettings>& exapp, const std::string& name,
                           const ConfigNode& node) {
    check_name(node, name);
    SourceSettings source;
    source.id = {name};
    source.type = read_type(node);
    source.mapping = source.type;
    if (source.type == "push") {
        read_push_source(node, source);
        return source;
    }
    if (source.type == "http") {
        read_http_source(node, source);
        return source;
    }
    if (source.type == "record" || source.type == "spidamin") {
        read_plain_source(node, source);
        return source;
    }
    source.url = node.url("url", false);
    source.secrets = node.secrets("secret", false);
    if (node.word("login", {"password", "app_api"}, "password") == "app_api") read_app_api(node, exapp, source);
    read_login(node, source);
    source.hook_token = node.secret("hook_token", false);
    source.unverified = node.word("verify", {"auto", "none"}, "auto") == "none";
    source.paths = node.texts("paths", {});
    source.intakes_wanted = read_register(node, source.type);
    source.classes = node.texts("classes", {});
    source.schemas = node.texts("schemas", {});
    source.poll = read_poll(node, source.type);
    read_snapshots(node, source);
    source.reconcile_every = node.duration("reconcile_every", source.reconcile_every, 1s, 24h);
    source.names_every = node.duration("names_every", source.names_every, 1s, 24h);
    source.timeout = node.duration("timeout", source.timeout, 10ms, 5min);
    source.answer_bytes_max = node.size("answer_bytes_max", source.answer_bytes_max, 1 << 10, 64 << 20);
    source.limit = read_rate(node["limit"]);
    source.rate = read_rate(node["rate"]);
    if (source.rate.requests > 0 && source.url.empty())
        node["rate"].complain("needs the source's `url`: nothing else is asked");
    source.node = node;
    check_fit(node, source);
    check_secret(node, source);
    check_register(root, node, source);
    node.done();
    return source;
}

constexpr std::array<std::string_view, 11> kOurs = {"/ingest",       "/engine",  "/api",    "/ui",
                                                    "/openapi.yaml", "/healthz", "/readyz", "/metrics",
                                                    "/heartbeat",    "/init",    "/enabled"};

bool is_ours(const std::string& path) {
    return std::any_of(kOurs.begin(), kOurs.end(), [&](std::string_view ours) {
        return path == ours || path.substr(0, ours.size() + 1) == std::string(ours) + '/';
    });
}

/// `paths` must lead nowhere else already.
void check_paths(const std::vector<SourceSettings>& sources) {
    std::set<std::string> taken;
    for (const auto& source : sources) {
        const auto node = (*source.node)["paths"];
        for (const auto& item : node.one_or_list()) {
            const auto path = item.as_text().value_or("");
            if (path.empty()) continue;
            if (path.front() != '/' || path.size() == 1 || path.find_first_of("?# ") != std::string::npos) {
                item.complain("expected a path like /hooks/cloud");
            } else if (is_ours(path)) {
                item.complain("this path has another meaning already");
            } else if (!taken.insert(path).second) {
                item.complain("this path was given before");
            }
        }
    }
}

}  // namespace

std::vector<SourceSettings> read_sources(const ConfigNode& root, const std::optional<AppApiSettings>& exapp) {
    std::vector<SourceSettings> sources;
    const auto node = root["sources"];
    if (!node.present()) node.complain("missing, expected at least one source");
    for (const auto& [name, source] : node.entries()) sources.push_back(read_source(root, exapp, name, source));
    check_paths(sources);
    return sources;
}

}  // namespace orbridge
