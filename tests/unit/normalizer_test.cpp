#include "bridge/normalize/normalizer.h"

#include <boost/test/unit_test.hpp>
#include <map>
#include <set>

#include "bridge/core/json.h"
#include "bridge/normalize/mapping_loader.h"
#include "bridge/normalize/preview.h"
#include "tests/support/recorded.h"

using namespace orbridge;
using namespace orbridge::testing;
namespace fs = std::filesystem;

namespace {

const std::string kCaptures = "openregister/captures/";

const Normalizer& shipped() {
    static const Normalizer normalizer = [] {
        Complaints complaints;
        const std::string folder = ORBRIDGE_ROOT "/mappings/";
        auto mappings = load_mappings({folder + "openregister.yaml", folder + "nextcloud.yaml"}, complaints);
        for (const auto& line : complaints.lines()) BOOST_ERROR(line);
        return Normalizer(std::move(mappings));
    }();
    return normalizer;
}

struct KnownNames : Names {
    KnownNames() {
        replace({"cloud"}, "register", {{"3", "publicaties"}, {"5", "zaken"}});
        replace({"cloud"}, "schema", {{"12", "publicatie"}, {"27", "zaak"}});
    }
};

PreviewFrom from(const std::string& type, Intake intake) { return {{"cloud"}, type, intake, {}}; }

NormalizeOutcome outcome_of(const std::string& text,
                            const PreviewFrom& sender = from("openregister", Intake::Webhooks)) {
    auto outcome = preview(shipped(), KnownNames(), text, sender);
    BOOST_REQUIRE_MESSAGE(outcome, (outcome ? "" : outcome.error().message));
    return std::move(*outcome);
}

Normalized one(const NormalizeOutcome& outcome) {
    const auto* events = std::get_if<std::vector<Normalized>>(&outcome);
    BOOST_REQUIRE_MESSAGE(events, "unmapped: " << preview_text(outcome));
    BOOST_REQUIRE_EQUAL(events->size(), 1u);
    BOOST_REQUIRE(JsonDocument::parse(events->front().payload));
    return events->front();
}

Normalized event_of(const std::string& text, const PreviewFrom& sender = from("openregister", Intake::Webhooks)) {
    return one(outcome_of(text, sender));
}
Normalized capture(const std::string& name) {
    return event_of(read_file(fs::path(ORBRIDGE_TEST_DATA) / kCaptures / name));
}
std::string capture_body(const std::string& name) { return recorded(kCaptures + name).body; }

Unmapped unmapped(const std::string& text, const PreviewFrom& sender = from("openregister", Intake::Webhooks)) {
    const auto outcome = outcome_of(text, sender);
    BOOST_REQUIRE(std::holds_alternative<Unmapped>(outcome));
    return std::get<Unmapped>(outcome);
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
    const auto at = text.find(what);
    BOOST_REQUIRE_MESSAGE(at != std::string::npos, what << " is not in the text");
    return text.replace(at, what.size(), by);
}

JsonPtr payload(const Normalized& event) { return *JsonDocument::parse(event.payload); }

}  // namespace

BOOST_AUTO_TEST_SUITE(normalizer)

// ---- OpenRegister ---------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(every_openregister_capture_maps) {
    std::size_t mapped = 0;
    for (const std::string folder : {"openregister/captures", "openregister/captures/hooks"}) {
        for (const auto& file : data_files(folder, ".http")) {
            if (recorded(file).method == "GET") continue;  // its body is empty: everything is in the query
            const auto event = event_of(read_file(file));
            BOOST_TEST(!event.channel.empty(), file);
            BOOST_TEST(!event.event_name.empty(), file);
            BOOST_TEST(!event.dedup_key.empty(), file);
            BOOST_TEST(event.occurred_at.has_value(), file);
            BOOST_TEST(event.event_name.find("-:") == std::string::npos, event.event_name);
            ++mapped;
        }
    }
    BOOST_TEST(mapped == 188u);
}

