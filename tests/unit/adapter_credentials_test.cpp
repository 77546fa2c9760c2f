#include <boost/test/unit_test.hpp>

#include "bridge/core/text.h"
#include "tests/support/adapter_desk.h"

namespace orbridge {
using namespace test;

BOOST_AUTO_TEST_SUITE(adapters)

BOOST_AUTO_TEST_CASE(K9_the_error_of_a_wrong_address_shows_no_secret_in_it) {
    AdapterHooks hooks;
    hooks.credentials.values = [](const CredentialName&) -> Result<HeldCredential> {
        HeldCredential held;
        held.values = Secret(R"({"webhook_url":"https://S3CR3T host/S3CR3T-path"})");
        return held;
    };
    const auto made = make("{adapter: slack, credentials: team, task: send_message, params: {text: Hi}}", hooks);
    BOOST_TEST(written(*made) == "! `***` is no http or https URL");
}

BOOST_AUTO_TEST_CASE(K11_an_event_is_delivered_with_what_its_register_has_or_the_targets_owner) {
    std::vector<std::string> asked;
    AdapterHooks hooks;
    hooks.credentials.values = [&asked](const CredentialName& which) -> Result<HeldCredential> {
        asked.push_back(which.adapter + ' ' + which.name + ' ' + which.scope);
        HeldCredential held;
        held.values = Secret(R"({"bot_token":"S3CR3T"})");
        return held;
    };
    const std::string team = "{adapter: slack, credentials: team, task: send_message, params: {text: Hi, channel: C}";
    const auto own = make(team + "}", hooks);
    auto delivery = delivery_of("{}");
    for (const auto* subject : {"object:3/12/7f", "object:", "object:3", "object:a b/1/2", "issue:1/2", ""}) {
        delivery.event.subject = subject;
        BOOST_TEST(own->recipe->request_for(delivery, "r").has_value());
    }
    BOOST_TEST((asked == std::vector<std::string>{"slack team register:3", "slack team global", "slack team global",
                                                  "slack team global", "slack team global", "slack team global"}));
    asked.clear();
    const auto owned = make(team + ", owner: 'workspace:main'}", hooks);
    delivery.event.subject = "object:3/12/7f";
    BOOST_TEST(owned->recipe->request_for(delivery, "r").has_value());
    BOOST_TEST((asked == std::vector<std::string>{"slack team workspace:main"}));
    BOOST_TEST(make(team + ", owner: everybody}", hooks)->complaints.lines().size() == 1U);
    BOOST_TEST(
        make("{adapter: slack, credentials: {bot_token: x}, owner: global, task: send_message, params: {text: Hi}}",
             hooks)
            ->complaints.lines()
            .size() == 1U);
}

BOOST_AUTO_TEST_CASE(K9_what_makes_an_address_secret_is_hidden_by_itself_too_and_its_host_is_not) {
    const auto made = make(
        R"({adapter: teams, credentials: {webhook_url: "https://hook-user:S3CR3T-pass@services.example/workflows/S3CR3T-path?sig=S3CR3T%2Fsig&v=1"},
        task: send_simple_message, params: {text: Hi}})");
    for (const auto* part : {"S3CR3T-pass", "S3CR3T-path", "S3CR3T%2Fsig", "S3CR3T/sig"})
        BOOST_TEST(made->recipe->shown(std::string("no ") + part + " here") == "no *** here", part);
    for (const auto* part : {"services.example", "workflows", "v=1"})
        BOOST_TEST(made->recipe->shown(std::string("no ") + part) == std::string("no ") + part);
}

BOOST_AUTO_TEST_CASE(K9_no_way_of_escaping_a_secret_shows_what_of_it_needs_none) {
    const auto made = make(
        R"({adapter: sendgrid, credentials: {api_key: "S3CR3T-begin \"é/+S3CR3T-end"}, task: send_email,
        params: {to: a@b.example, from: c@d.example, subject: S, body: B}})");
    for (const auto* said : {"S3CR3T-begin+%22%c3%a9%2f%2bS3CR3T-end", R"(S3CR3T-begin \"\u00e9\/+S3CR3T-end)",
                             "S3CR3T-begin &quot;&eacute;/+S3CR3T-end"})
        BOOST_TEST(made->recipe->shown(said).find("S3CR3T") == std::string::npos, made->recipe->shown(said));
}

BOOST_AUTO_TEST_CASE(K9_half_a_secret_is_hidden_where_an_answer_was_cut) {
    const auto made = make(R"({adapter: sendgrid, credentials: {api_key: S3CR3T-whole}, task: send_email,
        params: {to: a@b.example, from: c@d.example, subject: S, body: B}})");
    for (std::size_t before = 150; before < 220; ++before) {
        const auto reason = reason_of(answered(*made, 400, std::string(before, 'x') + " S3CR3T-whole and more"));
        BOOST_TEST(reason.find("S3CR") == std::string::npos, reason);
    }
    BOOST_TEST(made->recipe->shown("cut in S3CR3T-wh") == "cut in ***");
    BOOST_TEST(made->recipe->shown("cut in S3C") == "cut in S3C");
}

BOOST_AUTO_TEST_CASE(K9_nothing_that_is_kept_or_shown_holds_a_secret) {
    const auto made = make(R"({adapter: jira, config: {url: "https://acme.atlassian.net"}, task: create_issue,
        credentials: {email: a@b.example, api_token: "S3CR3T-\"x"}, params: {project: zak, summary: S}})");
    const std::string secret = "S3CR3T-\"x";
    for (const auto& form :
         {secret, percent_encode(secret), to_base64(secret), to_base64("a@b.example:" + secret), json_string(secret)}) {
        const auto outcome = answered(*made, 400, "you said " + form);
        BOOST_TEST(reason_of(outcome).find(form) == std::string::npos);
        BOOST_TEST(reason_of(outcome).find("***") != std::string::npos);
        const auto kept = made->recipe->shown("you said " + form);
        BOOST_TEST(kept.find("S3CR3T") == std::string::npos);
        BOOST_TEST(kept.find("***") != std::string::npos);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
