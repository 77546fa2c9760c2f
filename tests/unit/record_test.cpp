#include "bridge/normalize/record.h"

#include <boost/test/unit_test.hpp>

#include "bridge/core/text.h"
#include "bridge/verify/verifier.h"

using namespace orbridge;

namespace {

Result<NormalizeOutcome> normalized(const std::string& body, Headers headers = {}) {
    return normalize_record(verified_before({"app"}, "record", Intake::Record, body, TimePoint{}, std::move(headers)));
}

Normalized record(const std::string& body, Headers headers = {}) {
    auto outcome = normalized(body, std::move(headers));
    BOOST_REQUIRE(outcome.has_value());
    return std::get<std::vector<Normalized>>(*outcome).at(0);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(record_intake)

BOOST_AUTO_TEST_CASE(exactly_what_was_sent_is_the_event) {
    const auto made = record(
        R"({"channel":"Project","eventName":"new:a:b","timestamp":1437763552852,"payload":{"b":1.50,"a":null},"x":1})");
    BOOST_TEST(made.channel == "Project");
    BOOST_TEST(made.event_name == "new:a:b");
    BOOST_TEST((made.occurred_at == TimePoint{milliseconds{1'437'763'552'852}}));
    BOOST_TEST(made.payload == R"({"b":1.50,"a":null})");
    BOOST_TEST(made.subject.empty());
    BOOST_TEST(made.dedup_key.empty());
}

BOOST_AUTO_TEST_CASE(timestamp_and_payload_may_be_missing) {
    const auto made = record(R"({"channel":"c","eventName":""})");
    BOOST_TEST(!made.occurred_at.has_value());
    BOOST_TEST(made.payload == "{}");
    BOOST_TEST(record(R"({"channel":"c","eventName":"e","payload":[1]})").payload == "[1]");
}

BOOST_AUTO_TEST_CASE(a_webhook_id_tells_a_repetition) {
    BOOST_TEST(record(R"({"channel":"c","eventName":"e"})", {{"Webhook-Id", "7"}}).dedup_key == "7");
}

BOOST_AUTO_TEST_CASE(m8_a_run_of_line_breaks_and_controls_in_a_name_becomes_one_space) {
    BOOST_TEST(record(R"({"channel":"c","eventName":"a\r\nb\u0085\u2028c\td"})").event_name == "a b c d");
    BOOST_TEST(on_one_line("a\x7f\x01z\xe2\x80\xa9") == "a z ");
    BOOST_TEST(on_one_line("\xc3\xa9t\xc3\xa9 \xe2\x82\xac") == "\xc3\xa9t\xc3\xa9 \xe2\x82\xac");
}

BOOST_AUTO_TEST_CASE(what_is_no_record_is_refused_by_the_name_of_what_is_wrong) {
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"[]", "object"},
        {"{", "JSON"},
        {R"({"eventName":"e"})", "channel"},
        {R"({"channel":"","eventName":"e"})", "channel"},
        {R"({"channel":"c"})", "eventName"},
        {R"({"channel":"c","eventName":7})", "eventName"},
        {R"({"channel":"c","eventName":"e","timestamp":"now"})", "timestamp"},
        {R"({"channel":"c","eventName":"e","timestamp":1.5})", "timestamp"},
    };
    for (const auto& [body, named] : rows) {
        const auto outcome = normalized(body);
        BOOST_TEST_REQUIRE(!outcome.has_value(), body);
        BOOST_TEST((outcome.error().kind == Error::Kind::Invalid));
        BOOST_TEST(outcome.error().message.find(named) != std::string::npos, outcome.error().message);
    }
}

BOOST_AUTO_TEST_SUITE_END()
