#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "bridge/settings/settings.h"

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

struct Read {
    Complaints complaints;
    Settings settings;
    explicit Read(const std::string& section) {
        const auto text = "mappings: [" ORBRIDGE_ROOT
                          "/mappings/openregister.yaml]\n"
                          "sources: {app: {type: record, token: x}}\n" +
                          section;
        settings = read_settings(ConfigNode::parse(text, "c.yaml", complaints), complaints);
    }
    std::string told() const {
        std::string all;
        for (const auto& line : complaints.lines()) all += line + '\n';
        return all;
    }
};

const std::string kToken = "billing-token-0123456789";

}  // namespace

BOOST_AUTO_TEST_SUITE(subscription_settings)

BOOST_AUTO_TEST_CASE(without_the_section_there_are_no_products) {
    const Read read("");
    BOOST_TEST(read.told() == "");
    BOOST_TEST(read.settings.subscriptions.products.empty());
}

BOOST_AUTO_TEST_CASE(a_product_is_enough_and_the_rest_has_defaults) {
    const Read read("subscriptions: {products: [openregister]}");
    BOOST_TEST(read.told() == "");
    const auto& settings = read.settings.subscriptions;
    BOOST_TEST_REQUIRE(settings.products.size() == 1U);
    BOOST_TEST(settings.products[0].name == "openregister");
    BOOST_TEST(settings.products[0].retry);
    BOOST_TEST((settings.lease_max == 1'209'600s && settings.grace == 0s && settings.timeout == 10s));
    BOOST_TEST((settings.retry_after.at(0) == 5s && settings.retry_after.at(1) == 5min));
    milliseconds all{0};
    for (const auto wait : settings.retry_after) all += wait;
    BOOST_TEST((all >= settings.lease_max));
}

BOOST_AUTO_TEST_CASE(products_may_differ_in_retrying_and_secrets) {
    const Read read("subscriptions: {retry: off, secret: common, products: [a, {name: b, retry: on, secret: [x, y]}]}");
    BOOST_TEST(read.told() == "");
    const auto& products = read.settings.subscriptions.products;
    BOOST_TEST_REQUIRE(products.size() == 2U);
    BOOST_TEST((!products[0].retry && products[0].secrets.at(0).reveal() == "common"));
    BOOST_TEST((products[1].retry && products[1].secrets.size() == 2U && products[1].secrets[1].reveal() == "y"));
}

BOOST_AUTO_TEST_CASE(tokens_have_names_and_values_fit_for_a_url) {
    const Read read("subscriptions: {tokens: [{name: billing, token: " + kToken + "}, {name: old, token: [" + kToken +
                    "1, " + kToken + "2]}]}");
    BOOST_TEST(read.told() == "");
    const auto& tokens = read.settings.subscriptions.tokens;
    BOOST_TEST_REQUIRE(tokens.size() == 2U);
    BOOST_TEST(tokens[0].values.at(0).reveal() == kToken);
    BOOST_TEST(tokens[1].values.size() == 2U);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named_with_its_place_and_no_token_is_shown) {
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"{lease_max: 863999s}", "subscriptions.lease_max"},
        {"{products: []}", "must not be empty"},
        {"{products: [a, a]}", "two products"},
        {"{products: [api]}", "path of orbridge itself"},
        {"{products: [{retry: off}]}", "name"},
        {"{retry: perhaps}", "subscriptions.retry"},
        {"{tokens: [{name: a, token: short-secret}]}", "not a token"},
        {"{tokens: [{name: a, token: 'not%url+safe&token=1'}]}", "not a token"},
        {"{tokens: [{token: " + kToken + "}]}", "name"},
        {"{tokens: [{name: a}]}", "token"},
        {"{tokens: [{name: a, token: " + kToken + "}, {name: a, token: " + kToken + "1}]}", "two tokens"},
        {"{tokens: x}", "expected a list"},
        {"{lease: 1d}", "unknown key"},
    };
    for (const auto& [section, named] : rows) {
        const Read read("subscriptions: " + section);
        BOOST_TEST(read.told().find(named) != std::string::npos, section << " told: " << read.told());
        BOOST_TEST(read.told().find("c.yaml:3") != std::string::npos);
        BOOST_TEST(read.told().find("short-secret") == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(a_record_source_needs_a_token_and_nothing_else) {
    Complaints complaints;
    const auto text =
        "mappings: [" ORBRIDGE_ROOT
        "/mappings/openregister.yaml]\n"
        "sources: {a: {type: record, token: [x, y]}, b: {type: record}, c: {type: record, token: x, url: http://x}}\n";
    const auto settings = read_settings(ConfigNode::parse(text, "c.yaml", complaints), complaints);
    BOOST_TEST(settings.sources.at(0).secrets.size() == 2U);
    const auto lines = complaints.lines();
    BOOST_TEST_REQUIRE(lines.size() == 2U);
    BOOST_TEST(lines[0].find("sources.b.token") != std::string::npos);
    BOOST_TEST(lines[1].find("sources.c.url: unknown key") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_reload_tells_what_changed_and_no_secret) {
    const Read before("subscriptions: {timeout: 5s, tokens: [{name: a, token: " + kToken + "}]}");
    const Read after("subscriptions: {timeout: 6s, tokens: [{name: a, token: " + kToken + "x}]}");
    const auto lines = differences(before.settings, after.settings);
    BOOST_TEST(lines == (std::vector<std::string>{"subscriptions.timeout: 5s → 6s", "subscriptions.tokens.a: changed"}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
