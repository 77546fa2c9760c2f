// Row K13: a configuration that is taken elsewhere without its secrets.
#include "bridge/settings/portable.h"

#include <boost/test/unit_test.hpp>
#include <set>

#include "bridge/core/json.h"
#include "bridge/settings/config_node.h"
#include "tests/support/recorded.h"

namespace orbridge {
namespace {

/// Of every adapter `pin` is a secret setting, and `code` a secret parameter.
Portable taken(const std::string& text) {
    const auto parsed = parse_yaml(text);
    BOOST_REQUIRE(parsed.problems.empty());
    return portable(*parsed.root, [](const std::string&, std::string_view section, const std::string& field) {
        return field == (section == "config" ? "pin" : "code");
    });
}

/// What may be said as `<key>` and as `<key>_file` is a secret.
void collect(const Json& schema, std::set<std::string>& keys) {
    const auto properties = schema["properties"];
    for (const auto& member : properties.members())
        if (properties[member.key + "_file"].present()) keys.insert(member.key);
    for (const auto& member : schema.members()) {
        if (member.value.is_object()) collect(member.value, keys);
        if (!member.value.is_array()) continue;
        for (const auto& item : member.value.members())
            if (item.value.is_object()) collect(item.value, keys);
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(portable_)

BOOST_AUTO_TEST_CASE(K13_the_secret_keys_are_those_that_can_also_come_from_a_file) {
    const auto schema = JsonDocument::parse(testing::read_file(ORBRIDGE_ROOT "/config/orbridge.schema.json"));
    BOOST_REQUIRE(schema);
    std::set<std::string> keys;
    collect((*schema)->root(), keys);
    const std::set<std::string> ours(secret_keys().begin(), secret_keys().end());
    BOOST_CHECK_EQUAL_COLLECTIONS(ours.begin(), ours.end(), keys.begin(), keys.end());
}

BOOST_AUTO_TEST_CASE(K13_secrets_become_files_to_be_given_and_all_else_stays) {
    const auto made = taken(R"(
listen: 127.0.0.1:0
store: postgresql://orbridge:S3CR3T-db@db.example/orbridge
adapters: {folders: [mine, /srv/more], allow: [10.0.0.0/8]}
credentials: {key: [S3CR3T-key]}
sources:
  cloud:
    type: openregister
    url: "https://bot:S3CR3T-user@cloud.example/?a=b@c"
    password: S3CR3T-password
    secret: [S3CR3T-new, S3CR3T-old]
    hook_token: ${HOOK_TOKEN}
  api:
    type: http
    token_file: kept/as/it/is
    headers: {Authorization: "Bearer S3CR3T-header", Accept: text/plain, X-Api-Key: "${KEY}"}
    query: {token: S3CR3T-query, page: "1"}
    oauth2: {credentials: desk, token_url: "https://a.example/token"}
targets:
  chat:
    adapter: slack
    task: send_message
    params: {text: "{{event.payload.token}}", token: of no interest, code: S3CR3T-param}
    config: {url: "https://x.example", pin: S3CR3T-pin}
    credentials: {webhook_url: "https://hooks.example/S3CR3T-hook"}
  issues: {adapter: github, credentials: team}
  script: {adapter: windmill, url: "https://w.example/x", token: "${NONE:-S3CR3T-fallback}"}
routes:
  - {channel: Object, to: [chat, issues], event_name: 'created:.*'}
)");
    BOOST_TEST(made.yaml.find("S3CR3T") == std::string::npos, made.yaml);
    BOOST_TEST(made.yaml == R"(listen: "127.0.0.1:0"
store: "postgresql://db.example/orbridge"
adapters:
  folders: [adapters]
  allow:
    - "10.0.0.0/8"
credentials:
  key_file:
    - "secrets/credentials.key.0"
sources:
  cloud:
    type: openregister
    url: "https://cloud.example/?a=b@c"
    password_file: "secrets/sources.cloud.password"
    secret_file:
      - "secrets/sources.cloud.secret.0"
      - "secrets/sources.cloud.secret.1"
    hook_token: "${HOOK_TOKEN}"
  api:
    type: http
    token_file: "kept/as/it/is"
    headers:
      Accept: "text/plain"
      X-Api-Key: "${KEY}"
    query:
      page: 1
    oauth2:
      credentials: desk
      token_url: "https://a.example/token"
targets:
  chat:
    adapter: slack
    task: send_message
    params:
      text: "{{event.payload.token}}"
      token: "of no interest"
    config:
      url: "https://x.example"
      pin_file: "secrets/targets.chat.config.pin"
    credentials: chat
  issues:
    adapter: github
    credentials: team
  script:
    adapter: windmill
    url: "https://w.example/x"
    token_file: "secrets/targets.script.token"
routes:
  -
    channel: Object
    to:
      - chat
      - issues
    event_name: "created:.*"
)");
    const std::vector<std::string> wanted = {"store: who logs in",
                                             "secrets/credentials.key.0",
                                             "sources.cloud.url: who logs in",
                                             "secrets/sources.cloud.password",
                                             "secrets/sources.cloud.secret.0",
                                             "secrets/sources.cloud.secret.1",
                                             "sources.api.headers.Authorization",
                                             "sources.api.query.token",
                                             "targets.chat.params.code",
                                             "secrets/targets.chat.config.pin",
                                             "secrets/targets.script.token"};
    BOOST_CHECK_EQUAL_COLLECTIONS(made.wanted.begin(), made.wanted.end(), wanted.begin(), wanted.end());
    const std::vector<std::pair<std::string, std::string>> stored = {
        {"github", "team"}, {"oauth2", "desk"}, {"slack", "chat"}};
    BOOST_TEST((made.stored == stored));
}

BOOST_AUTO_TEST_CASE(K13_what_is_written_reads_the_same) {
    const auto made = taken(testing::read_file(ORBRIDGE_ROOT "/config/orbridge.yaml"));
    const auto again = taken(made.yaml);
    BOOST_TEST(again.yaml == made.yaml);
    BOOST_TEST(again.wanted.empty());
    Complaints complaints;
    const auto odd =
        ConfigNode::parse(taken("a: \"x: y # z\\t\\\"\\\\é\"\nb: ['- c', ~, {}]\n").yaml, "o.yaml", complaints);
    BOOST_TEST(odd.text("a") == "x: y # z\t\"\\é");
    BOOST_TEST(odd["b"].items().front().as_text().value() == "- c");
    BOOST_TEST(complaints.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