/// As it would be read out of the payload.
void check_state(const Normalized& event, const std::string& path) {
    const auto document = payload(event);
    const auto state = path == "." ? document->root() : document->root().path(path);
    BOOST_TEST(event.state.text == state.raw(), event.payload);
    BOOST_TEST(event.state.updated == state["updated"].string().value_or(""), event.payload);
}

BOOST_AUTO_TEST_CASE(the_state_is_what_stands_in_the_payload) {
    std::size_t with_state = 0;
    for (const std::string folder : {"openregister/captures", "openregister/captures/hooks"}) {
        for (const auto& file : data_files(folder, ".http")) {
            if (recorded(file).method == "GET") continue;
            const auto event = event_of(read_file(file));
            if (event.state.text.empty()) continue;
            check_state(event, "object");
            ++with_state;
        }
    }
    BOOST_TEST(with_state > 40u);
}

BOOST_AUTO_TEST_CASE(a_state_may_be_copied_put_together_or_the_whole) {
    struct Case {
        std::string path, payload;
    };
    const Case cases[] = {
        {"it", "{it: thing}"},
        {"it", "{it: {$members_of: thing, with: {id: id}}}"},
        {"it", "{first: 1, it: {updated: thing.updated, deep: {updated: id}}}"},
        {"it", "{it: {deep: {updated: thing.updated}}}"},
        {"it", "{it: [missing, thing]}"},
        {"it", "{it: {none: missing}}"},
        {"deep.it", "{deep: {it: {updated: thing.updated}}}"},
        {".", "{updated: thing.updated, id: id}"},
    };
    for (const auto& [path, written] : cases) {
        Complaints complaints;
        const Normalizer normalizer(
            parse_mapping("mapping: m\nsources: [push]\nclass: type\nrules:\n  - {name: r, class: '.*',"
                          " channel: C, event_name: e, subject: s, state: '" +
                              path + "', payload: " + written + "}\n",
                          "m.yaml", complaints));
        for (const auto& line : complaints.lines()) BOOST_ERROR(line);
        const auto outcome = preview(normalizer, KnownNames(),
                                     R"({"type":"t","id":7,"thing":{"a":1,"updated":"2026-\u003001-01T00:00:00Z"}})",
                                     from("push", Intake::Push));
        BOOST_REQUIRE(outcome.has_value());
        const auto event = one(*outcome);
        BOOST_TEST(!event.state.text.empty(), event.payload);
        check_state(event, path);
    }
}

BOOST_AUTO_TEST_CASE(a_change_is_the_same_event_in_the_standard_and_the_cloudevents_form) {
    std::size_t pairs = 0;
    for (const auto& file : data_files("openregister/captures", ".standard.http")) {
        const auto standard = event_of(read_file(file));
        for (const std::string form : {".cloudevents.http", ".cloudevents-unsigned.http", ".standard-unsigned.http"}) {
            const fs::path twin = replaced(file.string(), ".standard.http", form);
            if (!fs::exists(twin)) continue;
            const auto other = event_of(read_file(twin));
            BOOST_TEST(standard.channel == other.channel, file);
            BOOST_TEST(standard.event_class == other.event_class, file);
            BOOST_TEST(standard.event_name == other.event_name, file);
            BOOST_TEST(standard.subject == other.subject, file);
            BOOST_TEST(standard.payload == other.payload, file);
            BOOST_TEST(standard.twin_key == other.twin_key, file);
            ++pairs;
        }
    }
    BOOST_TEST(pairs > 120u);
}

