#include "adapters/subscriber/filter.h"

#include <re2/re2.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <string>

#include "bridge/core/text.h"

using namespace orbridge;

namespace {

bool matches(const EventFilter& filter, const std::string& name) {
    switch (filter.shape) {
        case EventFilter::Shape::Exact: return name == filter.text;
        case EventFilter::Shape::Prefix: return name.starts_with(filter.text);
        case EventFilter::Shape::Expression: break;
    }
    return re2::RE2::FullMatch(name, filter.text);
}

void check_accepted(const std::string& java, const std::string& name, const std::string& other) {
    const auto filter = read_event_filter(java);
    BOOST_TEST_REQUIRE(filter.has_value(), (filter ? "" : filter.error().message));
    if (!name.empty()) BOOST_TEST(matches(*filter, name));
    if (!other.empty()) BOOST_TEST(!matches(*filter, other));
}

void check_refused(const std::string& java, const std::string& named) {
    const auto filter = read_event_filter(java);
    BOOST_TEST_REQUIRE(!filter.has_value());
    BOOST_TEST(filter.error().message.starts_with("eventFilter"));
    BOOST_TEST(filter.error().message.find(named) != std::string::npos, filter.error().message);
}

EventFilter read(const std::string& java) {
    auto filter = read_event_filter(java);
    BOOST_TEST_REQUIRE(filter.has_value());
    return *filter;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(event_filter)

BOOST_AUTO_TEST_CASE(m3_m4_m5_every_construct_of_the_table_gets_its_verdict) {
    std::ifstream table(ORBRIDGE_TEST_DATA "/lease/filters.tsv");
    int rows = 0;
    for (std::string line; std::getline(table, line);) {
        if (line.starts_with('#')) continue;
        const auto columns = split(line, '\t');
        BOOST_TEST_REQUIRE(columns.size() == 4U);
        const std::string java(columns[1]);
        BOOST_TEST_CONTEXT("pattern " << java) {
            if (columns[0] == "accept")
                check_accepted(java, std::string(columns[2]), std::string(columns[3]));
            else
                check_refused(java, std::string(columns[2]));
        }
        ++rows;
    }
    BOOST_TEST(rows > 150);
}

BOOST_AUTO_TEST_CASE(plain_names_and_beginnings_need_no_engine) {
    using Shape = EventFilter::Shape;
    BOOST_TEST((read("created:zaken") == EventFilter{Shape::Exact, "created:zaken"}));
    BOOST_TEST((read("created:.*") == EventFilter{Shape::Prefix, "created:"}));
    BOOST_TEST((read(".*") == EventFilter{Shape::Prefix, ""}));
    BOOST_TEST((read("^created:.*$") == EventFilter{Shape::Prefix, "created:"}));
    BOOST_TEST((read("\\Qa.b\\E\\.c") == EventFilter{Shape::Exact, "a.b.c"}));
    BOOST_TEST((read("^new\\z") == EventFilter{Shape::Exact, "new"}));
}

BOOST_AUTO_TEST_CASE(what_only_looks_plain_is_left_to_the_engine) {
    using Shape = EventFilter::Shape;
    for (const auto* java : {"new|old", "a.*b", "(new)", "new$x", "x^new", ".*.*", "ab*", "(?i)new", "^*a", ".*$a",
                             "new\\b", "\\Qab\\E?", "[a]", "\\d"})
        BOOST_TEST((read(java).shape == Shape::Expression), java);
}

BOOST_AUTO_TEST_CASE(r10_a_filter_over_1024_characters_is_refused_and_1024_are_fine) {
    std::string longest;
    for (int i = 0; i < 1024; ++i) longest += "é";
    BOOST_TEST(read_event_filter(longest).has_value());
    check_refused(longest + "x", "1024");
}

BOOST_AUTO_TEST_CASE(a_filter_that_is_no_utf_8_is_refused) {
    for (const auto* bytes : {"\xff", "\xc0\x80", "a\xe9", "\xed\xa0\x80", "\xf5\x80\x80\x80"})
        check_refused(bytes, "UTF-8");
}

BOOST_AUTO_TEST_CASE(a_filter_too_large_for_its_memory_is_refused) {
    check_refused("(?:\\p{L}{1000}){1}(?:\\p{L}{1000}){1}", "too large");
}

BOOST_AUTO_TEST_SUITE_END()
