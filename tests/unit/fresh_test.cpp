#include <boost/test/unit_test.hpp>

#include "bridge/store/fresh.h"

using namespace orbridge;

namespace {

Fresh::Entry entry(const std::string& id, std::size_t bytes = 100) {
    return {std::make_shared<Event>(), {id}, "route", "", std::nullopt, false, bytes};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fresh)

BOOST_AUTO_TEST_CASE(each_is_handed_out_once) {
    Fresh fresh;
    fresh.put(1, entry("a"));
    fresh.put(2, entry("b"));
    BOOST_TEST(fresh.take(1)->id.value == "a");
    BOOST_TEST(!fresh.take(1).has_value());
    fresh.drop(2);
    BOOST_TEST(!fresh.take(2).has_value());
}

BOOST_AUTO_TEST_CASE(the_oldest_go_when_it_is_full) {
    Fresh fresh(1'000);
    for (int i = 1; i <= 30; ++i) fresh.put(i, entry(std::to_string(i)));
    BOOST_TEST(fresh.size() == 10U);
    BOOST_TEST(!fresh.take(20).has_value());
    BOOST_TEST(fresh.take(21).has_value());
    fresh.put(31, entry("larger than all", 5'000));
    BOOST_TEST(fresh.size() == 0U);
}

BOOST_AUTO_TEST_CASE(what_was_taken_takes_no_room) {
    Fresh fresh(1'000);
    for (int i = 1; i <= 10'000; ++i) {
        fresh.put(i, entry(std::to_string(i)));
        BOOST_REQUIRE(fresh.take(i).has_value());
    }
    BOOST_TEST(fresh.size() == 0U);
    for (int i = 1; i <= 10; ++i) fresh.put(20'000 + i, entry(std::to_string(i)));
    BOOST_TEST(fresh.size() == 10U);
}

BOOST_AUTO_TEST_SUITE_END()