BOOST_AUTO_TEST_CASE(an_object_has_the_shape_that_scripts_read) {
    const auto event = capture("ObjectCreatedEvent.standard.http");
    BOOST_TEST(event.channel == "Object");
    BOOST_TEST(event.event_class == "OCA\\OpenRegister\\Event\\ObjectCreatedEvent");
    BOOST_TEST(event.event_name == "created:publicaties:publicatie:9b2d3c1a-6f64-4a7e-8a39-2d9d1f0e0101");
    BOOST_TEST(event.subject == "object:3/12/9b2d3c1a-6f64-4a7e-8a39-2d9d1f0e0101");
    const auto document = payload(event);
    const auto object = document->root()["object"];
    BOOST_TEST(*object["uuid"].string() == "9b2d3c1a-6f64-4a7e-8a39-2d9d1f0e0101");
    BOOST_TEST(object["register"].raw() == "\"3\"");
    BOOST_TEST(object["schema"].raw() == "\"12\"");
    BOOST_TEST(*object["version"].string() == "0.0.1");
    BOOST_TEST(*object["created"].string() == "2026-03-02T13:05:09+00:00");
    BOOST_TEST(*object["updated"].string() == "2026-03-02T13:05:09+00:00");
    BOOST_TEST(object["data"]["bedrag"].raw() == "1250.75");
    BOOST_TEST(!object["data"]["@self"].present());
    BOOST_TEST(!object["data"]["id"].present());
    BOOST_TEST(*object.path("@self.owner").string() == "j.devries");
}

BOOST_AUTO_TEST_CASE(numbers_and_texts_keep_their_bytes) {
    const auto body = capture_body("ObjectCreatedEvent-numbers.standard.http");
    const auto sent = *JsonDocument::parse(body);
    const auto made = payload(capture("ObjectCreatedEvent-numbers.standard.http"));
    for (const auto& member : sent->root().path("data.object").members()) {
        if (member.key == "@self" || member.key == "id") continue;
        BOOST_TEST(made->root().path("object.data")[member.key].raw() == member.value.raw(), member.key);
    }
}

BOOST_AUTO_TEST_CASE(an_update_carries_the_object_twice_and_the_old_one_if_it_came) {
    const auto updated = payload(capture("ObjectUpdatedEvent.standard.http"));
    BOOST_TEST(updated->root()["object"].raw() == updated->root()["newObject"].raw());
    BOOST_TEST(!updated->root()["oldObject"].present());
    const auto updating = payload(capture("ObjectUpdatingEvent.standard.http"));
    BOOST_TEST(updating->root().path("oldObject.data.aantalPaginas").raw() == "42");
    BOOST_TEST(updating->root().path("object.data.aantalPaginas").raw() == "43");
    BOOST_TEST(!payload(capture("ObjectUpdatingEvent-noold.standard.http"))->root()["oldObject"].present());
}

BOOST_AUTO_TEST_CASE(a_soft_delete_is_a_deletion_that_says_what_it_was) {
    const auto event = capture("ObjectUpdatedEvent-softdelete.standard.http");
    BOOST_TEST(event.event_class == "OCA\\OpenRegister\\Event\\ObjectDeletedEvent");
    BOOST_TEST(event.event_name == "deleted:publicaties:publicatie:9b2d3c1a-6f64-4a7e-8a39-2d9d1f0e0101");
    BOOST_TEST(*payload(event)->root()["originEvent"].string() == "OCA\\OpenRegister\\Event\\ObjectUpdatedEvent");
    BOOST_TEST(to_iso8601(*event.occurred_at) == "2026-03-06T07:45:12.000Z");
    BOOST_TEST(event.twin_key.empty());  // a hook tells of it as an update: that must not swallow the deletion
}

BOOST_AUTO_TEST_CASE(schemas_and_the_like_have_a_name_and_a_version) {
    const auto schema = payload(capture("SchemaUpdatedEvent.standard.http"));
    BOOST_TEST(*schema->root().path("schema.name").string() == "Zaak");
    BOOST_TEST(*schema->root().path("schema.version").string() == "0.0.7");
    BOOST_TEST(*schema->root().path("schema.slug").string() == "zaak");
    const auto deleted = payload(capture("SchemaDeletedEvent.standard.http"));
    BOOST_TEST(deleted->root().path("schema.version").is_null());
    BOOST_TEST(deleted->root().path("schema.properties").raw() == "[]");
    const auto agent = capture("AgentUpdatedEvent.standard.http");
    BOOST_TEST(agent.channel == "Agent");
    BOOST_TEST(agent.subject == "agent:ab000000-0000-4000-8000-000000000004");
    BOOST_TEST(*payload(agent)->root().path("agent.name").string() == "Woo-assistent");
}

