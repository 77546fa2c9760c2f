#include <boost/test/unit_test.hpp>

#include "adapters/nextcloud/event_classes.h"
#include "adapters/nextcloud/listeners_registrar.h"
#include "bridge/core/text.h"
#include "tests/support/fake_nextcloud.h"
#include "tests/support/notes_store.h"
#include "tests/support/recorded.h"

using namespace orbridge;
using namespace orbridge::nextcloud;
using orbridge::testing::FakeNextcloud;
using orbridge::testing::NotesStore;

namespace {

const std::string kCreated = R"(OCP\Files\Events\Node\NodeCreatedEvent)";
const std::string kDeleted = R"(OCP\Files\Events\Node\NodeDeletedEvent)";
const std::string kUnknown = R"(OCA\OpenRegister\Event\ObjectCreatedEvent)";
const std::string kUri = "https://bridge.example.org/ingest/files";

SourceAccess access() { return {"https://cloud.example.org", "orbridge", Secret("app-password"), {}}; }

struct World {
    FakeNextcloud cloud;
    NotesStore store;
    ListenersSettings settings{{"files"}, "https://bridge.example.org", Secret("s3cret"), {kCreated, kDeleted}, true};
    TimePoint now{std::chrono::hours{480'000}};

    /// As a fresh process would: everything known comes from the store and the cloud.
    RegistrarReport reconcile(bool afresh = false) {
        ListenersRegistrar registrar(settings, OcsClient(access(), std::ref(cloud)), store);
        return registrar.reconcile({now, afresh});
    }
    RegistrarReport unregister() {
        ListenersRegistrar registrar(settings, OcsClient(access(), std::ref(cloud)), store);
        return registrar.unregister({now, false});
    }
    int foreign(const std::string& uri) {
        cloud.listeners[900] = {{"id", "900"},
                                {"uri", json_string(uri)},
                                {"event", json_string(kCreated)},
                                {"httpMethod", "\"POST\""},
                                {"authMethod", "\"none\""}};
        return 900;
    }
};

std::size_t count(const RegistrarReport& report, RegistrationState state) {
    return static_cast<std::size_t>(std::count_if(report.registrations.begin(), report.registrations.end(),
                                                  [&](const auto& one) { return one.state == state; }));
}

bool has_line(const std::vector<std::string>& lines, const std::string& beginning) {
    return std::any_of(lines.begin(), lines.end(), [&](const auto& line) { return line.starts_with(beginning); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(listeners_registrar)

BOOST_AUTO_TEST_CASE(each_class_gets_one_row_with_our_address_and_secret) {
    World world;
    const auto report = world.reconcile();
    BOOST_TEST((report.state == RegistrarState::Ok), report.message);
    BOOST_TEST(count(report, RegistrationState::Created) == 2U);
    BOOST_TEST(world.cloud.listeners.size() == 2U);
    for (const auto& [id, row] : world.cloud.listeners) {
        BOOST_TEST(row.at("uri") == json_string(kUri));
        BOOST_TEST(world.cloud.listener_secrets[id] == "s3cret");
    }
}

BOOST_AUTO_TEST_CASE(a_request_has_the_path_headers_and_body_types_the_api_wants) {
    World world;
    world.reconcile();
    const auto& list = world.cloud.requests.at(0);
    BOOST_TEST(list.method == "GET");
    BOOST_TEST(list.url == world.cloud.base + "/ocs/v2.php/apps/webhook_listeners/api/v1/webhooks?uri=" +
                               percent_encode(kUri) + "&format=json");
    const auto& create = world.cloud.requests.at(1);
    BOOST_TEST(create.method == "POST");
    BOOST_TEST(create.url == world.cloud.base + "/ocs/v2.php/apps/webhook_listeners/api/v1/webhooks?format=json");
    BOOST_TEST(*find_header(create.headers, "OCS-APIRequest") == "true");
    BOOST_TEST(*find_header(create.headers, "Accept") == "application/json");
    BOOST_TEST(*find_header(create.headers, "Content-Type") == "application/json");
    BOOST_TEST(*find_header(create.headers, "Authorization") == "Basic " + to_base64("orbridge:app-password"));
    const auto body = JsonDocument::parse(create.body);
    BOOST_TEST((*body)->root()["httpMethod"].string().value() == "POST");
    BOOST_TEST((*body)->root()["uri"].string().value() == kUri);
    BOOST_TEST((*body)->root()["event"].string().value() == kCreated);
    BOOST_TEST((*body)->root()["authMethod"].string().value() == "header");
    BOOST_TEST((*body)->root()["authData"].raw() == R"({"X-Orbridge-Secret":"s3cret"})");
    BOOST_TEST((*body)->root()["headers"].raw() == R"({"Content-Type":"application/json"})");
    BOOST_TEST((*body)->root()["eventFilter"].is_null());
}

BOOST_AUTO_TEST_CASE(the_wait_is_longer_than_the_sleep_over_wrong_credentials) {
    SourceSettings source;
    source.url = "https://cloud.example.org/nc/index.php/";
    source.timeout = seconds{5};
    BOOST_TEST((access_of(source).timeout >= seconds{30}));
    BOOST_TEST(access_of(source).base == "https://cloud.example.org/nc");
}

BOOST_AUTO_TEST_CASE(a_second_pass_only_looks) {
    World world;
    world.reconcile();
    world.cloud.asked();
    const auto report = world.reconcile();
    BOOST_TEST(world.cloud.asked().size() == 1U);
    BOOST_TEST(count(report, RegistrationState::Present) == 2U);
}

BOOST_AUTO_TEST_CASE(a_lost_store_rewrites_the_secret_but_multiplies_nothing) {
    World world;
    world.reconcile();
    world.store.notes.clear();
    const auto report = world.reconcile();
    BOOST_TEST(world.cloud.listeners.size() == 2U);
    BOOST_TEST(count(report, RegistrationState::Repaired) == 2U);
    world.cloud.asked();
    world.reconcile();
    BOOST_TEST(world.cloud.asked().size() == 1U);
}

BOOST_AUTO_TEST_CASE(rows_of_others_are_never_touched) {
    World world;
    const int other = world.foreign("https://bridge.example.org/ingest/files2");
    const auto before = world.cloud.listeners[other];
    world.reconcile();
    world.unregister();
    BOOST_TEST(world.cloud.listeners.size() == 1U);
    BOOST_TEST((world.cloud.listeners[other] == before));
}

BOOST_AUTO_TEST_CASE(doubles_go_and_the_oldest_row_stays) {
    World world;
    world.reconcile();
    const auto first = world.cloud.listeners.begin()->first;
    auto copy = world.cloud.listeners[first];
    copy["id"] = "77";
    world.cloud.listeners[77] = copy;
    const auto report = world.reconcile();
    BOOST_TEST(world.cloud.listeners.size() == 2U);
    BOOST_TEST(world.cloud.listeners.contains(first));
    BOOST_TEST(count(report, RegistrationState::Removed) == 1U);
}

BOOST_AUTO_TEST_CASE(whatever_drifted_is_put_right_and_read_again) {
    const std::vector<std::pair<std::string, std::string>> drifts = {{"httpMethod", R"("GET")"},
                                                                     {"authMethod", R"("none")"},
                                                                     {"eventFilter", R"({"user.uid":"x"})"},
                                                                     {"userIdFilter", R"("alice")"},
                                                                     {"headers", "null"},
                                                                     {"headers", R"({"X-A":"b"})"},
                                                                     {"tokenNeeded", R"({"user_roles":["owner"]})"}};
    for (const auto& [field, value] : drifts) {
        World world;
        world.reconcile();
        const auto row = world.cloud.listeners.begin()->second;
        world.cloud.listeners.begin()->second[field] = value;
        world.cloud.asked();
        const auto report = world.reconcile();
        BOOST_TEST(count(report, RegistrationState::Repaired) == 1U, field);
        BOOST_TEST((world.cloud.listeners.begin()->second == row), field);
        const auto asked = world.cloud.asked();
        BOOST_TEST(asked.size() == 3U);
        BOOST_TEST(asked.at(2).starts_with("GET /ocs/v2.php/apps/webhook_listeners/api/v1/webhooks/"));
    }
}

BOOST_AUTO_TEST_CASE(empty_maps_shown_as_lists_are_no_drift) {
    World world;
    world.reconcile();
    for (auto& [id, row] : world.cloud.listeners) row["tokenNeeded"] = row["eventFilter"] = "[]";
    BOOST_TEST(count(world.reconcile(), RegistrationState::Present) == 2U);
}

BOOST_AUTO_TEST_CASE(a_row_that_vanished_under_an_update_is_made_again) {
    World world;
    world.reconcile();
    const auto id = world.cloud.listeners.begin()->first;
    world.cloud.listeners[id]["httpMethod"] = R"("GET")";
    struct Thief {  // the row goes between listing and update, which answers 200 all the same
        FakeNextcloud& cloud;
        int id;
        Exchange operator()(const HttpRequest& request) {
            if (request.method == "POST" && request.url.find("/webhooks/") != std::string::npos)
                cloud.listeners.erase(id);
            return cloud(request);
        }
    };
    ListenersRegistrar registrar(world.settings, OcsClient(access(), Thief{world.cloud, id}), world.store);
    const auto report = registrar.reconcile({world.now, false});
    BOOST_TEST(count(report, RegistrationState::Created) == 1U);
    BOOST_TEST(world.cloud.listeners.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_new_secret_is_written_to_every_row) {
    World world;
    world.reconcile();
    world.settings.secret = Secret("new");
    BOOST_TEST(count(world.reconcile(), RegistrationState::Repaired) == 2U);
    for (const auto& [id, secret] : world.cloud.listener_secrets) BOOST_TEST(secret == "new");
    for (const auto& [key, note] : world.store.notes) BOOST_TEST(note.find("new") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_new_address_takes_the_old_rows_back) {
    World world;
    world.reconcile();
    world.settings.public_url = "https://other.example.org";
    world.reconcile();
    BOOST_TEST(world.cloud.listeners.size() == 2U);
    for (const auto& [id, row] : world.cloud.listeners)
        BOOST_TEST(row.at("uri") == R"("https://other.example.org/ingest/files")");
}

BOOST_AUTO_TEST_CASE(a_class_no_longer_wanted_is_removed) {
    World world;
    world.reconcile();
    world.settings.classes = {"\\" + kCreated};
    const auto report = world.reconcile();
    BOOST_TEST(count(report, RegistrationState::Removed) == 1U);
    BOOST_TEST(count(report, RegistrationState::Present) == 1U);
}

BOOST_AUTO_TEST_CASE(a_refused_class_is_told_once_and_asked_again_after_a_day) {
    World world;
    world.settings.classes = {kCreated, kUnknown};
    auto report = world.reconcile();
    BOOST_TEST((report.state == RegistrarState::Degraded));
    BOOST_TEST(report.cannot_arrive.size() == 1U);
    const auto refused = [&] {
        return *std::find_if(report.registrations.begin(), report.registrations.end(),
                             [](const auto& one) { return one.state == RegistrationState::Refused; });
    };
    BOOST_TEST(refused().news);
    world.cloud.asked();
    report = world.reconcile();
    BOOST_TEST(world.cloud.asked().size() == 1U);
    BOOST_TEST(!refused().news);
    world.now += std::chrono::hours{24};
    report = world.reconcile();
    BOOST_TEST(world.cloud.asked().size() == 2U);
    BOOST_TEST(!refused().news);
    world.cloud.compatible.insert(kUnknown);
    report = world.reconcile(true);
    BOOST_TEST((report.state == RegistrarState::Ok));
    BOOST_TEST(count(report, RegistrationState::Created) == 1U);
}

BOOST_AUTO_TEST_CASE(a_default_class_of_an_absent_app_is_no_fault) {
    World world;
    world.settings.classes = default_classes();
    world.settings.classes_chosen = false;
    const auto report = world.reconcile();
    BOOST_TEST((report.state == RegistrarState::Ok), report.message);
    BOOST_TEST(count(report, RegistrationState::Created) == 2U);
    BOOST_TEST(report.cannot_arrive.empty());
}

BOOST_AUTO_TEST_CASE(refused_credentials_end_the_pass_after_one_request) {
    World world;
    world.cloud.password = "another";
    const auto report = world.reconcile();
    BOOST_TEST((report.state == RegistrarState::Stopped));
    BOOST_TEST(world.cloud.failed_logins == 1U);
    BOOST_TEST(report.message.find("Wrong credentials") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_disabled_app_is_told_plainly) {
    World world;
    world.cloud.disabled.insert("webhook_listeners");
    const auto report = world.reconcile();
    BOOST_TEST((report.state == RegistrarState::Failed));
    BOOST_TEST((report.trouble->kind == Trouble::Kind::Missing));
    BOOST_TEST(report.message.find("occ app:enable webhook_listeners") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(who_is_no_administrator_hears_it) {
    World world;
    world.cloud.admin = false;
    const auto report = world.reconcile();
    BOOST_TEST((report.trouble->kind == Trouble::Kind::Rights));
    BOOST_TEST(world.cloud.asked().size() == 1U);
}

BOOST_AUTO_TEST_CASE(maintenance_and_too_many_requests_ask_for_distance) {
    World world;
    world.cloud.maintenance = true;
    auto report = world.reconcile();
    BOOST_TEST((report.trouble->kind == Trouble::Kind::Busy));
    BOOST_TEST((report.trouble->at_least == std::chrono::minutes{1}));
    BOOST_TEST(report.message.find("maintenance") != std::string::npos);
    world.cloud.maintenance = false;
    world.cloud.throttled = true;
    world.cloud.headers["Retry-After"] = "1200";
    report = world.reconcile();
    BOOST_TEST((report.trouble->at_least == std::chrono::minutes{20}));
    BOOST_TEST(world.cloud.asked().size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_pass_that_breaks_off_goes_on_where_it_was) {
    World world;
    int requests = 0;
    const auto breaks = [&](const HttpRequest& request) -> Exchange {
        if (++requests == 3) return TransportFailure{TransportFailure::Reached::Unclear, true, "timed out"};
        return world.cloud(request);
    };
    ListenersRegistrar registrar(world.settings, OcsClient(access(), breaks), world.store);
    BOOST_TEST((registrar.reconcile({world.now, false}).trouble->kind == Trouble::Kind::Unreachable));
    BOOST_TEST(world.cloud.listeners.size() == 1U);
    const auto report = world.reconcile();
    BOOST_TEST(count(report, RegistrationState::Present) == 1U);
    BOOST_TEST(count(report, RegistrationState::Created) == 1U);
}

BOOST_AUTO_TEST_CASE(nothing_is_registered_without_a_secret) {
    World world;
    world.settings.secret = Secret();
    BOOST_TEST((world.reconcile().state == RegistrarState::Failed));
    BOOST_TEST(world.cloud.asked().empty());
}

BOOST_AUTO_TEST_CASE(unregistering_removes_all_rows_of_ours) {
    World world;
    world.reconcile();
    const auto report = world.unregister();
    BOOST_TEST(count(report, RegistrationState::Removed) == 2U);
    BOOST_TEST(world.cloud.listeners.empty());
    BOOST_TEST(has_line(world.cloud.asked(), "DELETE "));
}

BOOST_AUTO_TEST_CASE(an_address_nextcloud_will_not_call_is_pointed_out) {
    for (const auto* url : {"http://orbridge:8080", "http://10.0.0.3", "https://bridge.lan", "http://[::1]:80"})
        BOOST_TEST(refused_as_local(url), url);
    for (const auto* url : {"https://bridge.example.org:8443/x", "http://203.0.113.9"})
        BOOST_TEST(!refused_as_local(url), url);
}

BOOST_AUTO_TEST_CASE(recorded_answers_mean_what_the_protocol_says) {
    const std::map<std::string, Trouble::Kind> meanings = {{"any.401-bad-credentials", Trouble::Kind::Credentials},
                                                           {"any.401-not-logged-in", Trouble::Kind::Credentials},
                                                           {"any.403-not-admin", Trouble::Kind::Rights},
                                                           {"any.404-app-disabled", Trouble::Kind::Missing},
                                                           {"any.412-csrf", Trouble::Kind::Failed},
                                                           {"any.429", Trouble::Kind::Busy},
                                                           {"any.500-internal", Trouble::Kind::Failed},
                                                           {"any.503-maintenance", Trouble::Kind::Busy},
                                                           {"create.400-auth-data", Trouble::Kind::Refused},
                                                           {"create.400-event", Trouble::Kind::Refused},
                                                           {"create.500-bad-body", Trouble::Kind::Failed},
                                                           {"show.404", Trouble::Kind::NotFound}};
    for (const auto& [name, kind] : meanings) {
        const auto body =
            orbridge::testing::read_file(std::string(ORBRIDGE_TEST_DATA) + "/nextcloud/ocs/" + name + ".json");
        const int status = std::stoi(name.substr(name.find('.') + 1));
        const OcsClient client({"https://cloud.example.org", "u", Secret("p"), {}}, [&](const HttpRequest&) {
            return HttpResponse{status, {}, body};
        });
        const auto row = client.show(1);
        BOOST_REQUIRE_MESSAGE(row.trouble, name);
        BOOST_TEST((row.trouble->kind == kind), name);
    }
}

BOOST_AUTO_TEST_CASE(the_recorded_list_is_read_with_its_odd_types) {
    for (const auto* name : {"list.200.json", "list.nc33.200.json"}) {
        const auto body = orbridge::testing::read_file(std::string(ORBRIDGE_TEST_DATA) + "/nextcloud/ocs/" + name);
        const OcsClient client({"https://cloud.example.org", "u", Secret("p"), {}}, [&](const HttpRequest&) {
            return HttpResponse{200, {}, body};
        });
        const auto rows = client.list("https://hooks.example.org/nc");
        BOOST_TEST(rows.value.size() == 1U);
        BOOST_TEST(rows.value.at(0).id == 12);
        BOOST_TEST(rows.value.at(0).event_filter.empty());
        BOOST_TEST(rows.value.at(0).token_needed.empty());
    }
}

BOOST_AUTO_TEST_CASE(an_early_error_in_xml_is_understood) {
    JsonPtr document;
    const auto meta = read_ocs_meta(
        "<?xml version=\"1.0\"?>\n<ocs>\n <meta>\n  <status>failure</status>\n  <statuscode>998</statuscode>\n"
        "  <message>Invalid &amp; &lt;query&gt;</message>\n </meta>\n <data/>\n</ocs>\n",
        document);
    BOOST_TEST(meta->statuscode == 998);
    BOOST_TEST(meta->message == "Invalid & <query>");
    BOOST_TEST(!read_ocs_meta("<html><body>maintenance</body></html>", document));
}

BOOST_AUTO_TEST_CASE(a_page_instead_of_an_answer_is_a_failure_not_a_success) {
    const OcsClient client({"https://cloud.example.org", "u", Secret("p"), {}}, [](const HttpRequest&) {
        return HttpResponse{200, {}, "<html>login</html>"};
    });
    BOOST_TEST((client.list("x").trouble->kind == Trouble::Kind::Failed));
}

BOOST_AUTO_TEST_CASE(no_list_of_classes_asks_for_what_never_fires_or_floods) {
    for (const auto& name : all_classes()) {
        BOOST_TEST(name.find("BeforeNodeReadEvent") == std::string::npos);
        BOOST_TEST(name.find("MapperEvent") == std::string::npos);
        BOOST_TEST(name.find("Abstract") == std::string::npos);
    }
    for (const auto& name : default_classes()) BOOST_TEST(name.find("Calendar") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
