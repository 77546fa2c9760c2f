#include "bridge/settings/settings.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "bridge/core/json.h"
#include "bridge/core/text.h"
#include "tests/support/temporary_folder.h"

using namespace orbridge;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;
namespace fs = std::filesystem;

namespace {

std::string content_of(const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

std::string example(const std::string& name) { return content_of(fs::path(ORBRIDGE_ROOT) / "config" / name); }

/// A folder with config/, mappings/ and secrets/, gone with it.
struct Place : test::TemporaryFolder {
    Place() {
        for (const auto* folder : {"config", "mappings", "secrets"}) fs::create_directory(path / folder);
        put("mappings/openregister.yaml", "");
        for (const auto* mapping : {"nextcloud", "github", "meta", "http"})
            put("mappings/" + std::string(mapping) + ".yaml", "");
        for (const auto* secret : {"nextcloud_app_password", "ingest_secret", "ingest_secret_before", "hook_token",
                                   "windmill_token", "admin_token", "github_webhook_secret", "meta_app_secret",
                                   "meta_verify_token", "billing_token", "callback_secret", "app_secret", "desk_token"})
            put(std::string("secrets/") + secret, std::string(secret) + "-value\n");
        put("secrets/credentials_key", std::string(64, 'a') + "\n");
        fs::permissions(path / "secrets/credentials_key", fs::perms::owner_read | fs::perms::owner_write);
    }
};

struct Read {
    Complaints complaints;
    Settings settings;
    Read(const Place& place, std::string text) {
        text = std::regex_replace(text, std::regex("/run/secrets/"), (place.path / "secrets/").string());
        const auto name = (place.path / "config/c.yaml").string();
        settings = read_settings(ConfigNode::parse(text, name, complaints), complaints);
    }
    /// Without the folder in front.
    Lines lines() const {
        auto lines = complaints.lines();
        for (auto& line : lines) line = line.substr(line.find("c.yaml:"));
        return lines;
    }
};

void check(const Lines& found, const Lines& expected) {
    BOOST_CHECK_EQUAL_COLLECTIONS(found.begin(), found.end(), expected.begin(), expected.end());
}

const std::string kPush = "sources: {s: {type: openregister, secret: x, register: off}}\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(settings)

BOOST_AUTO_TEST_CASE(the_minimal_example_loads_with_the_defaults) {
    const Place place;
    const Read read(place, example("minimal.yaml"));
    check(read.lines(), {});
    const auto& settings = read.settings;
    BOOST_TEST(settings.public_url == "http://orbridge:8080");
    BOOST_TEST(settings.store.path == "/var/lib/orbridge/orbridge.db");
    check(settings.mappings,
          {(place.path / "mappings/openregister.yaml").string(), (place.path / "mappings/nextcloud.yaml").string(),
           (place.path / "mappings/github.yaml").string(), (place.path / "mappings/meta.yaml").string(),
           (place.path / "mappings/http.yaml").string()});
    BOOST_REQUIRE(settings.sources.size() == 1U);
    const auto& source = settings.sources[0];
    BOOST_TEST(source.id.value == "cloud");
    BOOST_TEST(source.password.reveal() == "nextcloud_app_password-value");
    BOOST_REQUIRE(source.secrets.size() == 1U);
    check(source.intakes_wanted, {"auto"});
    BOOST_REQUIRE(settings.targets.size() == 1U);
    BOOST_TEST(settings.targets[0].adapter == "windmill");
    BOOST_TEST((settings.targets[0].retry.schedule == default_retry_policy().schedule));
    BOOST_REQUIRE(settings.routes.size() == 1U);
    BOOST_TEST(settings.routes[0].name == "routes[0]");
    BOOST_TEST(settings.routes[0].to[0].value == "on-object");
    BOOST_TEST(settings.routes[0].ordered);
    BOOST_TEST(settings.admin_token.empty());
}

BOOST_AUTO_TEST_CASE(the_full_example_loads_and_shows_the_defaults) {
    const Place place;
    const Read read(place, example("orbridge.yaml"));
    check(read.lines(), {});
    const auto& settings = read.settings;
    BOOST_REQUIRE(settings.sources.size() == 7U);
    BOOST_TEST(settings.sources[0].secrets.size() == 2U);
    BOOST_TEST(settings.sources[0].hook_token.reveal() == "hook_token-value");
    check(settings.sources[1].intakes_wanted, {"off"});
    BOOST_REQUIRE(settings.routes.size() == 1U);
    BOOST_REQUIRE(settings.routes[0].when.size() == 1U);
    BOOST_TEST(settings.routes[0].when[0].path == "object.register");
    check(settings.routes[0].when[0].any_of, {"3", "4"});
    BOOST_TEST(settings.routes[0].interpolation == "refuse");

    const Read least(place, example("minimal.yaml"));
    check(differences(least.settings, settings),
          {"adapters.allow: none → 10.0.0.0/8",
           "admin.token: changed",
           "credentials.key: changed",
           "routes, in order: routes[0] → objects",
           "routes[0]: removed",
           "sources.cloud.classes: none → OCA\\OpenRegister\\Event\\ObjectCreatedEvent, "
           "OCA\\OpenRegister\\Event\\ObjectUpdatedEvent",
           "sources.cloud.hook_token: changed",
           "sources.cloud.paths: none → /hooks/cloud",
           "sources.cloud.poll.backoff_max: none → 15m",
           "sources.cloud.poll.compare_every: none → auto",
           "sources.cloud.poll.existing: none → remember",
           "sources.cloud.poll.fallback_interval: none → 5m",
           "sources.cloud.poll.interval: none → 30s",
           "sources.cloud.poll.log: none → auto",
           "sources.cloud.poll.objects_max: none → 1000000",
           "sources.cloud.poll.page_objects: none → 200",
           "sources.cloud.poll.page_rows: none → 500",
           "sources.cloud.poll.push_timeout: none → 1h",
           "sources.cloud.poll.refresh_min: none → 5s",
           "sources.cloud.poll.stale_after: none → 1m",
           "sources.cloud.poll.tail_rows: none → 200",
           "sources.cloud.schemas: none → *",
           "sources.cloud.secret: changed",
           "targets.on-object.any key, secrets included: changed",
           "targets.on-object.rate: none → 50/1s",
           "routes.objects: added",
           "sources.files: added",
           "sources.github: added",
           "sources.pages: added",
           "sources.partner: added",
           "sources.shop: added",
           "sources.tickets: added",
           "subscriptions: added"});
}

BOOST_AUTO_TEST_CASE(all_mistakes_of_a_file_are_told_at_once_each_with_its_place) {
    const Place place;
    ::unsetenv("ORBRIDGE_TEST_NONE");
    const Read read(place, R"(listen: 8080
public_ulr: http://orbridge:8080
store: postgresql://db/orbridge
http: {threads_max: 0, keep_alive: 5}
mappings: [../mappings/openregister.yaml, none.yaml]
sources:
  cloud:
    type: openregistre
    url: cloud.example.org
    user: orbridge
    secret: ${ORBRIDGE_TEST_NONE}
  Files:
    type: nextcloud
    register: [hooks, listeners]
    schemas: zaken
    paths: [/api/v1/files]
targets:
  on-object:
    adapter: windmill
    retry: {schedule: [1s, soon], jitter: 2}
    retry: {}
routes:
  - {channel: Object, event_name: '(created', to: [on-objct]}
  - {name: x, source: clod, when: {status: open}, order: random}
  - {name: x, to: on-object, too: on-object}
log: {level: loud}
)");
    check(read.lines(),
          {"c.yaml:1:9: listen: expected an address and a port, like 0.0.0.0:8080 or [::]:8080, or `unix:/<file>`",
           "c.yaml:2:1: public_ulr: unknown key, did you mean `public_url`? (known: listen, http, public_url, store, "
           "replay, backlog, mappings, adapters, exapp, sources, targets, routes, subscriptions, credentials, admin, "
           "log, "
           "deliver, stop_timeout, standby, standby_poll)",
           "c.yaml:3:8: store: expected `sqlite:<file>`, like sqlite:/var/lib/orbridge/orbridge.db",
           "c.yaml:4:21: http.threads_max: `0` is out of range, expected 1 to 1024",
           "c.yaml:4:36: http.keep_alive: `5` is not a duration like 500ms, 20s, 5m, 1h or 3d",
           "c.yaml:5:43: mappings[1]: there is no such file",
           "c.yaml:7:3: sources.cloud.password: missing beside `user`",
           "c.yaml:7:3: sources.cloud: cannot register without `public_url` at the top of the file: the address at "
           "which the source reaches us; or `register: off`",
           "c.yaml:8:11: sources.cloud.type: `openregistre` is not one of: openregister, nextcloud, record, spidamin, "
           "push, http",
           "c.yaml:9:10: sources.cloud.url: does not begin with http:// or https://, expected a URL like "
           "https://host/path",
           "c.yaml:11:13: sources.cloud.secret: the environment variable ORBRIDGE_TEST_NONE is not set",
           "c.yaml:12:3: sources.Files: not a name, expected 1 to 63 of a-z, 0-9, `_` and `-`, a letter or digit first",
           "c.yaml:12:3: sources.Files.secret: missing, whoever sends events must prove who they are: make one with "
           "`openssl rand -hex 32` and give `secret_file: <file>` or `secret: ${NAME}`",
           "c.yaml:12:3: sources.Files.url: missing, expected the address of the Nextcloud to register at, or "
           "`register: off`",
           "c.yaml:12:3: sources.Files: cannot register without `public_url` at the top of the file: the address at "
           "which the source reaches us; or `register: off`",
           "c.yaml:12:3: sources.Files: cannot register without credentials, expected `user` and `password_file`, or "
           "`token_file`; or `register: off`",
           "c.yaml:14:16: sources.Files.register[0]: expected auto, off or a list of: listeners",
           "c.yaml:15:14: sources.Files.schemas: does not fit `type: nextcloud`, only openregister has it",
           "c.yaml:16:13: sources.Files.paths[0]: this path has another meaning already",
           "c.yaml:20:28: targets.on-object.retry.schedule[1]: `soon` is not a duration like 500ms, 20s, 5m, 1h or 3d",
           "c.yaml:20:43: targets.on-object.retry.jitter: `2` is out of range, expected 0 to 1",
           "c.yaml:21:5: targets.on-object.retry: given twice, first in line 20",
           "c.yaml:23:35: routes[0].event_name: not a valid RE2 pattern: missing ): (created",
           "c.yaml:23:52: routes[0].to[0]: there is no such target, did you mean `on-object`? (known: on-object)",
           "c.yaml:24:5: routes[1].to: missing, expected the name of a target or a list of them",
           "c.yaml:24:23: routes[1].source: there is no such source, did you mean `cloud`? (known: cloud, Files)",
           "c.yaml:24:44: routes[1].when.status: expected a path into the payload, like payload.object.data.status",
           "c.yaml:24:58: routes[1].order: `random` is not one of: subject, none",
           "c.yaml:25:12: routes[2].name: another route has this name",
           "c.yaml:25:30: routes[2].too: unknown key, did you mean `to`? (known: name, source, channel, event_name, "
           "when, to, order, coalesce, backfilled, loop, interpolation, task, params, steps)",
           "c.yaml:26:14: log.level: `loud` is not one of: debug, info, warning, error"});
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_said_with_what_is_expected) {
    const Place place;
    place.put("secrets/empty", "\n");
    const std::string register_at =
        "public_url: http://o\nsources: {s: {type: openregister, url: 'http://c', secret: x, ";
    const std::string targets = kPush + "targets: {t: {adapter: a}}\n";
    const std::vector<std::pair<std::string, Lines>> cases = {
        {"", {"c.yaml:1:1: sources: missing, expected at least one source"}},
        {kPush, {}},
        {"sources: [a]\n", {"c.yaml:1:1: sources: expected a mapping, found a list"}},
        {"sources: {s: {secret: x, register: off}}\n",
         {"c.yaml:1:11: sources.s.type: missing, expected one of: openregister, nextcloud, record, spidamin, push, "
          "http"}},
        {"sources: {s: {type: nextcloud, register: off, secret_file: /run/secrets/empty}}\n",
         {"c.yaml:1:60: sources.s.secret_file: file `" + (place.path / "secrets/empty").string() +
          "`: its first line is empty"}},
        {register_at + "user: u, password: p}}\n", {}},
        {register_at + "token: t}}\n", {}},
        {register_at + "token: t, user: u, password: p}}\n",
         {"c.yaml:2:11: sources.s: has both `token` and `user` or `password`, expected only one way to log in"}},
        {register_at + "password: p}}\n", {"c.yaml:2:11: sources.s.user: missing beside `password`"}},
        {register_at + "token: t, register: hooks}}\n",
         {"c.yaml:2:11: sources.s.hook_token: missing, schema hooks need the token OpenRegister is to show: "
          "`hook_token_file: <file>` or `hook_token: ${NAME}`"}},
        {register_at + "token: t, register: []}}\n",
         {"c.yaml:2:73: sources.s.register: must not be empty, expected `off` for none"}},
        {register_at + "token: t, register: [auto]}}\n",
         {"c.yaml:2:84: sources.s.register[0]: expected auto, off or a list of: listeners, webhooks, hooks"}},
        {"sources: {a: {type: nextcloud, secret: x, register: off, paths: [/x, /x, y, /]}}\n",
         {"c.yaml:1:70: sources.a.paths[1]: this path was given before",
          "c.yaml:1:74: sources.a.paths[2]: expected a path like /hooks/cloud",
          "c.yaml:1:77: sources.a.paths[3]: expected a path like /hooks/cloud"}},
        {"sources: {a: {type: nextcloud, verify: none, register: off}}\n", {}},
        {"sources: {a: {type: nextcloud, verify: none, secret: x, register: off}}\n",
         {"c.yaml:1:40: sources.a.verify: `none` does not go with a secret, which would not be looked at; expected one "
          "of them"}},
        {"public_url: http://o\nsources: {a: {type: nextcloud, url: 'http://c', token: t, verify: none}}\n",
         {"c.yaml:2:67: sources.a.verify: `none` does not go with registering, expected a `secret`, or `register: "
          "off`"}},
        {"sources: {s: {type: nextcloud, secret: x, register: off, rate: 5/1s}}\n",
         {"c.yaml:1:64: sources.s.rate: needs the source's `url`: nothing else is asked"}},
        {kPush + "mappings: []\n", {"c.yaml:2:1: mappings: must not be empty"}},
        {kPush + "mappings: [../mappings/nextcloud.yaml, ../mappings/./nextcloud.yaml]\n",
         {"c.yaml:2:40: mappings[1]: named twice"}},
        {kPush + "store: {path: x.db, retention: {finished: 1m}}\n",
         {"c.yaml:2:43: store.retention.finished: `1m` is out of range, expected 1h to 3650d"}},
        {kPush + "store: 'sqlite:'\n",
         {"c.yaml:2:8: store: expected `sqlite:<file>`, like sqlite:/var/lib/orbridge/orbridge.db"}},
        {kPush + "listen: '[::1]:0'\n", {}},
        {kPush + "listen: 1.2.3.4:70000\n",
         {"c.yaml:2:9: listen: expected an address and a port, like 0.0.0.0:8080 or [::]:8080, or `unix:/<file>`"}},
        {kPush + "targets: {t: {url: x}}\n", {"c.yaml:2:11: targets.t.adapter: missing"}},
        {targets + "routes: [{to: []}]\n", {"c.yaml:3:11: routes[0].to: must not be empty"}},
        {targets + "routes: [{to: t, when: {payload.a: []}}]\n",
         {"c.yaml:3:25: routes[0].when.payload.a: expected a value or a list of values"}},
        {targets + "routes: [{to: t, when: {payload.a: ''}}]\n", {}},
    };
    for (const auto& [text, expected] : cases) BOOST_TEST_CONTEXT(text) check(Read(place, text).lines(), expected);
}

BOOST_AUTO_TEST_CASE(K7_a_master_key_is_32_bytes_in_a_file_of_its_owner_or_a_mistake_that_does_not_show_it) {
    const Place place;
    const auto read = [&](const std::string& content, fs::perms mode = fs::perms::owner_read) {
        place.put("secrets/key", content);
        fs::permissions(place.path / "secrets/key", mode | fs::perms::owner_read | fs::perms::owner_write);
        return Read(place, kPush + "credentials: {key_file: /run/secrets/key}\n");
    };
    const std::string base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    BOOST_TEST(to_base64(read(base64).settings.credentials.keys.at(0).reveal()) == base64);
    BOOST_TEST(read(std::string(64, 'b')).settings.credentials.keys.at(0).reveal() == std::string(32, '\xbb'));
    for (const auto& wrong : {std::string(62, 'b'), std::string(66, 'b'), std::string(64, 'g'), std::string(32, 'b'),
                              base64.substr(0, 43), std::string("S3CR3T-typed-by-hand")}) {
        const auto lines = read(wrong).lines();
        BOOST_REQUIRE(lines.size() == 1U);
        BOOST_TEST(lines[0].find("exactly 32 bytes") != std::string::npos);
        BOOST_TEST(lines[0].find(wrong) == std::string::npos);
    }
    for (const auto mode : {fs::perms::others_read, fs::perms::group_read, fs::perms::group_write}) {
        const auto lines = read(base64, mode).lines();
        BOOST_REQUIRE(lines.size() == 1U);
        BOOST_TEST(lines[0].find("expected mode 0600") != std::string::npos);
    }
    BOOST_TEST(Read(place, kPush).settings.credentials.keys.empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_parsed_is_complained_of_once) {
    const Place place;
    check(Read(place, "sources: [\n").lines(), {"c.yaml:2:1: not valid YAML: end of sequence flow not found"});
}

BOOST_AUTO_TEST_CASE(names_of_files_are_relative_to_the_configuration) {
    const Place place;
    const Read read(place, kPush + "store: sqlite:data/o.db\nmappings: ../mappings/nextcloud.yaml\n");
    check(read.lines(), {});
    BOOST_TEST(read.settings.store.path == (place.path / "config/data/o.db").string());
    check(read.settings.mappings, {(place.path / "mappings/nextcloud.yaml").string()});
}

BOOST_AUTO_TEST_CASE(mappings_beside_the_configuration_win_over_the_folder_above) {
    const Place place;
    fs::create_directory(place.path / "config/mappings");
    place.put("config/mappings/nextcloud.yaml", "");
    check(Read(place, kPush).settings.mappings,
          {(place.path / "mappings/openregister.yaml").string(),
           (place.path / "config/mappings/nextcloud.yaml").string(), (place.path / "mappings/github.yaml").string(),
           (place.path / "mappings/meta.yaml").string(), (place.path / "mappings/http.yaml").string()});
}

BOOST_AUTO_TEST_CASE(connecting_never_has_longer_than_the_whole_exchange) {
    const Place place;
    const Read read(place, kPush + "targets: {t: {adapter: a, timeout: 2s}}\n");
    BOOST_TEST((read.settings.targets.at(0).connect_timeout == 2s));
}

BOOST_AUTO_TEST_CASE(differences_never_show_a_secret) {
    const Place place;
    const auto before = Read(place, example("minimal.yaml")).settings;
    check(differences(before, before), {});
    place.put("secrets/ingest_secret", "another");
    place.put("secrets/windmill_token", "another");
    const auto after = Read(place, example("minimal.yaml") + "log: {level: debug}\n").settings;
    check(differences(before, after), {"log.level: info → debug", "sources.cloud.secret: changed",
                                       "targets.on-object.any key, secrets included: changed"});
}

BOOST_AUTO_TEST_CASE(a_target_may_have_a_rate_and_a_breaker_of_its_own) {
    const Place place;
    const auto target = [&](const std::string& keys) {
        return Read(place, std::regex_replace(example("minimal.yaml"), std::regex("adapter: windmill"),
                                              "adapter: windmill\n" + keys));
    };
    const auto short_form = target("    rate: 10/2s\n    breaker: off").settings.targets[0];
    BOOST_TEST(short_form.rate.requests == 10);
    BOOST_CHECK(short_form.rate.per == 2s);
    BOOST_TEST(!short_form.breaker.has_value());
    const auto long_form =
        target("    rate: {requests: 3}\n    breaker: {failures: 4, open_least: 1s}").settings.targets[0];
    BOOST_TEST(long_form.rate.requests == 3);
    BOOST_CHECK(long_form.rate.per == 1s);
    BOOST_TEST(long_form.breaker->failures_in_a_row == 4);
    BOOST_CHECK(long_form.breaker->open_least == 1s);
    for (const auto* wrong : {"rate: fast", "rate: 0/1s", "rate: 1/1w", "rate: {per: 1s}", "breaker: sometimes",
                              "breaker: {open_least: 1m, open_most: 1s}"})
        BOOST_TEST(target(std::string("    ") + wrong).lines().size() == 1u, wrong);
}

BOOST_AUTO_TEST_CASE(a_route_says_what_becomes_of_echoes) {
    const Place place;
    const auto route = [&](const std::string& keys) {
        return Read(place,
                    std::regex_replace(example("minimal.yaml"), std::regex("to: on-object"), "to: on-object, " + keys));
    };
    const auto read = route("loop: {policy: mark, users: windmill, marker: payload.data.x, limit: 3, window: 5s}");
    check(read.lines(), {});
    const auto& loop = read.settings.routes[0].loop;
    BOOST_CHECK(loop.policy == LoopSettings::Policy::Mark);
    check(loop.users, {"windmill"});
    BOOST_TEST(loop.user == "user.uid");
    BOOST_TEST(loop.marker == "data.x");
    BOOST_TEST(loop.limit == 3);
    BOOST_CHECK(loop.window == 5s);
    BOOST_TEST(route("coalesce: latest").settings.routes[0].latest_only);
    BOOST_TEST(route("loop: {marker: data.x}").lines().size() == 1u);
}

// ---- the schema for editors ---------------------------------------------------------------------

namespace {

/// Path (`sources.*.type`, `routes[].to`) to default as text.
using Keys = std::map<std::string, std::string>;

void collect_yaml(const ConfigNode& node, const std::string& path, Keys& keys) {
    static const std::set<std::string> kNamed = {"sources", "targets", "routes[].when"};
    if (node.is_list())
        for (const auto& item : node.items()) collect_yaml(item, path + "[]", keys);
    if (!node.is_map()) return;
    for (const auto& [key, value] : node.entries()) {
        const auto below = (path.empty() ? "" : path + '.') + (kNamed.count(path) != 0 ? "*" : key);
        if (below.back() != '*') keys.emplace(below, value.is_scalar() ? value.as_text().value_or("") : "");
        collect_yaml(value, below, keys);
    }
}

void collect_schema(const Json& root, const Json& schema, const std::string& path, Keys& keys) {
    if (const auto target = schema["$ref"].string()) {
        auto name = target->substr(2);
        std::replace(name.begin(), name.end(), '/', '.');
        collect_schema(root, root.path(name), path, keys);
    }
    for (const auto& each : schema["anyOf"].members()) collect_schema(root, each.value, path, keys);
    if (schema["items"]) collect_schema(root, schema["items"], path + "[]", keys);
    if (schema["additionalProperties"].is_object())
        collect_schema(root, schema["additionalProperties"], path + ".*", keys);
    for (const auto& each : schema["properties"].members()) {
        const auto below = (path.empty() ? "" : path + '.') + each.key;
        BOOST_TEST(!each.value["description"].string().value_or("").empty(), below);
        keys.emplace(below, each.value["default"].scalar().value_or(""));
        collect_schema(root, each.value, below, keys);
    }
}

Lines names_of(const Keys& keys) {
    Lines names;
    for (const auto& [key, value] : keys) names.push_back(key);
    return names;
}

}  // namespace

namespace {

/// What AppAPI gives an ExApp, for as long as it lives.
struct AppEnvironment {
    const std::map<std::string, std::string> given = {{"APP_ID", "orbridge"},
                                                      {"APP_VERSION", "1.2.3"},
                                                      {"AA_VERSION", "32.0.0"},
                                                      {"APP_SECRET", "s3cret-of-the-app"},
                                                      {"APP_HOST", "127.0.0.1"},
                                                      {"APP_PORT", "23000"},
                                                      {"NEXTCLOUD_URL", "https://cloud.example.org/index.php/"}};
    AppEnvironment() {
        for (const auto& [name, value] : given) ::setenv(name.c_str(), value.c_str(), 1);
    }
    ~AppEnvironment() {
        for (const auto& [name, value] : given) ::unsetenv(name.c_str());
        for (const auto* name : {"HP_SHARED_KEY", "HP_EXAPP_SOCK"}) ::unsetenv(name);
    }
};

const std::string kApp = "exapp: {}\nsources: {files: {type: nextcloud, login: app_api}}\n";

}  // namespace

BOOST_AUTO_TEST_CASE(an_exapp_takes_what_it_needs_from_the_environment) {
    const Place place;
    const AppEnvironment environment;
    const Read read(place, kApp);
    check(read.lines(), {});
    BOOST_REQUIRE(read.settings.exapp.has_value());
    BOOST_TEST(read.settings.exapp->version == "1.2.3");
    BOOST_TEST(read.settings.http.listen == "127.0.0.1:23000");
    const auto& source = read.settings.sources.at(0);
    BOOST_TEST(source.url == "https://cloud.example.org");
    BOOST_REQUIRE(source.app_api.has_value());
    BOOST_TEST(source.app_api->secret.reveal() == "s3cret-of-the-app");
    BOOST_REQUIRE(source.secrets.size() == 1U);
    BOOST_TEST(source.secrets[0].reveal().size() == 64U);  // made of the app's, and never the app's itself

    ::setenv("HP_SHARED_KEY", "k", 1);
    BOOST_TEST(Read(place, kApp).settings.http.listen == "unix:/tmp/exapp.sock");
    ::setenv("HP_EXAPP_SOCK", "/run/app.sock", 1);
    BOOST_TEST(Read(place, kApp).settings.http.listen == "unix:/run/app.sock");
    BOOST_TEST(Read(place, "listen: 127.0.0.1:1\n" + kApp).settings.http.listen == "127.0.0.1:1");
}

BOOST_AUTO_TEST_CASE(what_an_exapp_lacks_is_said) {
    const Place place;
    for (const auto* name : {"APP_ID", "APP_VERSION", "APP_SECRET", "NEXTCLOUD_URL"}) ::unsetenv(name);
    check(Read(place, "exapp: {}\nsources: {s: {type: record, token: x}}\n").lines(),
          {"c.yaml:1:1: exapp.id: missing, and the environment variable APP_ID is not set",
           "c.yaml:1:1: exapp.version: missing, and the environment variable APP_VERSION is not set",
           "c.yaml:1:1: exapp.url: missing, and the environment variable NEXTCLOUD_URL is not set",
           "c.yaml:1:1: exapp.secret: missing, and the environment variable APP_SECRET is not set"});
    const auto alone = Read(place, "sources: {s: {type: nextcloud, login: app_api}}\n").lines();
    BOOST_REQUIRE(!alone.empty());
    BOOST_TEST(
        alone.back() ==
        "c.yaml:1:39: sources.s.login: `app_api` is only for a bridge that runs as a Nextcloud ExApp, expected the "
        "section `exapp` at the top of the file");
    const AppEnvironment environment;
    check(Read(place,
               "exapp: {}\nsources: {s: {type: openregister, login: app_api, password: x, register: [webhooks]}}\n")
              .lines(),
          {"c.yaml:2:11: sources.s.user: missing, expected the account to act as at OpenRegister, which knows no apps",
           "c.yaml:2:11: sources.s: cannot register webhooks or hooks without `public_url` at the top of the file",
           "c.yaml:2:61: sources.s.password: does not go with `login: app_api`"});
}

BOOST_AUTO_TEST_CASE(a_variable_may_have_a_fallback) {
    const Place place;
    ::unsetenv("ORBRIDGE_TEST_NONE");
    ::setenv("ORBRIDGE_TEST_EMPTY", "", 1);
    ::setenv("ORBRIDGE_TEST_SOME", "warning", 1);
    const auto level = [&](const std::string& text) {
        return Read(place, kPush + "log: {level: '" + text + "'}\n").settings.log_level;
    };
    BOOST_TEST(level("${ORBRIDGE_TEST_NONE:-debug}") == "debug");
    BOOST_TEST(level("${ORBRIDGE_TEST_EMPTY:-debug}") == "debug");
    BOOST_TEST(level("${ORBRIDGE_TEST_SOME:-debug}") == "warning");
    BOOST_TEST(level("${ORBRIDGE_TEST_NONE:-}info") == "info");
}

BOOST_AUTO_TEST_CASE(the_full_example_and_the_schema_have_the_same_keys_and_defaults) {
    const auto text = std::regex_replace(example("orbridge.yaml"), std::regex("\n( +)#([a-z0-9_]+:)"), "\n$1$2");
    // Uncommented, `url` is there in both of its forms.
    const auto once = std::regex_replace(text, std::regex("url: [^\n]*on_object\n"), "\n");
    for (const auto* name :
         {"NEXTCLOUD_APP_PASSWORD", "NEXTCLOUD_TOKEN", "INGEST_SECRET", "HOOK_TOKEN", "WINDMILL_TOKEN", "ADMIN_TOKEN",
          "META_VERIFY_TOKEN", "BILLING_TOKEN", "CALLBACK_SECRET", "APP_SECRET", "CREDENTIALS_KEY"})
        ::setenv(name, "x", 1);
    Complaints complaints;
    Keys in_example;
    collect_yaml(ConfigNode::parse(once, "orbridge.yaml", complaints), "", in_example);
    check(complaints.lines(), {});

    const auto document = JsonDocument::parse(example("orbridge.schema.json"));
    BOOST_REQUIRE(document.has_value());
    Keys in_schema;
    collect_schema((*document)->root(), (*document)->root(), "", in_schema);

    check(names_of(in_example), names_of(in_schema));
    BOOST_TEST(in_schema.size() > 70U);
    for (const auto& [key, value] : in_schema)
        if (!value.empty()) BOOST_TEST(in_example[key] == value, key << ": " << in_example[key] << " or " << value);
}

BOOST_AUTO_TEST_SUITE_END()