BOOST_AUTO_TEST_CASE(before_events_locks_and_reverts_have_names_of_their_own) {
    const auto name = [](const std::string& file) {
        const auto full = capture(file).event_name;
        return full.substr(0, full.find(':'));
    };
    BOOST_TEST(name("ObjectCreatingEvent.standard.http") == "creating");
    BOOST_TEST(name("ObjectUpdatingEvent.standard.http") == "updating");
    BOOST_TEST(name("ObjectDeletingEvent.standard.http") == "deleting");
    BOOST_TEST(name("ObjectDeletedEvent.standard.http") == "deleted");
    BOOST_TEST(name("ObjectLockedEvent.standard.http") == "locked");
    BOOST_TEST(name("ObjectUnlockedEvent.standard.http") == "unlocked");
    BOOST_TEST(name("ObjectRevertedEvent.standard.http") == "reverted");
    BOOST_TEST(capture("TestEvent.standard.http").channel == "Test");
    const auto reverted = payload(capture("ObjectRevertedEvent-audittrail.standard.http"));
    BOOST_TEST(*reverted->root()["revertPoint"].string() == "8b1f6a9e-1111-4222-8333-944445555666");
}

BOOST_AUTO_TEST_CASE(a_creation_without_register_and_schema_still_maps) {
    const auto event = event_of(
        R"({"event":"OCA\\OpenRegister\\Event\\ObjectCreatingEvent","data":{"objectType":"object","action":"creating",)"
        R"("object":{"a":1,"@self":{"id":null,"register":null,"schema":null},"id":null},"register":null,"schema":null},)"
        R"("timestamp":"2026-11-22T04:18:20+00:00","attempt":1})");
    BOOST_TEST(event.event_name == "creating:-:-:-");
    BOOST_TEST(event.subject.empty());
    BOOST_TEST(payload(event)->root().path("object.uuid").is_null());
    BOOST_TEST(payload(event)->root().path("object.data").raw() == "{\"a\":1}");
}

BOOST_AUTO_TEST_CASE(names_are_ids_while_slugs_are_unknown) {
    const Names none;
    const auto file = read_file(fs::path(ORBRIDGE_TEST_DATA) / kCaptures / "ObjectCreatedEvent-zaak.standard.http");
    const auto event = one(*preview(shipped(), none, file, from("openregister", Intake::Webhooks)));
    BOOST_TEST(event.event_name == "created:5:27:c0ffee00-1234-4abc-9def-000000000007");
}

BOOST_AUTO_TEST_CASE(older_spellings_of_the_action_make_no_difference) {
    auto body = capture_body("ObjectCreatedEvent.standard.http");
    const auto now = event_of(body);
    const auto before = event_of(replaced(body, "\"action\":\"create\"", "\"action\":\"created\""));
    BOOST_TEST(now.event_name == before.event_name);
    BOOST_TEST(now.payload == before.payload);
}

BOOST_AUTO_TEST_CASE(an_envelope_in_an_envelope_is_the_same_event) {
    for (const std::string file : {"ObjectCreatedEvent.standard.http", "ObjectCreatedEvent.cloudevents.http"}) {
        const auto body = capture_body(file);
        const auto plain = event_of(body);
        auto wrapped = body;
        for (int depth = 0; depth < 3; ++depth)
            wrapped = R"({"event":"OCA\\OpenRegister\\Event\\ObjectCreatedEvent","data":)" + wrapped +
                      R"(,"timestamp":"2026-12-01T00:00:00+00:00","attempt":2})";
        const auto inner = event_of(wrapped);
        BOOST_TEST(inner.payload == plain.payload);
        BOOST_TEST(inner.dedup_key == plain.dedup_key);
    }
}

BOOST_AUTO_TEST_CASE(the_form_the_manuals_show_keeps_its_shape) {
    const auto event = event_of(
        R"({"event":"OCA\\OpenRegister\\Event\\ObjectUpdatedEvent","data":{"object":{"id":123,"uuid":"u-1","register":"3",)"
        R"("schema":"12","data":{"titel":"x"},"created":"2026-01-01T00:00:00Z","updated":"2026-01-02T00:00:00Z"}}})");
    BOOST_TEST(event.event_name == "updated:publicaties:publicatie:u-1");
    BOOST_TEST(event.subject == "object:3/12/u-1");
    BOOST_TEST(payload(event)->root().path("newObject.data").raw() == "{\"titel\":\"x\"}");
    BOOST_TEST(payload(event)->root().path("object.id").raw() == "123");
}

