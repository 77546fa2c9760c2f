#include <boost/test/unit_test.hpp>

#include "adapters/openregister/hooks_registrar.h"
#include "adapters/openregister/webhooks_registrar.h"
#include "tests/support/fake_nextcloud.h"
#include "tests/support/notes_store.h"
#include "tests/support/recorded.h"

using namespace orbridge;
using namespace orbridge::openregister;
using orbridge::testing::FakeNextcloud;
using orbridge::testing::json_of;
using orbridge::testing::NotesStore;

namespace {

const std::string kUri = "https://bridge.example.org/ingest/cloud";

struct World {
    FakeNextcloud cloud;
    NotesStore store;
    std::string public_url = "https://bridge.example.org";
    Secret secret{"s3cret"}, token{"t0ken"};
    std::vector<std::string> classes = {R"(OCA\OpenRegister\Event\ObjectCreatedEvent)",
                                        R"(OCA\OpenRegister\Event\ObjectUpdatedEvent)"};
    std::vector<std::string> schemas = {"zaak"};

    ApiClient client() {
        return {{"https://cloud.example.org", "orbridge", Secret("app-password"), {}}, std::ref(cloud)};
    }
    WebhooksRegistrar webhooks() {
        return {{{"cloud"}, "https://cloud.example.org", public_url, secret, classes}, client(), store};
    }
    HooksRegistrar hooks() { return {{{"cloud"}, public_url, token, schemas}, client(), store}; }

