#include "bridge/api/credentials_api.h"

#include <boost/test/unit_test.hpp>

#include "bridge/core/text.h"
#include "tests/support/credential_desk.h"

using namespace orbridge;
using test::holds;

namespace {

const char* const kFields = R"(
- {name: token, type: password, required: true}
- {name: username}
- {name: pin, sensitive: true}
- {name: monkey}
)";

/// The API between a store in memory and an adapter `github` whose other side is a line of the test.
struct World : test::CredentialDesk {
    AuditTrail audit{store, clock, log};
    CredentialTest outcome{true, false, "Connected as ada"};
    std::vector<std::string> tried;
    std::vector<std::string> users;
    CredentialsApi api{{book, catalogue(), log, audit, [](const InboundRequest&) { return std::nullopt; }}};
    std::string answered;  ///< everything

    AdapterCatalogue catalogue() {
        AdapterCatalogue made;
        made.forms = [] {
            Complaints complaints;
            AdapterForm form;
            form.adapter = "github";
            form.title = "GitHub";
            form.credentials = read_fields(ConfigNode::parse(kFields, "github.yaml", complaints));
            BOOST_REQUIRE(complaints.empty());
            return std::vector<AdapterForm>{std::move(form)};
        };
        made.test = [this](const CredentialName& which, const Secret& values, const std::string& config) {
            tried.push_back(which.name + ' ' + values.reveal() + ' ' + config);
            return Result<CredentialTest>(outcome);
        };
        made.users = [this](const std::string&, const std::string&) { return users; };
        return made;
    }
    static InboundRequest with(const std::string& body) {
        InboundRequest request;
        request.body = body;
        return request;
    }
    Answer noted(Answer answer) {
        answered += answer.body + '\n';
        return answer;
    }
    Answer put(const std::string& values, const std::string& more = "") {
        return noted(api.put(with(R"({"adapter":"github","name":"main","values":)" + values + more + "}")));
    }
    std::string id() { return store.credentials().value().at(0).id; }
    std::string kept() { return book.values({"github", "main"}).value().values.reveal(); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(credentials_api)

BOOST_FIXTURE_TEST_CASE(K1_the_form_of_an_adapter_is_answered_as_json_schema, World) {
    const auto answer = api.form({}, "github");
    BOOST_TEST((answer.status == 200 && answer.content_type == "application/schema+json"));
    BOOST_TEST(holds(answer.body, R"("$schema":"https://json-schema.org/draft/2020-12/schema","title":"GitHub")"));
    BOOST_TEST(api.form({}, "githib").status == 404);
}

BOOST_FIXTURE_TEST_CASE(K3_what_does_not_fit_is_422_with_one_message_for_each_field, World) {
    const auto answer = put(R"({"username":5,"tokn":"S3CR3T-1"})");
    BOOST_TEST(answer.status == 422);
    BOOST_TEST(holds(answer.body, R"("fields":[{"field":"token","message":"missing"},)"
                                  R"({"field":"username","message":"expected string"},)"
                                  R"({"field":"tokn","message":"unknown field"}])"));
    BOOST_TEST(put("[]").status == 422);
    BOOST_TEST(store.credentials().value().empty());
}

BOOST_FIXTURE_TEST_CASE(K4_values_are_tried_out_without_being_stored, World) {
    const auto good = api.try_out(with(R"({"credentials":{"token":"S3CR3T-1"},"config":{"a":1}})"), "github");
    BOOST_TEST(good.body == R"({"success":true,"message":"Connected as ada"})");
    BOOST_TEST((tried == std::vector<std::string>{R"( {"token":"S3CR3T-1"} {"a":1})"}));
    outcome = {false, true, "HTTP 401"};
    const auto refused = api.try_out(with(R"({"credentials":{"token":"S3CR3T-1"}})"), "github");
    BOOST_TEST(refused.body == R"({"success":false,"message":"HTTP 401"})");
    BOOST_TEST(api.try_out(with(R"({"credentials":{}})"), "github").status == 422);
    BOOST_TEST(store.credentials().value().empty());
    BOOST_TEST(tried.size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(K4_saving_with_a_test_stores_nothing_that_is_refused, World) {
    outcome = {false, true, "HTTP 401"};
    const auto refused = put(R"({"token":"S3CR3T-1"})", R"(,"test":true)");
    BOOST_TEST((refused.status == 422 && holds(refused.body, R"("code":"refused")")));
    BOOST_TEST(store.credentials().value().empty());
    outcome = {true, false, "Connected as ada"};
    const auto stored = put(R"({"token":"S3CR3T-1"})", R"(,"test":true)");
    BOOST_TEST(
        holds(stored.body, R"("status":"valid","is_valid":true,"validated_at":")" + to_iso8601(clock.now()) + '"'));
}

BOOST_FIXTURE_TEST_CASE(K4_a_test_of_kept_ones_stores_the_verdict_unless_nobody_answered, World) {
    BOOST_TEST(holds(put(R"({"token":"S3CR3T-1"})").body, R"("status":"untested","is_valid":null)"));
    outcome = {false, false, "no answer"};
    noted(api.test(with(""), id()));
    BOOST_TEST(holds(api.show({}, id()).body, R"("is_valid":null)"));
    outcome = {false, true, "HTTP 401"};
    noted(api.test(with(""), id()));
    BOOST_TEST(holds(api.show({}, id()).body, R"("status":"refused","is_valid":false)"));
    outcome = {true, false, "Connected as ada"};
    noted(api.test(with(""), id()));
    BOOST_TEST(holds(api.show({}, id()).body, R"("status":"valid","is_valid":true)"));
    // Kept ones go where their users send them, and not to an address that whoever tests has thought of.
    noted(api.test(with(R"({"config":{"url":"http://evil.example"}})"), id()));
    for (const auto& each : tried) BOOST_TEST(!holds(each, "evil"));
}

BOOST_FIXTURE_TEST_CASE(K9_a_masked_or_absent_secret_keeps_the_old_value, World) {
    put(R"({"token":"S3CR3T-1","pin":"S3CR3T-2","username":"ada"})");
    BOOST_TEST(put(R"({"token":"***","username":"bob"})").status == 200);
    BOOST_TEST(kept() == R"({"username":"bob","token":"S3CR3T-1","pin":"S3CR3T-2"})");
    BOOST_TEST(put(R"({"token":"S3CR3T-3","pin":null})").status == 200);
    BOOST_TEST(kept() == R"({"token":"S3CR3T-3"})");
    BOOST_TEST(put(R"({"token":null})").status == 422);
    BOOST_TEST(kept() == R"({"token":"S3CR3T-3"})");
}

BOOST_FIXTURE_TEST_CASE(K9_a_mask_is_no_value_where_there_is_none_to_keep, World) {
    BOOST_TEST(put(R"({"token":"***"})").status == 422);
    BOOST_TEST(store.credentials().value().empty());
}

BOOST_FIXTURE_TEST_CASE(K10_a_pin_that_is_declared_secret_is_hidden_and_a_monkey_is_not, World) {
    const auto answer = put(R"({"token":"S3CR3T-1","pin":"S3CR3T-2","monkey":"banana"})");
    BOOST_TEST(holds(answer.body, R"("values":{"token":"***","pin":"***","monkey":"banana"})"));
}

BOOST_FIXTURE_TEST_CASE(K11_a_wrong_scope_is_400, World) {
    for (const auto* scope : {"team:1", "", "register:", "register:1,workspace:2"}) {
        const auto answer = put(R"({"token":"S3CR3T-1"})", std::string(R"(,"scope":")") + scope + '"');
        BOOST_TEST((answer.status == 400 && holds(answer.body, R"("field":"scope")")), scope);
    }
    BOOST_TEST(put(R"({"token":"S3CR3T-1"})", R"(,"scope":"register:3")").status == 200);
}

BOOST_FIXTURE_TEST_CASE(K12_what_is_in_use_is_not_removed_and_the_users_are_named, World) {
    put(R"({"token":"S3CR3T-1"})");
    users = {"target on-object", "source cloud"};
    const auto answer = noted(api.remove({}, id()));
    BOOST_TEST((answer.status == 409 && holds(answer.body, R"("users":["target on-object","source cloud"])")));
    put(R"({"token":"S3CR3T-2"})", R"(,"scope":"register:3")");
    const auto narrow = store.credentials().value().at(1).id;
    BOOST_TEST(api.remove({}, narrow).status == 200);  // those of all stay
    users.clear();
    BOOST_TEST(api.remove({}, id()).status == 200);
    BOOST_TEST(store.credentials().value().empty());
    BOOST_TEST(api.remove({}, "nobody").status == 404);
}

BOOST_FIXTURE_TEST_CASE(K13_what_is_exported_has_no_values_and_waits_for_them_where_it_is_imported, World) {
    put(R"({"token":"S3CR3T-1","monkey":"banana"})");
    const auto exported = api.export_all({});
    BOOST_TEST((!holds(exported.body, "S3CR3T") && !holds(exported.body, "banana")));
    World other;
    const auto imported = other.noted(other.api.import_all(with(exported.body)));
    BOOST_TEST(imported.status == 200);
    BOOST_TEST(holds(imported.body, R"("status":"credentials_required")"));
    BOOST_TEST(holds(other.book.values({"github", "main"}).error().message, "credentials_required"));
    other.put(R"({"token":"S3CR3T-1"})");
    BOOST_TEST(holds(other.noted(other.api.test(with(""), other.id())).body, R"("success":true)"));
    BOOST_TEST(other.api.import_all(with("{}")).status == 422);
    BOOST_TEST(api.import_all(with(exported.body)).status == 200);
    BOOST_TEST(holds(kept(), "S3CR3T-1"));  // what is there stays
}

BOOST_FIXTURE_TEST_CASE(K8_rekey_is_answered_with_what_it_did, World) {
    put(R"({"token":"S3CR3T-1"})");
    vault.set_keys({Secret(std::string(32, '\x02')), Secret(std::string(32, '\x01'))});
    BOOST_TEST(noted(api.rekey({})).body == R"({"sealed_anew":1,"current":0,"unreadable":[]})");
    vault.set_keys({Secret(std::string(32, '\x03'))});
    const auto answer = noted(api.list({}));
    BOOST_TEST((answer.status == 200 && holds(answer.body, R"("trouble":"credentials )")));
}

BOOST_FIXTURE_TEST_CASE(K9_no_answer_no_log_line_and_no_audit_row_holds_a_secret, World) {
    put(R"({"token":"S3CR3T-1","pin":"S3CR3T-2"})");
    put(R"({"token":5,"S3CR3T":1})");
    put(R"({"token":"***"})");
    outcome = {false, true, "HTTP 401"};
    for (const auto& answer : {api.list({}), api.show({}, id()), api.test(with(""), id()), api.export_all({}),
                               api.rekey({}), api.remove({}, id())})
        noted(answer);
    std::string audited;
    const auto rows = store.audit({}).value();
    for (const auto& row : rows) audited += row.what + row.subject + row.detail;
    BOOST_TEST(holds(audited, "credentials.remove"));
    for (const auto& text : {answered, join(lines, "\n"), audited}) {
        BOOST_TEST(!holds(text, "S3CR3T-"), text);
        BOOST_TEST(!holds(text, "UzNDUjNULT"), text);  // Base64 of it
    }
}

BOOST_AUTO_TEST_SUITE_END()