BOOST_AUTO_TEST_CASE(openregister_events_map_in_the_form_of_nextclouds_listeners_too) {
    const auto object = JsonDocument::parse(capture_body("ObjectCreatedEvent.standard.http"));
    const std::string text((*object)->root().path("data.object").raw());
    const auto event =
        event_of(R"({"event":{"object":)" + text +
                     R"(,"class":"OCA\\OpenRegister\\Event\\ObjectCreatedEvent"},"user":null,"time":1767225600})",
                 from("openregister", Intake::Listeners));
    BOOST_TEST(event.event_name == "created:publicaties:publicatie:9b2d3c1a-6f64-4a7e-8a39-2d9d1f0e0101");
    BOOST_TEST(event.payload == capture("ObjectCreatedEvent.standard.http").payload);
}

// ---- secrets --------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(credentials_of_others_are_in_no_outcome) {
    for (const std::string file : {"SourceUpdatedEvent.standard.http", "SourceUpdatedEvent.cloudevents.http",
                                   "object.creating-intercept.intercept.http"}) {
        const auto text = preview_json(outcome_of(capture_body(file)));
        for (const char* secret : {"user:pass", "databaseUrl", "REDACTED-EXAMPLE", "Authorization", "curl"})
            BOOST_TEST(text.find(secret) == std::string::npos, file << " " << secret);
    }
    const auto requested = capture("object.creating-intercept.intercept.http");
    BOOST_TEST(requested.event_name == "requested:publicaties:publicatie");
    BOOST_TEST(payload(requested)->root().path("object.data").raw() == "{\"titel\":\"Nieuw besluit\",\"bijlagen\":[]}");
}

BOOST_AUTO_TEST_CASE(an_unmapped_body_holds_no_credentials_either) {
    for (const std::string file : {"SourceUpdatedEvent.standard.http", "object.creating-intercept.intercept.http"}) {
        auto body = capture_body(file);
        body = replaced(body, "\"event\":\"", "\"event\":\"Future");
        for (const auto& text : {body, R"({"event":"FutureX","data":)" + body + "}"}) {
            const auto event = unmapped(text);
            BOOST_TEST(event.event_class.substr(0, 6) == "Future");
            BOOST_TEST(event.body.find("user:pass") == std::string::npos);
            BOOST_TEST(event.body.find("REDACTED-EXAMPLE") == std::string::npos);
            BOOST_TEST(JsonDocument::parse(event.body).has_value());
        }
    }
    const auto escaped = R"({"event":"FutureX","data":{"source":{"database\u0055rl":"mongodb:\/\/user:pass@h"}}})";
    BOOST_TEST(unmapped(escaped).body == R"({"event":"FutureX","data":{"source":{}}})");
}

BOOST_AUTO_TEST_CASE(a_property_that_is_called_like_a_secret_stays) {
    auto body = capture_body("ObjectCreatedEvent.standard.http");
    body = replaced(body, "\"object\":{",
                    "\"object\":{\"databaseUrl\":\"x\",\"tokens\":[1],\"headers\":{\"Authorization\":\"y\"},");
    const auto made = payload(event_of(body));
    BOOST_TEST(made->root().path("object.data.databaseUrl").raw() == "\"x\"");
    BOOST_TEST(made->root().path("object.data.headers.Authorization").raw() == "\"y\"");
}

