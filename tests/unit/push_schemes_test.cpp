// Rows P1 to P7 of the push intake, as far as the verifiers decide them. The vectors are those of the schemes' own
// documents where there are any (tests/data/push/vectors.json); test_push.py sends them to the real binary.
#include "bridge/verify/push_schemes.h"

#include <boost/test/unit_test.hpp>
#include <functional>

#include "bridge/core/json.h"
#include "bridge/core/text.h"
#include "bridge/verify/push_sign.h"
#include "bridge/verify/standard_webhooks.h"
#include "tests/support/recorded.h"

using namespace orbridge;
using namespace orbridge::testing;
using namespace std::chrono_literals;

namespace {

struct Vector {
    std::string name;
    PushProof proof;
    InboundRequest request;
    TimePoint now;
};

std::string text_at(const Json& object, const char* key) { return object[key].string().value_or(""); }

SignatureForm form_of(const Json& json) {
    SignatureForm form;
    form.header = text_at(json, "header");
    if (text_at(json, "encoding") == "base64") form.encoding = SignatureForm::Encoding::Base64;
    form.prefix = text_at(json, "prefix");
    form.timestamp_header = text_at(json, "timestamp_header");
    form.id_header = text_at(json, "id_header");
    if (json["content"]) form.content = text_at(json, "content");
    return form;
}

std::vector<Vector> vectors() {
    const auto document = JsonDocument::parse(read_file(ORBRIDGE_TEST_DATA "/push/vectors.json"));
    BOOST_REQUIRE(document);
    std::vector<Vector> all;
    for (const auto& [key, raw_key, json] : (*document)->root().members()) {
        Vector vector;
        vector.name = text_at(json, "name");
        vector.proof.scheme = text_at(json, "verify");
        if (json["secret"]) vector.proof.secrets = {Secret(text_at(json, "secret"))};
        if (json["public_key"]) vector.proof.public_keys = {text_at(json, "public_key")};
        if (json["signature"]) vector.proof.signature = form_of(json["signature"]);
        vector.now = TimePoint{seconds{*json["now"].integer()}};
        vector.request.method = "POST";
        vector.request.body = text_at(json, "body");
        for (const auto& header : json["headers"].members())
            vector.request.headers.push_back({header.key, header.value.string().value_or("")});
        all.push_back(std::move(vector));
    }
    return all;
}

Vector vector_named(const std::string& name) {
    for (auto& vector : vectors())
        if (vector.name == name) return vector;
    throw std::logic_error("no vector " + name);
}

bool believed(const Vector& vector) {
    const auto verifier = verifier_for(vector.proof);
    if (!verifier) return false;
    const auto proof = (*verifier)->verify(vector.request, vector.now);
    if (!proof) BOOST_TEST((proof.error().kind == Error::Kind::Unauthorized));
    return proof.has_value();
}

std::string request_id(const Vector& vector) {
    const auto proof = verifier_for(vector.proof).value()->verify(vector.request, vector.now);
    BOOST_REQUIRE(proof);
    return proof->request_id;
}

/// Calls `check` once for each byte of the text, with that byte changed.
void change_each_byte(std::string& text, const std::function<void()>& check) {
    for (auto& byte : text) {
        byte ^= 1;
        check();
        byte ^= 1;
    }
}

std::string hmac_hex(const std::string& key, const std::string& text) { return to_hex(hmac_sha256(key, text)); }

InboundRequest get(const std::string& query) {
    InboundRequest request;
    request.method = "GET";
    request.query = query;
    return request;
}

std::shared_ptr<const Verifier> meta(const std::string& verify_token) {
    return verifier_for(
               PushProof{.scheme = "meta", .secrets = {Secret("app-secret")}, .verify_token = Secret(verify_token)})
        .value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(push_schemes_)

BOOST_AUTO_TEST_CASE(P1_every_vector_is_believed) {
    const auto all = vectors();
    BOOST_TEST(all.size() == 11u);
    for (const auto& vector : all) BOOST_TEST(believed(vector), vector.name);
    for (const auto& scheme : push_schemes()) {
        const bool shown = std::any_of(all.begin(), all.end(),
                                       [&](const Vector& vector) { return vector.proof.scheme == scheme.name; });
        BOOST_TEST((shown || scheme.name == "none"), scheme.name);
    }
}

BOOST_AUTO_TEST_CASE(P1_no_vector_with_one_byte_of_its_body_changed_is_believed) {
    for (auto vector : vectors()) {
        if (vector.proof.scheme == "bearer") continue;  // says nothing about the body
        change_each_byte(vector.request.body, [&] { BOOST_TEST(!believed(vector), vector.name); });
        vector.request.body.pop_back();
        BOOST_TEST(!believed(vector), vector.name);
    }
}

BOOST_AUTO_TEST_CASE(P1_no_vector_with_one_byte_of_a_header_changed_is_believed) {
    for (auto vector : vectors())
        for (auto& header : vector.request.headers)
            change_each_byte(header.value, [&] { BOOST_TEST(!believed(vector), vector.name << ": " << header.value); });
}

BOOST_AUTO_TEST_CASE(P1_no_vector_with_one_byte_of_its_key_changed_is_believed) {
    for (auto vector : vectors()) {
        if (!vector.proof.secrets.empty()) {
            auto key = vector.proof.secrets.front().reveal();
            change_each_byte(key, [&] {
                vector.proof.secrets = {Secret(key)};
                BOOST_TEST(!believed(vector), vector.name << ": " << key);
            });
        }
        if (vector.proof.public_keys.empty()) continue;
        auto& public_key = vector.proof.public_keys.front();
        change_each_byte(public_key, [&] { BOOST_TEST(!believed(vector), vector.name << ": " << public_key); });
    }
}

BOOST_AUTO_TEST_CASE(P2_a_request_without_one_of_its_headers_is_not_believed) {
    for (const auto& vector : vectors()) {
        for (std::size_t i = 0; i < vector.request.headers.size(); ++i) {
            auto without = vector;
            without.request.headers.erase(without.request.headers.begin() + static_cast<std::ptrdiff_t>(i));
            BOOST_TEST(!believed(without), vector.name);
            auto twice = vector;
            twice.request.headers.push_back(twice.request.headers[i]);
            BOOST_TEST(!believed(twice), vector.name);
        }
    }
}

BOOST_AUTO_TEST_CASE(P2_a_scheme_without_anything_to_know_the_sender_by_cannot_be_made) {
    for (const auto& scheme : push_schemes()) {
        PushProof proof{.scheme = std::string(scheme.name), .signature = {.header = "X"}};
        BOOST_TEST(verifier_for(proof).has_value() == (scheme.name == "none"), scheme.name);
        proof.secrets = {Secret("")};
        BOOST_TEST(verifier_for(proof).has_value() == (scheme.name == "none"), scheme.name);
    }
    BOOST_TEST(!verifier_for(PushProof{.scheme = "md5", .secrets = {Secret("x")}}).has_value());
}

BOOST_AUTO_TEST_CASE(P2_an_empty_secret_beside_a_good_one_is_never_good) {
    auto vector = vector_named("github");
    vector.proof.secrets.emplace_back("");
    BOOST_TEST(believed(vector));
    vector.request.headers = {{"X-Hub-Signature-256", "sha256=" + hmac_hex("", vector.request.body)}};
    BOOST_TEST(!believed(vector));
}

BOOST_AUTO_TEST_CASE(P3_a_body_is_signed_as_it_came_with_all_its_spaces_and_escapes) {
    auto vector = vector_named("hmac-hex");
    BOOST_TEST(vector.request.body.find("\\u0069") != std::string::npos);
    BOOST_TEST(believed(vector));
    vector.request.body = canonical_json((*JsonDocument::parse(vector.request.body))->root());
    BOOST_TEST(!believed(vector));
}

BOOST_AUTO_TEST_CASE(P4_what_was_signed_too_long_ago_or_ahead_is_not_believed) {
    std::size_t timed = 0;
    for (auto vector : vectors()) {
        if (vector.name != "slack" && vector.name != "standard-webhooks" && vector.name != "hmac-base64-timed")
            continue;
        ++timed;
        const auto signed_at = vector.now;
        for (const auto tolerance : {300'000ms, 10'000ms}) {
            vector.proof.tolerance = tolerance;
            for (const auto away : {tolerance, -tolerance}) {
                vector.now = signed_at + away;
                BOOST_TEST(believed(vector), vector.name);
                vector.now = signed_at + away + (away > 0ms ? 1ms : -1ms);
                BOOST_TEST(!believed(vector), vector.name);
            }
        }
    }
    BOOST_TEST(timed == 3u);
}

BOOST_AUTO_TEST_CASE(P4_a_time_that_is_none_is_not_believed) {
    auto vector = vector_named("slack");
    for (const std::string time : {"", "-1700000000", "1700000000.5", " 1700000000", "0x1", "1e9",
                                   "9999999999999999999", "170000000000000000000000000000"}) {
        vector.request.headers = {
            {"X-Slack-Signature", "v0=" + hmac_hex("slack-secret", "v0:" + time + ":" + vector.request.body)},
            {"X-Slack-Request-Timestamp", time}};
        BOOST_TEST(!believed(vector), time);
    }
}

BOOST_AUTO_TEST_CASE(P4_requests_have_the_names_their_schemes_give_them) {
    BOOST_TEST(request_id(vector_named("standard-webhooks")) == "msg_p5jXN8AQM9LWM0D4loKWxJek");
    BOOST_TEST(request_id(vector_named("hmac-base64-timed")) == "d-1");
    BOOST_TEST(!request_id(vector_named("slack")).empty());
    for (const auto* nameless : {"meta", "openregister", "bearer", "hmac-hex", "github"})
        BOOST_TEST(request_id(vector_named(nameless)).empty(), nameless);
    auto github = vector_named("github");
    github.request.headers.push_back({"X-GitHub-Delivery", "72d3162e"});
    BOOST_TEST(request_id(github) == "72d3162e");
}

BOOST_AUTO_TEST_CASE(P5_the_old_secret_and_the_new_one_are_both_good_until_it_is_removed) {
    for (const auto& vector : vectors()) {
        if (vector.proof.secrets.empty()) continue;
        const auto good = vector.proof.secrets.front();
        auto rotated = vector;
        rotated.proof.secrets = {Secret("another-secret"), good};
        BOOST_TEST(believed(rotated), vector.name);
        rotated.proof.secrets = {good, Secret("another-secret")};
        BOOST_TEST(believed(rotated), vector.name);
        rotated.proof.secrets = {Secret("another-secret")};
        BOOST_TEST(!believed(rotated), vector.name);
    }
}

BOOST_AUTO_TEST_CASE(P5_one_good_signature_of_several_is_enough) {
    const std::string other = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=";
    for (const auto* name : {"standard-webhooks", "standard-webhooks-ed25519"}) {
        auto vector = vector_named(name);
        auto& header = vector.request.headers.back();
        const auto good = header.value;
        for (const auto& value : {other + ' ' + good, good + ' ' + other, "v9,abc " + good, good + " nonsense",
                                  "v1a,AAAA  " + good, ",, " + good}) {
            header.value = value;
            BOOST_TEST(believed(vector), value);
        }
        for (const auto& value :
             {other, std::string("v2") + good.substr(2), std::string(" "), "v1, " + good.substr(3)}) {
            header.value = value;
            BOOST_TEST(!believed(vector), value);
        }
        std::string many;
        for (std::size_t i = 0; i < kSignaturesMax; ++i) many += other + ' ';
        header.value = many + good;
        BOOST_TEST(!believed(vector), "only so many are looked at");
    }
}

BOOST_AUTO_TEST_CASE(P5_a_public_key_and_a_secret_may_be_good_at_once) {
    auto symmetric = vector_named("standard-webhooks");
    const auto asymmetric = vector_named("standard-webhooks-ed25519");
    symmetric.proof.public_keys = asymmetric.proof.public_keys;
    BOOST_TEST(believed(symmetric));
    auto both = asymmetric;
    both.proof.secrets = symmetric.proof.secrets;
    BOOST_TEST(believed(both));
    both.proof.public_keys.clear();
    BOOST_TEST(!believed(both));
    for (const auto* bad : {"whpk_", "whpk_AAAA", "ed25519", "whpk_ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmR="}) {
        both.proof.public_keys = {bad};
        BOOST_TEST((verifier_for(both.proof).error().kind == Error::Kind::Invalid), bad);
    }
    both.proof = {.scheme = "standard-webhooks", .secrets = {Secret("whsec_not base64")}};
    BOOST_TEST((verifier_for(both.proof).error().kind == Error::Kind::Invalid));
}

BOOST_AUTO_TEST_CASE(P6_github_and_meta_take_no_sha1_and_no_signature_without_its_prefix) {
    for (const auto* name : {"github", "meta"}) {
        auto vector = vector_named(name);
        const auto signature = vector.request.headers.front().value;
        vector.request.headers = {{"X-Hub-Signature", "sha1=d54f69ca5e4b5b2b3b0f0ab0e0a4d6a5e5b4c6f1"}};
        BOOST_TEST(!believed(vector), name);
        vector.request.headers = {{"X-Hub-Signature", signature}};
        BOOST_TEST(!believed(vector), name);
        for (const auto& value :
             {signature.substr(7), "sha1=" + signature.substr(7), "SHA256=" + signature.substr(7)}) {
            vector.request.headers = {{"X-Hub-Signature-256", value}};
            BOOST_TEST(!believed(vector), value);
        }
    }
}

BOOST_AUTO_TEST_CASE(P7_meta_gets_its_challenge_back_only_with_the_right_token) {
    const auto verifier = meta("to ken&1");
    const std::string asked = "hub.mode=subscribe&hub.verify_token=to%20ken%261&hub.challenge=%3Cb%3E1158%3C%2Fb%3E";
    const auto answer = verifier->challenge(get(asked));
    BOOST_REQUIRE(answer);
    BOOST_TEST(answer->value() == "<b>1158</b>");
    for (const auto* bad :
         {"", "hub.mode=subscribe&hub.verify_token=other&hub.challenge=1", "hub.mode=subscribe&hub.challenge=1",
          "hub.mode=unsubscribe&hub.verify_token=to%20ken%261&hub.challenge=1",
          "hub.mode=subscribe&hub.verify_token=to%20ken%261", "hub.verify_token=to%20ken%261&hub.challenge=1"}) {
        const auto refused = verifier->challenge(get(bad));
        BOOST_REQUIRE(refused);
        BOOST_TEST(!refused->has_value(), bad);
    }
    const auto without_token = meta("")->challenge(get("hub.mode=subscribe&hub.verify_token=&hub.challenge=1"));
    BOOST_TEST(!without_token->has_value());
    BOOST_TEST(!verifier_for(vector_named("github").proof).value()->challenge(get(asked)));
}

BOOST_AUTO_TEST_CASE(P7_slack_gets_its_challenge_back_from_a_body_that_is_nothing_else) {
    const auto slack = verifier_for(vector_named("slack").proof).value();
    const auto greeting = [&](const std::string& body) {
        InboundRequest request;
        request.body = body;
        return slack->greeting(request);
    };
    BOOST_TEST(greeting(R"({"type":"url_verification","challenge":"<i>3eZ\u0062</i>"})").value() == "<i>3eZb</i>");
    for (const auto* body : {R"({"type":"event_callback","event":{"text":"url_verification"}})", "url_verification",
                             R"({"type":"url_verification"})", R"({"challenge":"x"})", "[]", ""})
        BOOST_TEST(!greeting(body), body);
}

BOOST_AUTO_TEST_CASE(what_orbridge_send_signs_is_believed_by_every_scheme) {
    const TimePoint now{seconds{1'700'000'000}};
    for (const auto& scheme : push_schemes()) {
        PushProof proof{.scheme = std::string(scheme.name),
                        .secrets = {Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")},
                        .signature = {.header = "X-Sig",
                                      .encoding = SignatureForm::Encoding::Base64,
                                      .prefix = "p=",
                                      .timestamp_header = "X-Time",
                                      .id_header = "X-Id",
                                      .content = "{id}{timestamp}{body}"}};
        InboundRequest request;
        request.body = "{\"a\": 1}";
        request.headers = push_headers(proof, request.body, now, "r-1");
        const auto verifier = verifier_for(proof).value();
        BOOST_TEST(verifier->verify(request, now).has_value(), scheme.name);
        request.body += ' ';
        const bool says_nothing_of_the_body = scheme.name == "bearer" || scheme.name == "none";
        BOOST_TEST(verifier->verify(request, now).has_value() == says_nothing_of_the_body, scheme.name);
    }
}

BOOST_AUTO_TEST_CASE(a_form_that_signs_no_body_or_asks_for_what_there_is_not_cannot_be_made) {
    const auto with_content = [](const std::string& content) {
        return verifier_for(PushProof{.scheme = "hmac",
                                      .secrets = {Secret("s")},
                                      .signature = {.header = "X", .content = content}})
            .has_value();
    };
    for (const auto* good : {"{body}", "a{body}", "{timestamp}.{body}", "{id}{id}{body}|"})
        BOOST_TEST(with_content(good));
    for (const auto* bad : {"", "{timestamp}", "{body", "{bodies}", "{}", "{body}{nonce}", "body"})
        BOOST_TEST(!with_content(bad), bad);
    BOOST_TEST(!verifier_for(PushProof{.scheme = "hmac", .secrets = {Secret("s")}}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
