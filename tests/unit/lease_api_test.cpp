// The clauses of the lease API (T, R, U, N, V) that need no socket; tests are named after them.
#include "bridge/receive/lease_api.h"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>
#include <vector>

#include "bridge/core/json.h"
#include "bridge/store/memory_store.h"
#include "tests/support/delivery_fakes.h"
#include "tests/support/fake_lease_book.h"

using namespace orbridge;
using testing::FakeLeaseBook;

namespace {

const std::string kToken = "token-of-billing-0123";
const std::string kUrl = "http://10.0.0.5:8080/callback";

struct Reply {
    int status = 0;
    Headers headers;
    JsonPtr document;
    Json operator[](const char* name) const { return document->root()[name]; }
    bool success() const { return (*this)["success"].boolean().value(); }
    std::string message() const { return (*this)["message"].string().value(); }
    std::set<std::string> names() const {
        std::set<std::string> all;
        for (const auto& member : document->root().members()) all.insert(member.key);
        return all;
    }
    std::vector<std::string> hooks() const {
        std::vector<std::string> all;
        for (const auto& member : (*this)["hookIds"].members()) all.push_back(*member.value.string());
        return all;
    }
};

struct World {
    orbridge::test::ManualClock clock;
    SeededRandom random{1};
    Log log{clock, Log::Level::Error, to_nowhere()};
    FakeLeaseBook book;
    MemoryStore store;
    AuditTrail audit{store, clock, log};
    std::vector<std::string> counted;
    std::shared_ptr<LeaseRules> rules = std::make_shared<LeaseRules>();
    LeaseApi api{[this] { return rules; },
                 book,
                 clock,
                 random,
                 log,
                 audit,
                 [this](const std::string& product, const std::string& action, const std::string& token, bool success) {
                     counted.push_back(product + ' ' + action + ' ' + token + (success ? " ok" : " no"));
                 }};

    World() {
        rules->products = {"openregister", "projectmanager"};
        rules->check_url = [](const std::string& url) -> Status {
            if (url.starts_with("http")) return Ok{};
            return Error{Error::Kind::Invalid, "it is not an absolute http or https URL"};
        };
        rules->check_filter = [](const std::string& java) -> Status {
            if (java.find("((") == std::string::npos) return Ok{};
            return Error{Error::Kind::Invalid, "eventFilter: a group that is not closed"};
        };
        rules->token_name = [](const std::string& value) -> std::optional<std::string> {
            if (value == kToken) return "billing";
            return std::nullopt;
        };
    }

    static InboundRequest request(const std::string& body) {
        InboundRequest made;
        made.method = "POST";
        made.query = "apiToken=" + kToken;
        made.headers = {{"Content-Type", "application/json"}};
        made.body = body;
        return made;
    }
    Reply send(const std::string& action, const InboundRequest& request, const std::string& product = "openregister") {
        return read(api.answer(product, action, request));
    }
    Reply send(const std::string& action, const std::string& body) { return send(action, request(body)); }