// ---- recognising it again -------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(one_change_has_one_key_in_all_webhooks_forms_and_attempts) {
    for (const std::string kind :
         {"ObjectCreatedEvent", "ObjectUpdatedEvent", "ObjectDeletedEvent", "RegisterCreatedEvent",
          "SchemaUpdatedEvent", "ViewDeletedEvent", "ObjectUpdatedEvent-softdelete"}) {
        std::set<std::string> keys;
        for (const std::string form : {"standard", "cloudevents", "standard-unsigned", "cloudevents-unsigned"})
            keys.insert(capture(kind + '.' + form + ".http").dedup_key);
        BOOST_TEST(keys.size() == 1u, kind);
    }
    const auto first = capture("ObjectUpdatedEvent.standard.http");
    BOOST_TEST(first.dedup_key == capture("ObjectUpdatedEvent-attempt2.standard.http").dedup_key);
    BOOST_TEST(first.dedup_key == capture("ObjectUpdatedEvent-attempt2.cloudevents.http").dedup_key);
}

BOOST_AUTO_TEST_CASE(different_changes_have_different_keys) {
    std::map<std::string, std::string> owners;
    for (const auto& file : data_files("openregister/captures", ".standard.http")) {
        const auto name = file.filename().string();
        if (name.find("-attempt2") != std::string::npos) continue;
        const auto [owner, fresh] = owners.emplace(capture(name).dedup_key, name);
        BOOST_TEST(fresh, name << " and " << owner->second);
    }
    const auto body = capture_body("ObjectUpdatedEvent.standard.http");
    const auto first = event_of(body);
    BOOST_TEST(first.dedup_key != event_of(replaced(body, "2026-04-30T16:59:59", "2026-04-30T17:00:00")).dedup_key);
    BOOST_TEST(first.dedup_key != event_of(replaced(body, "gesloten", "heropend")).dedup_key);
}

BOOST_AUTO_TEST_CASE(the_second_lock_is_not_the_first) {
    const auto body = capture_body("ObjectLockedEvent.standard.http");
    const auto later = replaced(body, "2026-11-22T04:18:20", "2026-11-22T04:19:20");
    BOOST_TEST(event_of(body).dedup_key != event_of(later).dedup_key);
}

BOOST_AUTO_TEST_CASE(a_hook_that_comes_back_to_an_earlier_state_is_a_change) {
    const auto body = capture_body("hooks/updated.async.http");
    const auto later = replaced(body, "\"time\":\"2026-11-22T04:18:21", "\"time\":\"2026-11-22T04:20:21");
    BOOST_TEST(event_of(body).dedup_key != event_of(later).dedup_key);
    BOOST_TEST(event_of(body).twin_key == event_of(later).twin_key);
}

BOOST_AUTO_TEST_CASE(a_change_seen_through_webhooks_and_hooks_has_twins) {
    const auto same = [](const std::string& webhook, const std::string& hook) {
        const auto a = capture(webhook);
        const auto b = capture(hook);
        BOOST_TEST(!a.twin_key.empty(), webhook);
        BOOST_TEST(a.twin_key == b.twin_key, webhook << " " << hook);
        BOOST_TEST(a.dedup_key != b.dedup_key);
        BOOST_TEST(a.channel == b.channel);
        BOOST_TEST(a.event_name == b.event_name);
        BOOST_TEST(a.event_class == b.event_class);
        const auto ours = payload(a);
        const auto theirs = payload(b);
        for (const char* path : {"object.uuid", "object.register", "object.schema"})
            BOOST_TEST(ours->root().path(path).raw() == theirs->root().path(path).raw());
        BOOST_TEST(canonical_json(ours->root().path("object.data")) ==
                   canonical_json(theirs->root().path("object.data")));
    };
    same("ObjectCreatedEvent.standard.http", "hooks/created.async.http");
    same("ObjectCreatedEvent.cloudevents.http", "hooks/created.async.http");
    same("ObjectCreatedEvent-zaak.standard.http", "hooks/created.sync.http");
    same("ObjectCreatingEvent.standard.http", "hooks/creating.sync.http");
    same("ObjectUpdatedEvent.standard.http", "hooks/updated.async.http");
    same("ObjectUpdatingEvent.standard.http", "hooks/updating.sync.http");
    same("ObjectDeletedEvent.standard.http", "hooks/deleted.async.http");
    same("ObjectDeletingEvent.standard.http", "hooks/deleting.sync.http");
    BOOST_TEST(capture("ObjectUpdatedEvent.standard.http").twin_key != capture("hooks/updated.sync.http").twin_key);
    BOOST_TEST(capture("ObjectUpdatedEvent.standard.http").twin_key != capture("hooks/created.async.http").twin_key);
}

