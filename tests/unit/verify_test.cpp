#include <boost/test/unit_test.hpp>

#include "bridge/core/text.h"
#include "bridge/verify/schemes.h"
#include "tests/support/recorded.h"

using namespace orbridge;
using namespace orbridge::testing;

namespace {

const TimePoint kNow{};

std::shared_ptr<const Verifier> verifier(const std::string& type, Intake intake, std::vector<std::string> texts) {
    Credentials credentials;
    for (const auto& text : texts) credentials.secrets.emplace_back(text), credentials.hook_tokens.emplace_back(text);
    auto made = verifier_for(type, intake, credentials);
    BOOST_REQUIRE(made);
    return *made;
}

std::shared_ptr<const Verifier> webhooks(std::vector<std::string> secrets = {kRecordedSecret}) {
    return verifier("openregister", Intake::Webhooks, std::move(secrets));
}

bool believed(const Verifier& verifier, const InboundRequest& request) {
    const auto verified = verify_request(verifier, request, {"cloud"}, "openregister", Intake::Webhooks, kNow);
    if (!verified) BOOST_TEST((verified.error().kind == Error::Kind::Unauthorized));
    return verified.has_value();
}

std::string* header(InboundRequest& request, const char* name) {
    return const_cast<std::string*>(find_header(request.headers, name));
}

std::vector<std::filesystem::path> signed_captures() {
    std::vector<std::filesystem::path> files;
    for (const auto& file : data_files("openregister/captures", ".http")) {
        const auto request = recorded(file);
        if (request.method != "GET" && find_header(request.headers, "X-Webhook-Signature")) files.push_back(file);
    }
    return files;
}

InboundRequest with_headers(Headers headers) {
    InboundRequest request;
    request.method = "POST";
    request.headers = std::move(headers);
    request.body = "{}";
    return request;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(verify)

BOOST_AUTO_TEST_CASE(every_signed_capture_is_believed_and_no_altered_one) {
    const auto files = signed_captures();
    BOOST_TEST(files.size() == 93u);
    for (const auto& file : files) {
        const auto request = recorded(file);
        BOOST_TEST(believed(*webhooks(), request), file);
        auto body = request;
        body.body[body.body.size() / 2] ^= 1;
        BOOST_TEST(!believed(*webhooks(), body), file);
        auto cut = request;
        cut.body.pop_back();
        BOOST_TEST(!believed(*webhooks(), cut), file);
        auto signature = request;
        header(signature, "X-Webhook-Signature")->back() ^= 1;
        BOOST_TEST(!believed(*webhooks(), signature), file);
        BOOST_TEST(!believed(*webhooks({"vis-7Qm2-OpenRegister-secreT"}), request), file);
    }
}

BOOST_AUTO_TEST_CASE(a_request_without_signature_is_refused) {
    for (const auto& file : data_files("openregister/captures", "-unsigned.http"))
        BOOST_TEST(!believed(*webhooks(), recorded(file)), file);
    BOOST_TEST(!believed(*webhooks(), recorded("openregister/captures/ObjectCreatedEvent-get.standard-get.http")));
}

BOOST_AUTO_TEST_CASE(a_doubled_signature_header_is_refused_even_if_both_are_right) {
    auto request = recorded("openregister/captures/ObjectCreatedEvent.standard.http");
    request.headers.push_back({"x-webhook-signature", *find_header(request.headers, "X-Webhook-Signature")});
    BOOST_TEST(!believed(*webhooks(), request));
}

BOOST_AUTO_TEST_CASE(an_upper_case_signature_is_refused) {
    auto request = recorded("openregister/captures/ObjectCreatedEvent.standard.http");
    for (auto& c : *header(request, "X-Webhook-Signature")) c = static_cast<char>(std::toupper(c));
    BOOST_TEST(!believed(*webhooks(), request));
}

BOOST_AUTO_TEST_CASE(while_a_secret_is_being_replaced_the_old_and_the_new_one_are_good) {
    const auto request = recorded("openregister/captures/ObjectCreatedEvent.standard.http");
    BOOST_TEST(believed(*webhooks({"new", kRecordedSecret}), request));
    BOOST_TEST(believed(*webhooks({kRecordedSecret, "new"}), request));
    BOOST_TEST(!believed(*webhooks({"new", "newer"}), request));
}

BOOST_AUTO_TEST_CASE(an_empty_secret_believes_nobody) {
    BOOST_TEST(!verifier_for("openregister", Intake::Webhooks, {}));
    BOOST_TEST(!verifier_for("openregister", Intake::Webhooks, {{Secret("")}, {}}));
    BOOST_TEST(!believed(*webhooks({"", "good"}), with_headers({{"X-Orbridge-Secret", ""}})));
    BOOST_TEST(!believed(*webhooks({"", "good"}), with_headers({{"Authorization", "Bearer "}})));
    // HMAC-SHA256 of {} with an empty key
    const char* forged = "22f8eea909400af98adf3681a9f31923ef6b7fcba4abb553d92823a3e9d5c25e";
    BOOST_TEST(!believed(*webhooks({"", "good"}), with_headers({{"X-Webhook-Signature", forged}})));
}

BOOST_AUTO_TEST_CASE(an_unsigned_post_is_believed_with_the_secret_in_a_header) {
    BOOST_TEST(believed(*webhooks(), with_headers({{"X-Orbridge-Secret", kRecordedSecret}})));
    BOOST_TEST(believed(*webhooks(), with_headers({{"authorization", std::string("bearer ") + kRecordedSecret}})));
    BOOST_TEST(!believed(*webhooks(), with_headers({{"Authorization", std::string("Basic ") + kRecordedSecret}})));
    BOOST_TEST(!believed(*webhooks(), with_headers({{"X-Orbridge-Secret", "wrong"}})));
    BOOST_TEST(!believed(
        *webhooks(), with_headers({{"X-Orbridge-Secret", kRecordedSecret}, {"X-Orbridge-Secret", kRecordedSecret}})));
}

BOOST_AUTO_TEST_CASE(a_wrong_signature_is_not_mended_by_the_right_secret) {
    auto request = recorded("openregister/captures/ObjectCreatedEvent.standard.http");
    request.body += ' ';
    request.headers.push_back({"X-Orbridge-Secret", kRecordedSecret});
    BOOST_TEST(!believed(*webhooks(), request));
}

BOOST_AUTO_TEST_CASE(a_signature_is_believed_although_a_proxy_wants_an_authorization_of_its_own) {
    BOOST_TEST(believed(*webhooks(), recorded("openregister/captures/ObjectCreatedEvent-put.standard-put.http")));
}

BOOST_AUTO_TEST_CASE(hooks_prove_themselves_by_their_bearer_token_only) {
    const auto hooks = verifier("openregister", Intake::Hooks, {kRecordedHookToken});
    for (const auto& file : data_files("openregister/captures/hooks", ".http")) {
        auto request = recorded(file);
        BOOST_TEST(believed(*hooks, request), file);
        header(request, "Authorization")->back() ^= 1;
        BOOST_TEST(!believed(*hooks, request), file);
    }
    BOOST_TEST(!believed(*hooks, with_headers({{"X-Orbridge-Secret", kRecordedHookToken}})));
}

BOOST_AUTO_TEST_CASE(nextcloud_proves_itself_by_a_secret_and_never_by_a_signature) {
    const auto listeners = verifier("nextcloud", Intake::Listeners, {kRecordedSecret});
    BOOST_TEST(believed(*listeners, with_headers({{"X-Orbridge-Secret", kRecordedSecret}})));
    BOOST_TEST(!believed(*listeners, recorded("openregister/captures/ObjectCreatedEvent.standard.http")));
    BOOST_TEST(!believed(*listeners, with_headers({})));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_said_without_the_secret) {
    const auto status = webhooks()->verify(with_headers({{"X-Orbridge-Secret", "wrong"}}), kNow);
    BOOST_REQUIRE(!status);
    BOOST_TEST(status.error().message == "X-Orbridge-Secret holds an unknown token");
    const auto none = webhooks()->verify(with_headers({}), kNow);
    BOOST_TEST(none.error().message.find(kRecordedSecret) == std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_unknown_source_type_is_a_mistake_of_the_configuration) {
    BOOST_TEST(!verifier_for("gopher", Intake::Push, {{Secret("x")}, {}}));
    BOOST_TEST(!verifier_for("nextcloud", Intake::Hooks, {{Secret("x")}, {Secret("x")}}));
}

BOOST_AUTO_TEST_CASE(as_an_exapp_a_token_counts_only_beside_the_secret_of_the_app) {
    const Credentials credentials{{Secret("own")}, {Secret("hook")}, "orbridge", Secret("app")};
    const auto events = *verifier_for("nextcloud", Intake::Listeners, credentials);
    const auto basic = [](const std::string& secret) { return to_base64("alice:" + secret); };
    const Headers good = {
        {"EX-APP-ID", "orbridge"}, {"AUTHORIZATION-APP-API", basic("app")}, {"X-Orbridge-Secret", "own"}};
    BOOST_TEST(believed(*events, with_headers(good)));
    for (std::size_t left_out = 0; left_out < good.size(); ++left_out) {
        auto fewer = good;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(left_out));
        BOOST_TEST(!believed(*events, with_headers(fewer)), left_out);
    }
    for (const auto& [at, value] : {std::pair<std::size_t, std::string>{0, "another"},
                                    {1, basic("guess")},
                                    {1, basic("")},
                                    {1, "?"},
                                    {1, to_base64("app")},
                                    {2, "guess"}}) {
        auto wrong = good;
        wrong[at].value = value;
        BOOST_TEST(!believed(*events, with_headers(wrong)), value);
    }
    auto doubled = good;
    doubled.push_back(good[1]);
    BOOST_TEST(!believed(*events, with_headers(doubled)));
    // What OpenRegister itself sends does not come by AppAPI.
    const auto hooks = *verifier_for("openregister", Intake::Hooks, credentials);
    BOOST_TEST(believed(*hooks, with_headers({{"Authorization", "Bearer hook"}})));
}

BOOST_AUTO_TEST_SUITE_END()