    /// T10 and T16, of every answer.
    static Reply read(const Answer& answer) {
        BOOST_TEST(answer.content_type == "application/json");
        BOOST_TEST(answer.body.find(kToken) == std::string::npos);
        const auto document = JsonDocument::parse(answer.body);
        BOOST_REQUIRE(document.has_value());
        Reply reply{answer.status, answer.headers, *document};
        BOOST_REQUIRE(reply["success"].boolean().has_value());
        BOOST_TEST(!reply.message().empty());
        return reply;
    }
    Reply add(const std::string& hook, const std::string& url = kUrl) {
        return send("register",
                    R"({"url":")" + url + R"(","channel":"Object","leaseTime":60,"hookId":")" + hook + "\"}");
    }
    Reply register_with(const std::string& members) {
        return send("register", R"({"url":"http://a/cb","channel":"Object","leaseTime":60,)" + members + "}");
    }
};

void check_names(const Reply& reply, const std::set<std::string>& expected) {
    BOOST_TEST(reply.names() == expected, boost::test_tools::per_element());
}

void check_refused(const Reply& reply, const std::string& named) {
    BOOST_TEST(reply.status == 200);
    BOOST_TEST(!reply.success());
    BOOST_TEST(reply.message().find(named) != std::string::npos, reply.message() << " does not name " << named);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(lease_api)

BOOST_FIXTURE_TEST_CASE(t1_the_four_actions_answer_and_others_are_not_found, World) {
    for (const auto* action : {"register", "unregister", "renew", "view", "deregister"})
        BOOST_TEST(send(action, "{}").status == 200);
    for (const auto* action : {"Register", "VIEW", "list", "", "register/"})
        BOOST_TEST(send(action, "{}").status == 404);
    BOOST_TEST(send("view", request("{}"), "projectmanager").status == 200);
    BOOST_TEST(send("view", request("{}"), "other").status == 404);
}

BOOST_FIXTURE_TEST_CASE(t2_other_methods_are_405_and_allow_names_post, World) {
    for (const auto* method : {"GET", "PUT", "DELETE", "PATCH", "HEAD"}) {
        auto asked = request("{}");
        asked.method = method;
        const auto reply = send("register", asked);
        BOOST_TEST(reply.status == 405);
        BOOST_TEST(find_header(reply.headers, "Allow")->find("POST") != std::string::npos);
    }
}

BOOST_FIXTURE_TEST_CASE(t3_t4_t5_only_a_known_token_in_the_query_counts, World) {
    for (const auto* query : {"", "apiToken=", "x=1", "apitoken=token-of-billing-0123", "apiToken=wrong"}) {
        auto asked = request(R"({"apiToken":")" + kToken + "\"}");
        asked.query = query;
        asked.headers.push_back({"Authorization", "Bearer " + kToken});
        asked.headers.push_back({"apiToken", kToken});
        const auto reply = send("view", asked);
        BOOST_TEST(reply.status == 401, query);
        BOOST_TEST(reply.message().find("wrong") == std::string::npos);
        check_names(reply, {"success", "message"});
    }
}

BOOST_FIXTURE_TEST_CASE(t6_t7_the_media_type_must_be_json_in_any_spelling, World) {
    for (const auto* type :
         {"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;x"}) {
        auto asked = request("{}");
        asked.headers = {{"content-type", type}};
        BOOST_TEST(send("view", asked).status == 200, type);
    }
    for (const auto* type :
         {"text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/json5", ""}) {
        auto asked = request("{}");
        asked.headers = {{"Content-Type", type}};
        BOOST_TEST(send("view", asked).status == 415, type);
    }
    auto asked = request("{}");
    asked.headers = {};
    BOOST_TEST(send("view", asked).status == 415);
}

BOOST_FIXTURE_TEST_CASE(t8_fields_that_mean_nothing_are_ignored_whatever_their_type, World) {
    BOOST_TEST(send("view", R"({"channel":7,"leaseTime":{},"foo":[1]})").success());
    BOOST_TEST(register_with(R"("foo":null,"webhooks":{},"leaseEnd":"x","success":1)").success());
    add("a");
    BOOST_TEST(send("renew", R"({"hookId":"a","leaseTime":60,"channel":[],"eventFilter":3})").success());
    BOOST_TEST(send("unregister", R"({"hookId":"a","leaseTime":"x","channel":false})").success());
}

BOOST_FIXTURE_TEST_CASE(t9_t14_a_body_that_is_no_json_object_is_400, World) {
    for (const std::string body :
         {"", "{", "[]", "null", "1", "\"x\"", "{}{}", "{\"a\":\"\xff\"}", "{'a':1}", "\xef\xbb\xbf{}"})
        BOOST_TEST(send("view", body).status == 400, body);
    std::string deep;
    for (int i = 0; i < 70; ++i) deep += "{\"a\":";
    BOOST_TEST(send("view", deep + "1" + std::string(70, '}')).status == 400);
    BOOST_TEST(send("view", "{\"a\":" + std::string(60, '[') + std::string(60, ']') + "}").status == 200);
}

BOOST_FIXTURE_TEST_CASE(the_order_of_checks_is_path_token_method_type_json, World) {
    auto asked = request("nonsense");
    asked.method = "PUT";
    asked.headers = {};
    asked.query = "";
    BOOST_TEST(send("list", asked).status == 404);
    BOOST_TEST(send("view", asked).status == 401);
    asked.query = "apiToken=" + kToken;
    BOOST_TEST(send("view", asked).status == 405);
    asked.method = "POST";
    BOOST_TEST(send("view", asked).status == 415);
    asked.headers = {{"Content-Type", "application/json"}};
    BOOST_TEST(send("view", asked).status == 400);
}

BOOST_FIXTURE_TEST_CASE(t11_a_body_refused_for_its_size_is_answered_in_the_same_order_and_shape, World) {
    auto head = request("");
    head.path = "/openregister/webhookAPI/register";
    BOOST_TEST(read(*api.refused(head, 413, "larger than 1048576 bytes")).status == 413);
    head.query = "";
    BOOST_TEST(read(*api.refused(head, 413, "larger")).status == 401);
    head.path = "/openregister/webhookAPI/list";
    BOOST_TEST(read(*api.refused(head, 413, "larger")).status == 404);
    head.path = "/ingest/cloud";
    BOOST_TEST(!api.refused(head, 413, "larger").has_value());
}

BOOST_FIXTURE_TEST_CASE(t12_null_and_empty_mean_absent, World) {
    const auto reply = register_with(R"("hookId":null,"eventFilter":"")");
    BOOST_TEST(reply.success());
    BOOST_TEST(book.all[0].event_filter == ".*");
    check_refused(send("register", R"({"url":"","channel":null,"leaseTime":""})"), "url, channel, leaseTime");
    BOOST_TEST(send("view", R"({"url":null,"hookId":""})")["webhooks"].size() == 1U);
    BOOST_TEST(send("unregister", R"({"url":"http://a/cb","hookId":null})").success());
}

BOOST_FIXTURE_TEST_CASE(r1_every_missing_field_is_named, World) {
    const auto reply = send("register", "{}");
    for (const auto* name : {"url", "channel", "leaseTime"}) check_refused(reply, name);
    check_names(reply, {"success", "message"});
    check_refused(send("register", R"({"url":"http://a/","channel":"x"})"), "leaseTime");
}

BOOST_FIXTURE_TEST_CASE(r2_r3_success_has_four_members_and_view_shows_the_same_lease_end, World) {
    const auto reply = add("billing-1");
    check_names(reply, {"hookId", "success", "message", "leaseEnd"});
    const auto expected = (clock.now() + seconds{60}).time_since_epoch().count();
    BOOST_TEST(*reply["leaseEnd"].integer() == expected);
    BOOST_TEST(*send("view", "{}")["webhooks"].at(0)["leaseEnd"].integer() == expected);
}

BOOST_FIXTURE_TEST_CASE(r4_without_hook_id_a_lower_case_uuid_v4_is_made, World) {
    std::set<std::string> made;
    for (int i = 0; i < 20; ++i) {
        const auto hook = *register_with(R"("hookId":"")")["hookId"].string();
        BOOST_TEST(is_uuid(hook));
        BOOST_TEST(hook.at(14) == '4');
        BOOST_TEST(std::string("89ab").find(hook.at(19)) != std::string::npos);
        BOOST_TEST(hook.find_first_of("ABCDEF") == std::string::npos);
        made.insert(hook);
    }
    BOOST_TEST(made.size() == 20U);
}

BOOST_FIXTURE_TEST_CASE(r5_a_given_hook_id_is_kept_byte_for_byte, World) {
    for (const std::string& hook :
         {std::string("billing-1"), std::string(" Ä b/%20"), std::string("\xf0\x9f\x98\x80"), std::string(256, 'x')})
        BOOST_TEST(*add(hook)["hookId"].string() == hook);
    std::string umlauts;
    for (int i = 0; i < 256; ++i) umlauts += "ä";
    BOOST_TEST(add(umlauts).success());
    for (const std::string& hook :
         {umlauts + "x", std::string("a\\u0000b"), std::string("a\\nb"), std::string("a\\u0085")})
        check_refused(add(hook), "hookId");
}

BOOST_FIXTURE_TEST_CASE(r6_a_hook_registered_again_leaves_one_entry, World) {
    add("a");
    add("b");
    BOOST_TEST(send("register", R"({"url":"http://new/","channel":"Status","leaseTime":99,"hookId":"a"})").success());
    const auto reply = send("view", "{}");
    const auto webhooks = reply["webhooks"];
    BOOST_TEST_REQUIRE(webhooks.size() == 2U);
    BOOST_TEST(*webhooks.at(1)["url"].string() == "http://new/");
    BOOST_TEST(*webhooks.at(1)["channel"].string() == "Status");
    BOOST_TEST(*webhooks.at(0)["hookId"].string() == "b");
}

BOOST_FIXTURE_TEST_CASE(r7_a_failing_register_changes_nothing, World) {
    add("a");
    BOOST_TEST(!register_with(R"("hookId":"a","eventFilter":"((")").success());
    book.failing = true;
    check_refused(add("a", "http://other/"), "disk is full");
    BOOST_TEST(book.all.size() == 1U);
    BOOST_TEST(book.all[0].url == kUrl);
}

BOOST_FIXTURE_TEST_CASE(r8_v7_no_filter_is_every_name_and_filters_are_shown_as_given, World) {
    add("a");
    register_with(R"("hookId":"b","eventFilter":"created|x")");
    const auto reply = send("view", "{}");
    const auto webhooks = reply["webhooks"];
    BOOST_TEST(*webhooks.at(0)["eventFilter"].string() == ".*");
    BOOST_TEST(*webhooks.at(1)["eventFilter"].string() == "created|x");
}

BOOST_FIXTURE_TEST_CASE(r9_a_filter_that_does_not_compile_is_refused, World) {
    check_refused(register_with(R"("eventFilter":"((")"), "eventFilter: a group");
    BOOST_TEST(book.all.empty());
}

BOOST_FIXTURE_TEST_CASE(r11_lease_times_are_whole_seconds_as_number_or_digits, World) {
    for (const auto* time : {"1", "60", "1200.0", "12e2", "\"1200\"", "1209600", "\"0060\"", "1.2e3"}) {
        const auto reply =
            send("register", std::string(R"({"url":"http://a/","channel":"x","leaseTime":)") + time + "}");
        BOOST_TEST(reply.success(), time);
    }
    for (const auto* time : {"0", "-1", "1.5", "\"1.0\"", "\"12e2\"", "\" 1\"", "\"+1\"", "\"0\"", "\"x\"", "true",
                             "{}", "[1]", "0.0", "1e-3", "\"-5\""})
        check_refused(send("register", std::string(R"({"url":"http://a/","channel":"x","leaseTime":)") + time + "}"),
                      "leaseTime");
}

BOOST_FIXTURE_TEST_CASE(r12_a_lease_above_the_maximum_is_refused_never_shortened, World) {
    for (const auto* time :
         {"1209601", "1e9", "1e400", "99999999999999999999999999", "\"99999999999999999999999999\""}) {
        const auto reply =
            send("register", std::string(R"({"url":"http://a/","channel":"x","leaseTime":)") + time + "}");
        check_refused(reply, "1209600");
        check_refused(reply, "leaseTime");
    }
    BOOST_TEST(book.all.empty());
    rules->lease_max = seconds{864'000};
    check_refused(send("register", R"({"url":"http://a/","channel":"x","leaseTime":864001})"), "864000");
}

BOOST_FIXTURE_TEST_CASE(r13_a_url_that_is_refused_is_named, World) {
    check_refused(send("register", R"({"url":"ftp://a/","channel":"x","leaseTime":1})"), "url: it is not an absolute");
}

BOOST_FIXTURE_TEST_CASE(r14_any_channel_of_up_to_256_characters_is_fine, World) {
    BOOST_TEST(send("register", R"({"url":"http://a/","channel":"never seen ☃","leaseTime":1})").success());
    const auto with = [](const std::string& channel) {
        return R"({"url":"http://a/","leaseTime":1,"channel":")" + channel + "\"}";
    };
    BOOST_TEST(send("register", with(std::string(256, 'c'))).success());
    check_refused(send("register", with(std::string(257, 'c'))), "channel");
}

BOOST_FIXTURE_TEST_CASE(r15_a_wrong_type_is_named_and_never_converted, World) {
    for (const auto* name : {"url", "channel", "eventFilter", "hookId"})
        for (const auto* value : {"7", "true", "{}", "[]"}) {
            std::string body = R"({"leaseTime":1)";
            for (const auto* field : {"url", "channel", "eventFilter", "hookId"})
                body += std::string(",\"") + field + "\":" + (std::string(field) == name ? value : "\"http://a\"");
            check_refused(send("register", body + "}"), name);
        }
}

BOOST_FIXTURE_TEST_CASE(r17_any_number_of_hooks_may_share_a_url, World) {
    for (const auto* hook : {"a", "b", "c"}) BOOST_TEST(add(hook).success());
    BOOST_TEST(book.all.size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(u1_u5_unregister_wants_either_url_or_hook_id, World) {
    add("a");
    for (const std::string& body : {std::string("{}"), R"({"hookId":"a","url":")" + kUrl + "\"}"}) {
        const auto reply = send("unregister", body);
        check_refused(reply, "either");
        check_names(reply, {"hookIds", "success", "message"});
        BOOST_TEST(reply.hooks().empty());
    }
    check_refused(send("unregister", R"({"hookId":7})"), "hookId");
    check_refused(send("unregister", R"({"url":[]})"), "url");
    BOOST_TEST(book.all.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(u2_u3_u7_unregister_takes_one_hook_or_all_of_a_url_byte_for_byte, World) {
    add("c");
    add("b", kUrl + "/");
    add("a");
    const auto by_url = send("unregister", R"({"url":")" + kUrl + "\"}");
    check_names(by_url, {"hookIds", "success", "message"});
    BOOST_TEST(by_url.hooks() == (std::vector<std::string>{"c", "a"}), boost::test_tools::per_element());
    BOOST_TEST(send("unregister", R"({"hookId":"b"})").hooks() == (std::vector<std::string>{"b"}),
               boost::test_tools::per_element());
    BOOST_TEST(book.all.empty());
}

BOOST_FIXTURE_TEST_CASE(u4_unregistering_what_is_not_there_succeeds, World) {
    const auto reply = send("unregister", R"({"hookId":"nobody"})");
    BOOST_TEST(reply.success());
    BOOST_TEST(reply.hooks().empty());
}

BOOST_FIXTURE_TEST_CASE(n1_n2_renew_wants_either_and_a_lease_time, World) {
    add("a");
    const auto before = book.all[0].lease_end;
    for (const std::string& body :
         {std::string(R"({"leaseTime":60})"), R"({"leaseTime":60,"hookId":"a","url":")" + kUrl + "\"}",
          std::string(R"({"hookId":"a"})"), std::string(R"({"hookId":"a","leaseTime":1209601})"),
          std::string(R"({"hookId":"a","leaseTime":0})"), std::string(R"({"hookId":7,"leaseTime":60})")}) {
        const auto reply = send("renew", body);
        BOOST_TEST(!reply.success(), body);
        check_names(reply, {"hookIds", "success", "message"});
        BOOST_TEST(reply.hooks().empty());
    }
    check_refused(send("renew", R"({"hookId":"a"})"), "leaseTime");
    BOOST_TEST((book.all[0].lease_end == before));
}

BOOST_FIXTURE_TEST_CASE(n3_n4_n6_n8_renewed_leases_have_one_new_end_that_may_be_earlier, World) {
    add("b");
    add("a");
    clock.advance(seconds{1});
    const auto reply = send("renew", R"({"leaseTime":5,"url":")" + kUrl + "\"}");
    check_names(reply, {"hookIds", "success", "message", "leaseEnd"});
    BOOST_TEST(reply.hooks() == (std::vector<std::string>{"b", "a"}), boost::test_tools::per_element());
    const auto expected = (clock.now() + seconds{5}).time_since_epoch().count();
    BOOST_TEST(*reply["leaseEnd"].integer() == expected);
    const auto shown = send("view", "{}");
    for (const auto& member : shown["webhooks"].members()) BOOST_TEST(*member.value["leaseEnd"].integer() == expected);
}

BOOST_FIXTURE_TEST_CASE(n5_l2_renewing_what_is_not_active_fails, World) {
    add("a");
    clock.advance(seconds{60});
    for (const auto* body : {R"({"hookId":"a","leaseTime":60})", R"({"hookId":"b","leaseTime":60})"}) {
        const auto reply = send("renew", body);
        BOOST_TEST(!reply.success());
        check_names(reply, {"hookIds", "success", "message"});
        BOOST_TEST(reply.hooks().empty());
    }
}

BOOST_FIXTURE_TEST_CASE(v1_v2_v3_v5_v6_v8_v10_view_filters_byte_for_byte_in_order, World) {
    add("b");
    add("a", kUrl + "/");
    const auto all = send("view", "{}");
    check_names(all, {"webhooks", "success", "message"});
    BOOST_TEST_REQUIRE(all["webhooks"].size() == 2U);
    BOOST_TEST(*all["webhooks"].at(0)["hookId"].string() == "b");
    std::set<std::string> names;
    for (const auto& member : all["webhooks"].at(0).members()) names.insert(member.key);
    BOOST_TEST(names == (std::set<std::string>{"url", "channel", "eventFilter", "hookId", "leaseEnd"}),
               boost::test_tools::per_element());
    const auto reply = send("view", R"({"url":")" + kUrl + "\"}");
    const auto by_url = reply["webhooks"];
    BOOST_TEST_REQUIRE(by_url.size() == 1U);
    BOOST_TEST(*by_url.at(0)["hookId"].string() == "b");
    BOOST_TEST(send("view", R"({"hookId":"a"})")["webhooks"].size() == 1U);
    const auto none = send("view", R"({"url":"http://unknown/"})");
    BOOST_TEST((none.success() && none["webhooks"].is_array() && none["webhooks"].empty()));
}

BOOST_FIXTURE_TEST_CASE(v4_both_or_a_wrong_type_is_refused_without_a_list, World) {
    for (const auto* body : {R"({"url":"http://a/","hookId":"a"})", R"({"url":7})", R"({"hookId":{}})"}) {
        const auto reply = send("view", body);
        BOOST_TEST(!reply.success());
        check_names(reply, {"success", "message"});
    }
}

BOOST_FIXTURE_TEST_CASE(v9_get_view_without_a_body_shows_all, World) {
    add("a");
    InboundRequest asked;
    asked.method = "GET";
    asked.query = "apiToken=" + kToken;
    const auto reply = send("view", asked);
    BOOST_TEST(reply.status == 200);
    BOOST_TEST(reply["webhooks"].size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(l1_l3_from_its_end_on_a_lease_is_not_listed, World) {
    add("a");
    clock.advance(seconds{60} - milliseconds{1});
    BOOST_TEST(send("view", "{}")["webhooks"].size() == 1U);
    clock.advance(milliseconds{1});
    BOOST_TEST(send("view", "{}")["webhooks"].size() == 0U);
    const auto reply = send("unregister", R"({"hookId":"a"})");
    BOOST_TEST((reply.success() && reply.hooks().empty()));
}

BOOST_FIXTURE_TEST_CASE(each_request_is_counted_by_product_action_and_token, World) {
    add("a");
    send("deregister", R"({"hookId":7})");
    BOOST_TEST(
        counted == (std::vector<std::string>{"openregister register billing ok", "openregister unregister billing no"}),
        boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(secret_and_notices_are_fields_of_ours_that_register_takes, World) {
    register_with(R"("secret":"s3cret","notices":true)");
    BOOST_TEST(book.all[0].secret.reveal() == "s3cret");
    BOOST_TEST(book.all[0].notices);
    check_refused(register_with(R"("notices":"yes")"), "notices");
}

BOOST_FIXTURE_TEST_CASE(what_a_token_holder_changes_is_in_the_audit_and_what_was_refused_is_not, World) {
    send("register",
         request(R"({"url":"http://a/cb?key=1","channel":"Object","leaseTime":60,"hookId":"a","secret":"s3"})"));
    send("renew", request(R"({"hookId":"a","leaseTime":90})"));
    send("view", request("{}"));
    send("renew", request(R"({"hookId":"b","leaseTime":90})"));
    send("unregister", request(R"({"hookId":"a"})"));
    std::vector<std::string> rows;
    const auto trail = store.audit({}).value();
    for (const auto& row : trail) {
        rows.push_back(row.who + ' ' + row.what + ' ' + row.subject);
        BOOST_TEST(row.detail.find("key=1") == std::string::npos);
        BOOST_TEST(row.detail.find("s3") == std::string::npos);
    }
    const std::vector<std::string> expected = {"token:billing subscription.unregister a",
                                               "token:billing subscription.renew a",
                                               "token:billing subscription.register a"};
    BOOST_TEST(rows == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