BOOST_AUTO_TEST_CASE(a_retried_hook_is_an_event_of_its_own) {
    const auto event = capture("hooks/retry.sync.http");
    BOOST_TEST(event.event_name == "hook-retried:zaken:zaak:c0ffee00-1234-4abc-9def-000000000007");
    BOOST_TEST(event.twin_key.empty());
}

// ---- Nextcloud ------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(every_nextcloud_payload_maps_and_each_is_an_event_of_its_own) {
    const auto nextcloud = from("nextcloud", Intake::Listeners);
    std::size_t mapped = 0;
    for (const auto& file : data_files("nextcloud/payloads", ".json")) {
        const auto event = event_of(read_file(file), nextcloud);
        BOOST_TEST(event.dedup_key.empty(), file);
        BOOST_TEST(event.event_name.find("-:") == std::string::npos, event.event_name);
        BOOST_TEST(to_iso8601(*event.occurred_at) == "2026-01-01T00:00:00.000Z", file);
        BOOST_TEST(payload(event)->root().path("event.class").is_string(), file);
        BOOST_TEST(payload(event)->root()["user"].present(), file);
        ++mapped;
    }
    BOOST_TEST(mapped == 43u);
    for (const auto& file : data_files("nextcloud/wire", ".txt"))
        BOOST_TEST(event_of(read_file(file), nextcloud).channel == "File");
}

