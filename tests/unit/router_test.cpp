#include "bridge/route/router.h"

#include <boost/test/unit_test.hpp>

using namespace orbridge;

namespace {

Event an_event() {
    Event event;
    event.source = {"cloud"};
    event.channel = "Object";
    event.event_name = "updated:zaken:aanvraag:7f";
    event.payload =
        R"({"data":{"object":{"status":"open","size":7,"urgent":true,"note":null,"tags":["a"],"a.b":"x"}}})";
    return event;
}

RouteSettings a_route(const std::string& name, const std::vector<std::string>& to) {
    RouteSettings route;
    route.name = name;
    for (const auto& target : to) route.to.push_back({target});
    return route;
}

RouteSettings with(RouteSettings route, const std::string& path, const std::vector<std::string>& any_of) {
    route.when.push_back({path, any_of});
    return route;
}

std::string reason(const RouteSettings& route, const Event& event = an_event()) {
    const auto verdicts = Router({route}).explain(event);
    BOOST_REQUIRE(verdicts.size() == 1U);
    BOOST_TEST(verdicts[0].matched == !Router({route}).match(event).empty());
    return verdicts[0].reason;
}

const std::string kFits = "the event fits the route";

}  // namespace

BOOST_AUTO_TEST_SUITE(router)

BOOST_AUTO_TEST_CASE(a_route_without_conditions_takes_every_mapped_event) {
    BOOST_TEST(reason(a_route("r", {"t"})) == kFits);
    auto unmapped = an_event();
    unmapped.state = EventState::Unmapped;
    BOOST_TEST(reason(a_route("r", {"t"}), unmapped) == "no mapping knew the event, so it has no channel");
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_said_in_plain_words) {
    auto route = a_route("r", {"t"});
    route.source = "other";
    BOOST_TEST(reason(route) == "source is `cloud`, route wants `other`");
    route.source = "cloud";
    route.channel = "File";
    BOOST_TEST(reason(route) == "channel is `Object`, route wants `File`");
    route.channel = "Object";
    route.event_name = "deleted:.*";
    BOOST_TEST(reason(route) ==
               "eventName is `updated:zaken:aanvraag:7f`, route wants all of it to match `deleted:.*`");
    route.event_name = "(created|updated):.*";
    BOOST_TEST(reason(route) == kFits);
}

BOOST_AUTO_TEST_CASE(the_pattern_must_match_the_whole_name) {
    auto route = a_route("r", {"t"});
    for (const auto* part : {"updated", "updated:", "zaken", ":7f", ".*:7"}) {
        route.event_name = part;
        BOOST_TEST(reason(route) != kFits, part);
    }
    route.event_name = "updated:zaken:[^:]+:7f";
    BOOST_TEST(reason(route) == kFits);
}

BOOST_AUTO_TEST_CASE(a_pattern_that_is_none_matches_nothing) {
    auto route = a_route("r", {"t"});
    route.event_name = "(";
    BOOST_TEST(reason(route) == "the route's event_name is no valid pattern");
}

BOOST_AUTO_TEST_CASE(conditions_compare_the_payloads_values_as_text) {
    const auto route = a_route("r", {"t"});
    BOOST_TEST(reason(with(route, "data.object.status", {"new", "open"})) == kFits);
    BOOST_TEST(reason(with(route, "data.object.size", {"7"})) == kFits);
    BOOST_TEST(reason(with(route, "data.object.urgent", {"true"})) == kFits);
    BOOST_TEST(reason(with(route, "data.object.tags.0", {"a"})) == kFits);
    BOOST_TEST(reason(with(route, "data.object.a\\.b", {"x"})) == kFits);
    BOOST_TEST(reason(with(route, "data.object.status", {"new", "closed"})) ==
               "payload.data.object.status is `open`, route wants `new` or `closed`");
    BOOST_TEST(reason(with(route, "data.none.x", {"1"})) == "payload.data.none.x is missing, route wants `1`");
    BOOST_TEST(reason(with(route, "data.object.note", {""})) == "payload.data.object.note is null, route wants ``");
    BOOST_TEST(reason(with(route, "data.object.tags", {"a"})) == "payload.data.object.tags is a list, route wants `a`");
    BOOST_TEST(reason(with(route, "data.object", {"a"})) == "payload.data.object is an object, route wants `a`");
}

BOOST_AUTO_TEST_CASE(all_conditions_must_hold) {
    const auto one = with(a_route("r", {"t"}), "data.object.status", {"open"});
    BOOST_TEST(reason(with(one, "data.object.size", {"8"})) == "payload.data.object.size is `7`, route wants `8`");
    BOOST_TEST(reason(with(one, "data.object.size", {"7"})) == kFits);
}

BOOST_AUTO_TEST_CASE(a_payload_that_is_no_json_has_no_values) {
    auto event = an_event();
    event.payload = "{";
    BOOST_TEST(reason(with(a_route("r", {"t"}), "a", {"1"}), event) == "payload.a is missing, route wants `1`");
    BOOST_TEST(reason(a_route("r", {"t"}), event) == kFits);
}

BOOST_AUTO_TEST_CASE(each_target_gets_the_event_once_from_the_first_route_that_names_it) {
    auto first = a_route("first", {"a", "b", "a"});
    first.ordered = false;
    auto refused = a_route("refused", {"c"});
    refused.channel = "File";
    const Router router({first, refused, a_route("last", {"b", "c"})});
    const auto matches = router.match(an_event());
    BOOST_REQUIRE(matches.size() == 3U);
    const std::vector<std::pair<std::string, std::string>> expected = {{"a", "first"}, {"b", "first"}, {"c", "last"}};
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_TEST(matches[i].target.value == expected[i].first);
        BOOST_TEST(matches[i].route == expected[i].second);
        BOOST_TEST(matches[i].ordered == (expected[i].second == "last"));
    }
    const auto verdicts = router.explain(an_event());
    BOOST_REQUIRE(verdicts.size() == 6U);
    BOOST_TEST(verdicts[2].reason == "the event already goes to this target");
    BOOST_TEST(verdicts[3].reason == "channel is `Object`, route wants `File`");
    BOOST_TEST(verdicts[4].reason == "the event already goes to this target");
    BOOST_TEST(verdicts[5].matched);
}

BOOST_AUTO_TEST_CASE(a_route_may_decline_what_tells_of_things_that_were_there_before) {
    auto event = an_event();
    event.backfilled = true;
    auto route = a_route("r", {"a"});
    BOOST_TEST(reason(route, event) == kFits);
    route.backfilled = false;
    BOOST_TEST(reason(route, event) == "the event is backfilled, and the route takes none of those");
    BOOST_TEST(reason(route) == kFits);
}

BOOST_AUTO_TEST_CASE(the_manner_of_a_route_is_known_by_its_name) {
    RouteSettings free;
    free.name = "free";
    free.ordered = false;
    RouteSettings latest;
    latest.name = "latest";
    latest.latest_only = true;
    const Router router({free, latest});
    BOOST_TEST(!router.manner_of("free").value().ordered);
    BOOST_TEST(!router.manner_of("free").value().latest_only);
    BOOST_TEST(router.manner_of("latest").value().latest_only);
    BOOST_TEST(!router.manner_of("gone").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