    RegistrarReport reconcile_webhooks() { return webhooks().reconcile({}); }
    RegistrarReport reconcile_hooks() { return hooks().reconcile({}); }
    FakeNextcloud::Row& webhook() { return cloud.webhooks.begin()->second; }
    /// Hooks of a schema as JSON text.
    std::string hooks_of(int schema) { return cloud.schemas[schema]["hooks"]; }
    FakeNextcloud::Row hand_made(const std::string& name) {
        return {{"id", "70"},
                {"uuid", R"("6f1b9a52-0c1e-4f57-9a8e-000000000001")"},
                {"name", json_string(name)},
                {"url", json_string(kUri)}};
    }
};

std::size_t count(const RegistrarReport& report, RegistrationState state) {
    return static_cast<std::size_t>(std::count_if(report.registrations.begin(), report.registrations.end(),
                                                  [&](const auto& one) { return one.state == state; }));
}

std::size_t changes(const std::vector<std::string>& asked) {
    return static_cast<std::size_t>(
        std::count_if(asked.begin(), asked.end(), [](const auto& line) { return !line.starts_with("GET "); }));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(webhooks_registrar)

BOOST_AUTO_TEST_CASE(one_webhook_is_made_with_everything_it_needs) {
    World world;
    const auto report = world.reconcile_webhooks();
    BOOST_TEST((report.state == RegistrarState::Ok), report.message);
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
    const auto& request = world.cloud.requests.back();
    BOOST_TEST(request.method == "POST");
    BOOST_TEST(request.url == "https://cloud.example.org/index.php/apps/openregister/api/webhooks");
    const auto body = JsonDocument::parse(request.body);
    const auto sent = (*body)->root();
    BOOST_TEST(sent["uuid"].string().value() == webhook_uuid("https://bridge.example.org", {"cloud"}));
    BOOST_TEST(is_uuid(sent["uuid"].string().value()));
    BOOST_TEST(sent["url"].string().value() == kUri);
    BOOST_TEST(sent["name"].string().value() == "orbridge cloud");
    BOOST_TEST(sent["method"].string().value() == "POST");
    BOOST_TEST(sent["secret"].string().value() == "s3cret");
    BOOST_TEST(sent["timeout"].integer().value() == 5);
    BOOST_TEST(sent["events"].at(0).string().value() == world.classes.at(0));
    BOOST_TEST(sent["configuration"].raw() ==
               R"({"useCloudEvents":false,"cloudEventSource":"https://cloud.example.org","allowPrivateTargets":true})");
}

BOOST_AUTO_TEST_CASE(the_uuid_depends_on_address_and_source_only) {
    BOOST_TEST(webhook_uuid("a", {"b"}) == webhook_uuid("a", {"b"}));
    BOOST_TEST(webhook_uuid("a", {"b"}) != webhook_uuid("a", {"c"}));
    BOOST_TEST(webhook_uuid("a", {"b"}).at(14) == '5');
}

BOOST_AUTO_TEST_CASE(a_second_pass_and_a_restart_only_look) {
    World world;
    world.reconcile_webhooks();
    world.cloud.asked();
    BOOST_TEST(count(world.reconcile_webhooks(), RegistrationState::Present) == 1U);
    BOOST_TEST(changes(world.cloud.asked()) == 0U);
}

BOOST_AUTO_TEST_CASE(deliveries_that_rewrite_the_row_are_no_drift) {
    World world;
    world.reconcile_webhooks();
    world.webhook()["totalDeliveries"] = "17";
    world.webhook()["updated"] = R"("2026-11-22T04:19:01+00:00")";
    BOOST_TEST(count(world.reconcile_webhooks(), RegistrationState::Present) == 1U);
}

BOOST_AUTO_TEST_CASE(a_lost_store_rewrites_the_secret_but_multiplies_nothing) {
    World world;
    world.reconcile_webhooks();
    world.store.notes.clear();
    BOOST_TEST(count(world.reconcile_webhooks(), RegistrationState::Repaired) == 1U);
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
    BOOST_TEST(world.cloud.requests.back().body == R"({"secret":"s3cret"})");
}

BOOST_AUTO_TEST_CASE(only_what_differs_is_sent_and_never_the_masked_secret) {
    const std::vector<std::pair<std::string, std::string>> drifts = {
        {"url", R"("https://elsewhere")"},
        {"method", R"("GET")"},
        {"events", "[]"},
        {"headers", R"({"X-A":"b"})"},
        {"filters", R"({"action":"create"})"},
        {"enabled", "false"},
        {"timeout", "30"},
        {"name", R"("renamed")"},
        {"configuration", R"({"interceptRequests":true})"}};
    for (const auto& [field, value] : drifts) {
        World world;
        world.reconcile_webhooks();
        const auto row = world.webhook();
        world.webhook()[field] = value;
        BOOST_TEST(count(world.reconcile_webhooks(), RegistrationState::Repaired) == 1U, field);
        BOOST_TEST((world.webhook() == row), field << ": " << json_of(world.webhook()));
        const auto& request = world.cloud.requests.back();
        BOOST_TEST(request.method == "PUT");
        const auto body = JsonDocument::parse(request.body);
        BOOST_TEST((*body)->root().size() == 1U);
        BOOST_TEST(request.body.find("***") == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(a_new_secret_is_written) {
    World world;
    world.reconcile_webhooks();
    world.secret = Secret("rotated");
    world.reconcile_webhooks();
    BOOST_TEST(world.cloud.webhook_secrets.begin()->second == "rotated");
    for (const auto& [key, note] : world.store.notes) BOOST_TEST(note.find("rotated") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_mapping_is_got_rid_of_by_making_the_webhook_anew) {
    World world;
    world.reconcile_webhooks();
    world.webhook()["mapping"] = "4";
    world.reconcile_webhooks();
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
    BOOST_TEST(world.webhook()["mapping"] == "null");
}

BOOST_AUTO_TEST_CASE(other_webhooks_are_never_touched) {
    World world;
    world.cloud.webhooks[70] = world.hand_made("by hand");
    world.cloud.webhooks[71] = world.hand_made("orbridge cloud");
    world.cloud.webhooks[71]["uuid"] = R"("6f1b9a52-0c1e-4f57-9a8e-000000000002")";
    world.cloud.webhooks[71]["url"] = R"("https://bridge.example.org/ingest/other")";
    const auto before = world.cloud.webhooks;
    const auto report = world.reconcile_webhooks();
    BOOST_TEST(count(report, RegistrationState::Foreign) == 1U);
    BOOST_TEST(report.notices.size() == 1U);
    world.webhooks().unregister({});
    BOOST_TEST((world.cloud.webhooks == before));
}

BOOST_AUTO_TEST_CASE(a_double_with_our_name_is_removed) {
    World world;
    world.reconcile_webhooks();
    world.cloud.webhooks[70] = world.hand_made("orbridge cloud");
    BOOST_TEST(count(world.reconcile_webhooks(), RegistrationState::Removed) == 1U);
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
}

BOOST_AUTO_TEST_CASE(ours_is_found_on_a_later_page) {
    World world;
    for (int id = 1000; id < 1150; ++id) {
        world.cloud.webhooks[id] = {{"id", std::to_string(id)}, {"uuid", json_string("u" + std::to_string(id))}};
    }
    world.reconcile_webhooks();
    auto ours = world.webhook();
    world.cloud.webhooks.erase(world.cloud.webhooks.begin());
    ours["id"] = "5000";
    world.cloud.webhooks[5000] = ours;
    BOOST_TEST(count(world.reconcile_webhooks(), RegistrationState::Present) == 1U);
    BOOST_TEST(world.cloud.webhooks.size() == 151U);
}

BOOST_AUTO_TEST_CASE(a_new_address_removes_the_webhook_of_the_old_one) {
    World world;
    world.reconcile_webhooks();
    world.public_url = "https://other.example.org";
    world.reconcile_webhooks();
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
    BOOST_TEST(world.webhook()["url"] == R"("https://other.example.org/ingest/cloud")");
}

BOOST_AUTO_TEST_CASE(a_uuid_taken_where_we_cannot_see_is_explained) {
    World world;
    const auto blind = [&](const HttpRequest& request) -> Exchange {
        if (request.method == "GET") return HttpResponse{200, {}, R"({"results":[],"total":0})"};
        return HttpResponse{500, {}, R"({"error":"Failed to create webhook: Duplicate entry"})"};
    };
    WebhooksRegistrar registrar({{"cloud"}, "https://cloud.example.org", world.public_url, world.secret, world.classes},
                                {{"https://cloud.example.org", "u", Secret("p"), {}}, blind}, world.store);
    const auto report = registrar.reconcile({});
    BOOST_TEST((report.state == RegistrarState::Failed));
    BOOST_TEST(report.message.find("Duplicate entry") != std::string::npos);
    BOOST_TEST(report.message.find("another organisation") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(unregistering_removes_ours_alone) {
    World world;
    world.reconcile_webhooks();
    BOOST_TEST(count(world.webhooks().unregister({}), RegistrationState::Removed) == 1U);
    BOOST_TEST(world.cloud.webhooks.empty());
}

BOOST_AUTO_TEST_CASE(refused_credentials_and_an_absent_app_end_the_pass) {
    World world;
    world.cloud.password = "another";
    BOOST_TEST((world.reconcile_webhooks().state == RegistrarState::Stopped));
    BOOST_TEST(world.cloud.failed_logins == 1U);
    world.cloud.password = "app-password";
    world.cloud.disabled.insert("openregister");
    BOOST_TEST((world.reconcile_webhooks().trouble->kind == Trouble::Kind::Missing));
}

BOOST_AUTO_TEST_CASE(the_recorded_list_is_read) {
    const auto text = orbridge::testing::read_file(std::string(ORBRIDGE_TEST_DATA) + "/openregister/api/index.json");
    const auto recording = JsonDocument::parse(text);
    const auto body = (*recording)->root().path("response.body_raw").string().value();
    const ApiClient client({"https://cloud.example.org", "u", Secret("p"), {}}, [&](const HttpRequest&) {
        return HttpResponse{200, {{"Content-Encoding", "gzip"}}, body};
    });
    const auto rows = client.list("/api/webhooks");
    BOOST_TEST(rows.rows.size() >= 2U);
    BOOST_TEST(rows.rows.at(0)["secret"].string().value() == "***");
}

BOOST_AUTO_TEST_CASE(a_really_compressed_answer_is_named_as_such) {
    const ApiClient client({"https://cloud.example.org", "u", Secret("p"), {}}, [](const HttpRequest&) {
        return HttpResponse{200, {}, "\x1f\x8b\x08"};
    });
    BOOST_TEST(client.list("/api/webhooks").trouble->message.find("compressed") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(hooks_registrar)

BOOST_AUTO_TEST_CASE(engine_and_hooks_are_made_always_async_and_after_the_fact) {
    World world;
    const auto report = world.reconcile_hooks();
    BOOST_TEST((report.state == RegistrarState::Ok), report.message);
    BOOST_TEST(world.cloud.engines.size() == 1U);
    BOOST_TEST(world.cloud.engines.begin()->second["baseUrl"] == R"("https://bridge.example.org/engine")");
    BOOST_TEST(world.cloud.engine_configs.begin()->second == R"({"token":"t0ken","workspace":"cloud"})");
    const auto hooks = JsonDocument::parse(world.hooks_of(27));
    BOOST_TEST((*hooks)->root().size() == 3U);
    for (const auto& member : (*hooks)->root().members()) {
        const auto& hook = member.value;
        BOOST_TEST(hook["mode"].string().value() == "async");
        BOOST_TEST(hook["event"].string().value().ends_with("ed"));
        BOOST_TEST(hook["id"].string().value() == "orbridge-" + hook["event"].string().value());
        BOOST_TEST(hook["engine"].string().value() == "windmill");
        BOOST_TEST(hook["workflowId"].string().value() == "orbridge/cloud");
        BOOST_TEST(hook["onFailure"].string().value() == "allow");
        BOOST_TEST(hook["timeout"].integer().value() == 5);
    }
    BOOST_TEST(world.hooks_of(28) == "[]");
    const auto& change = world.cloud.requests.back();
    BOOST_TEST(change.method == "PATCH");
    BOOST_TEST((*JsonDocument::parse(change.body))->root().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_second_pass_only_looks) {
    World world;
    world.schemas = {"*"};
    world.reconcile_hooks();
    world.cloud.asked();
    BOOST_TEST((world.reconcile_hooks().state == RegistrarState::Ok));
    BOOST_TEST(changes(world.cloud.asked()) == 0U);
    BOOST_TEST(world.hooks_of(28) != "[]");
}

BOOST_AUTO_TEST_CASE(foreign_hooks_keep_every_byte_and_their_place) {
    World world;
    const std::string first = R"({"id": "n8n-1",  "event":"creating","mode":"sync","x":1.0e+2})";
    const std::string second = R"({"id":"orbridge-created","workflowId":"orbridge/other","event":"created"})";
    world.cloud.schemas[27]["hooks"] = "[" + first + "," + second + "]";
    world.reconcile_hooks();
    BOOST_TEST(world.hooks_of(27).starts_with("[" + first + "," + second + ","));
    world.hooks().unregister({});
    BOOST_TEST(world.hooks_of(27) == "[" + first + "," + second + "]");
    BOOST_TEST(world.cloud.engines.empty());
}

BOOST_AUTO_TEST_CASE(a_hook_of_ours_made_sync_or_doubled_is_put_right) {
    World world;
    world.reconcile_hooks();
    const auto right = world.hooks_of(27);
    auto sync = right;
    sync.replace(sync.find("async"), 5, "sync");
    auto doubled = right;
    const auto hooks = JsonDocument::parse(right);
    doubled.insert(1, std::string((*hooks)->root().at(0).raw()) + ",");
    for (const auto& wrong : {sync, doubled, std::string("[]"), std::string("null")}) {
        world.cloud.schemas[27]["hooks"] = wrong;
        world.reconcile_hooks();
        BOOST_TEST(world.hooks_of(27) == right);
    }
}

BOOST_AUTO_TEST_CASE(a_schema_no_longer_named_loses_our_hooks) {
    World world;
    world.reconcile_hooks();
    world.schemas = {"28"};
    const auto report = world.reconcile_hooks();
    BOOST_TEST(world.hooks_of(27) == "[]");
    BOOST_TEST(world.hooks_of(28) != "[]");
    BOOST_TEST(count(report, RegistrationState::Removed) == 1U);
}

BOOST_AUTO_TEST_CASE(a_foreign_windmill_is_left_alone_and_nothing_is_hooked) {
    World world;
    world.cloud.engines[3] = {{"id", "3"},
                              {"name", R"("Real Windmill")"},
                              {"engineType", R"("windmill")"},
                              {"baseUrl", R"("https://windmill.example.org")"}};
    const auto before = world.cloud.engines;
    const auto report = world.reconcile_hooks();
    BOOST_TEST((report.state == RegistrarState::Degraded));
    BOOST_TEST(report.cannot_arrive.at(0).find("Real Windmill") != std::string::npos);
    BOOST_TEST(changes(world.cloud.asked()) == 0U);
    world.hooks().unregister({});
    BOOST_TEST((world.cloud.engines == before));
}

BOOST_AUTO_TEST_CASE(an_engine_of_another_type_is_no_obstacle) {
    World world;
    world.cloud.engines[3] = {{"id", "3"}, {"engineType", R"("n8n")"}, {"baseUrl", R"("https://n8n.example.org")"}};
    BOOST_TEST((world.reconcile_hooks().state == RegistrarState::Ok));
    BOOST_TEST(world.cloud.engines.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_new_token_makes_the_engine_anew) {
    World world;
    world.reconcile_hooks();
    world.token = Secret("other");
    const auto report = world.reconcile_hooks();
    BOOST_TEST(count(report, RegistrationState::Repaired) == 1U);
    BOOST_TEST(world.cloud.engines.size() == 1U);
    BOOST_TEST(world.cloud.engine_configs.rbegin()->second == R"({"token":"other","workspace":"cloud"})");
}

BOOST_AUTO_TEST_CASE(an_engine_stored_without_its_fields_does_not_pile_up) {
    World world;
    world.cloud.forget_engine_fields = true;
    for (int pass = 0; pass < 3; ++pass) BOOST_TEST((world.reconcile_hooks().state == RegistrarState::Degraded));
    BOOST_TEST(world.cloud.engines.empty());
    BOOST_TEST(world.hooks_of(27) == "[]");
}

BOOST_AUTO_TEST_CASE(one_forbidden_schema_does_not_keep_the_others_from_their_hooks) {
    World world;
    world.schemas = {"zaak", "besluit"};
    world.cloud.forbidden_schemas.insert(27);
    const auto report = world.reconcile_hooks();
    BOOST_TEST((report.state == RegistrarState::Degraded));
    BOOST_TEST(count(report, RegistrationState::Failed) == 1U);
    BOOST_TEST(world.hooks_of(28) != "[]");
}

BOOST_AUTO_TEST_CASE(an_unknown_schema_is_named) {
    World world;
    world.schemas = {"zaak", "zaken"};
    const auto report = world.reconcile_hooks();
    BOOST_TEST((report.state == RegistrarState::Degraded));
    BOOST_TEST(report.cannot_arrive.at(0).find("\"zaken\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(no_hooks_without_a_token) {
    World world;
    world.token = Secret();
    BOOST_TEST((world.reconcile_hooks().trouble->kind == Trouble::Kind::Configuration));
    BOOST_TEST(world.cloud.asked().empty());
}

BOOST_AUTO_TEST_SUITE_END()