BOOST_AUTO_TEST_CASE(nextcloud_tokens_are_in_no_outcome) {
    const auto nextcloud = from("nextcloud", Intake::Listeners);
    const auto file = fs::path(ORBRIDGE_TEST_DATA) /
                      "nextcloud/payloads/OCP.Files.Events.Node.NodeCreatedEvent.nc33-authentication.json";
    const auto body = read_file(file);
    BOOST_TEST(preview_json(outcome_of(body, nextcloud)).find("NOT-REAL") == std::string::npos);
    const auto other = replaced(body, "NodeCreatedEvent", "FutureEvent");
    BOOST_TEST(unmapped(other, nextcloud).body.find("NOT-REAL") == std::string::npos);
    BOOST_TEST(unmapped(other, nextcloud).dedup_key.empty());
    BOOST_TEST(unmapped(other, from("gopher", Intake::Push)).body.find("NOT-REAL") == std::string::npos);
    const auto tokens =
        R"({"event":{"class":"OCP\\Files\\Events\\Node\\NodeCreatedEvent","node":{"path":"/a/files/b"}},)"
        R"("user":null,"time":1767225600,"tokens":{"user_ids":{"jane":"abcde"},"user_roles":[]}})";
    BOOST_TEST(preview_json(outcome_of(tokens, nextcloud)).find("abcde") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(nextcloud_names_say_what_happened_to_what) {
    const auto nextcloud = from("nextcloud", Intake::Listeners);
    const auto of = [&](const std::string& name) {
        return event_of(read_file(fs::path(ORBRIDGE_TEST_DATA) / "nextcloud/payloads" / (name + ".json")), nextcloud);
    };
    const auto same = [&](const std::string& file, const std::string& channel, const std::string& name,
                          const std::string& subject) {
        const auto event = of(file);
        BOOST_TEST(event.channel == channel);
        BOOST_TEST(event.event_name == name);
        BOOST_TEST(event.subject == subject);
    };
    same("OCP.Files.Events.Node.NodeCreatedEvent", "File", "created:/alice/files/Documents/report.odt",
         "file:/alice/files/Documents/report.odt");
    same("OCP.Files.Events.Node.NodeRenamedEvent", "File", "renamed:/alice/files/Documents/final report.odt",
         "file:/alice/files/Documents/final report.odt");
    same("OCP.Files.Events.Node.BeforeNodeReadEvent", "File", "before-read:/alice/files/Documents/report.odt",
         "file:/alice/files/Documents/report.odt");
    same("OCP.Calendar.Events.CalendarObjectMovedEvent", "Calendar", "moved:11:3F0D8A1C.ics",
         "calendar:11/3F0D8A1C.ics");
    same("OCP.Calendar.Events.CalendarObjectMovedToTrashEvent", "Calendar", "trashed:9:3F0D8A1C.ics",
         "calendar:9/3F0D8A1C.ics");
    same("OCP.SystemTag.TagAssignedEvent", "Tag", "assigned:files", "");
    same("OCA.Forms.Events.FormSubmittedEvent", "Form", "submitted:51:220", "form:51/220");
    same("OCA.Tables.Event.RowUpdatedEvent", "Table", "updated:34:7", "table:34/7");
    same("OCA.Deck.Event.AclCreatedEvent", "Board", "acl-created:5:7", "board:5");
    same("OCA.Deck.Event.CardDeletedEvent", "Card", "deleted:3:42", "card:42");
    same("OCA.Mail.Events.MessageDeletedEvent", "Mail", "deleted:2:14/512", "mail:2/14/512");
    same("OCA.AnnouncementCenter.Events.AnnouncementPublished", "Announcement", "published", "");
    same("OCP.User.Events.UserFirstTimeLoggedInEvent", "User", "first-login:carol", "user:carol");
}

BOOST_AUTO_TEST_CASE(nextcloud_events_also_map_when_they_come_to_an_openregister_source) {
    const auto file = fs::path(ORBRIDGE_TEST_DATA) / "nextcloud/payloads/OCP.Files.Events.Node.NodeCreatedEvent.json";
    BOOST_TEST(event_of(read_file(file), from("openregister", Intake::Listeners)).channel == "File");
}

// ---- what does not fit ----------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_no_rule_wants_is_kept_with_its_class_and_a_reason) {
    const auto event = unmapped(R"({"event":"OCA\\OpenRegister\\Event\\FutureEvent","data":{"a":1}})");
    BOOST_TEST(event.event_class == "OCA\\OpenRegister\\Event\\FutureEvent");
    BOOST_TEST(event.reason == "no rule for it in mapping openregister");
    BOOST_TEST(event.body == R"({"event":"OCA\\OpenRegister\\Event\\FutureEvent","data":{"a":1}})");
    BOOST_TEST(!event.dedup_key.empty());
    BOOST_TEST(unmapped("{}").event_class == "");
    BOOST_TEST(unmapped("{}", from("gopher", Intake::Push)).reason == "no mapping serves this type of source");
}

BOOST_AUTO_TEST_CASE(what_its_source_cannot_have_sent_is_invalid) {
    const Names names;
    for (const std::string body :
         {"", "not json", "[]", "[{}]", "\"text\"", "1", "null", "{\"a\":1}}", "{\"a\":\"\xff\"}", "{\"a\":1"}) {
        const auto outcome = preview(shipped(), names, body, from("openregister", Intake::Webhooks));
        BOOST_TEST(!outcome.has_value(), body);
        if (!outcome) BOOST_TEST((outcome.error().kind == Error::Kind::Invalid));
    }
    const std::string deep = "{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}";
    BOOST_TEST(!preview(shipped(), names, deep, from("openregister", Intake::Webhooks)));
}

BOOST_AUTO_TEST_CASE(control_characters_and_endless_texts_stay_out_of_names) {
    const auto nextcloud = from("nextcloud", Intake::Listeners);
    const auto named = [&](const std::string& path) {
        return event_of(R"({"event":{"class":"OCP\\Files\\Events\\Node\\NodeCreatedEvent","node":{"path":")" + path +
                            R"("}},"user":null,"time":1767225600})",
                        nextcloud)
            .event_name;
    };
    BOOST_TEST(named("/a/files/x\\r\\ny") == "created:/a/files/x__y");
    BOOST_TEST(named(std::string(5000, 'x')).size() < 100u);
    BOOST_TEST(named(std::string(5000, 'x')) != named(std::string(5000, 'y')));
}

BOOST_AUTO_TEST_SUITE_END()
