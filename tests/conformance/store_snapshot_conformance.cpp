// What every store promises about snapshots and bookmarks.
#include <boost/mpl/list.hpp>

#include "tests/conformance/store_world.h"

namespace orbridge::testing {
namespace {

using Stores = boost::mpl::list<InMemory, InSqlite>;

const SourceId kCloud{"cloud"};

struct Change {
    std::string state;
    bool ended = false, current = false;
    int as_of = 0;  ///< seconds; 0: the state has no time
    Intake intake = Intake::Poll;
};

template <class W>
NewEvent event_of(W& world, const Change& change, const std::string& dedup) {
    auto event = world.event_with({}, dedup);
    event.event.intake = change.intake;
    event.leaves = SubjectState{change.state, change.ended, {}, {}};
    if (change.current) event.leaves->read_after = world.clock.time += seconds{1};
    if (change.as_of != 0) event.leaves->as_of = TimePoint{seconds{change.as_of}};
    return event;
}

template <class W>
Snapshot snapshot_of(W& world) {
    const auto found = world.store->snapshot(kCloud, "object:1");
    BOOST_REQUIRE(found.has_value());
    BOOST_REQUIRE(found->has_value());
    return **found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(snapshots_in_store)

BOOST_AUTO_TEST_CASE_TEMPLATE(S8_the_bookmark_moves_with_what_it_stands_behind, Place, Stores) {
    World<Place> world;
    Arrival arrival{{world.event_with({}, "a")}};
    arrival.bookmark = Bookmark{"poll:cloud", "7"};
    BOOST_REQUIRE(world.store->accept(arrival).has_value());
    world.restart();
    BOOST_TEST(world.store->note("poll:cloud").value().value_or("") == "7");

    Arrival refused{{world.event_with({}, "new")}, {}, true};
    refused.bookmark = Bookmark{"poll:cloud", "8"};
    BOOST_TEST((world.store->accept(refused).error().kind == Error::Kind::Unavailable));
    BOOST_TEST(world.store->note("poll:cloud").value().value_or("") == "7");

    Arrival nothing;
    nothing.bookmark = Bookmark{"poll:cloud", "9"};
    BOOST_REQUIRE(world.store->accept(nothing).has_value());
    BOOST_TEST(world.store->note("poll:cloud").value().value_or("") == "9");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(D3_the_version_grows_by_one_with_each_change_and_goes_on_after_an_end, Place, Stores) {
    World<Place> world;
    world.accept(event_of(world, {R"({"a":1})"}, "1"));
    BOOST_TEST(snapshot_of(world).version == 1u);
    BOOST_TEST(world.accept(event_of(world, {R"({ "a": 1 })"}, "2")).duplicate);
    BOOST_TEST(snapshot_of(world).version == 1u);
    world.accept(event_of(world, {R"({"a":2})"}, "3"));
    world.accept(event_of(world, {R"({"a":2})", true}, "4"));
    BOOST_TEST(!snapshot_of(world).live);
    BOOST_TEST(world.store->live_subjects(kCloud, "object:", "", 10).value().empty());
    world.restart();
    world.accept(event_of(world, {R"({"a":3})"}, "5"));
    BOOST_TEST(snapshot_of(world).version == 4u);
    BOOST_TEST(snapshot_of(world).live);
    BOOST_TEST(world.store->live_subjects(kCloud, "object:", "", 10).value().size() == 1u);
    BOOST_TEST(world.store->live_subjects(kCloud, "object:", "object:1", 10).value().empty());
    BOOST_TEST(world.store->live_subjects(kCloud, "thing:", "", 10).value().empty());
    BOOST_TEST(world.store->live_subjects({"other"}, "object:", "", 10).value().empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(B3_the_same_change_by_push_and_poll_is_one_event, Place, Stores) {
    World<Place> world;
    const auto first = world.accept(event_of(world, {R"({"a":1})", false, false, 1, Intake::Webhooks}, "push"));
    const auto again = world.accept(event_of(world, {R"({"a":1})", false, false, 1, Intake::Poll}, "poll"));
    BOOST_TEST(again.duplicate);
    BOOST_TEST(again.id.value == first.id.value);
    world.accept(event_of(world, {R"({"a":2})", false, false, 2, Intake::Poll}, "poll 2"));
    BOOST_TEST(world.accept(event_of(world, {R"({"a":2})", false, false, 2, Intake::Webhooks}, "push 2")).duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(B4_older_data_never_overwrite_newer, Place, Stores) {
    World<Place> world;
    world.accept(event_of(world, {R"({"a":3})", false, false, 3, Intake::Webhooks}, "3"));
    BOOST_TEST(!world.accept(event_of(world, {R"({"a":2})", false, false, 2}, "2")).duplicate);  // nobody had told it
    BOOST_TEST(snapshot_of(world).state == R"({"a":3})");
    world.accept(event_of(world, {R"({"a":3})", true, false, 4, Intake::Webhooks}, "end"));
    BOOST_TEST(!world.accept(event_of(world, {R"({"a":3})", false, false, 3}, "late")).duplicate);
    BOOST_TEST(!snapshot_of(world).live);
    world.accept(event_of(world, {R"({"a":6})", false, false, 6, Intake::Webhooks}, "6"));
    BOOST_TEST(world.accept(event_of(world, {R"({"a":3})", true, false, 5}, "an end that is over")).duplicate);
    BOOST_TEST(snapshot_of(world).live);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(B4_a_reading_that_was_overtaken_tells_nothing, Place, Stores) {
    World<Place> world;
    world.accept(event_of(world, {R"({"a":1})", false, false, 0, Intake::Webhooks}, "1"));
    auto slow = event_of(world, {R"({"a":0})", false, true}, "0");
    world.clock.time += seconds{1};
    world.accept(event_of(world, {R"({"a":2})", false, false, 0, Intake::Webhooks}, "2"));
    BOOST_TEST(world.accept(slow).duplicate);
    BOOST_TEST(snapshot_of(world).state == R"({"a":2})");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_found_missing_has_ended_whatever_the_clocks_say, Place, Stores) {
    World<Place> world;
    world.accept(event_of(world, {R"({"a":1})", false, false, 2'000'000'000, Intake::Webhooks}, "1"));
    BOOST_TEST(!world.accept(event_of(world, {R"({"a":1})", true, true, 5}, "gone")).duplicate);
    BOOST_TEST(!snapshot_of(world).live);
    world.accept(event_of(world, {R"({"a":2})", false, false, 2'000'000'001, Intake::Webhooks}, "2"));
    BOOST_TEST(snapshot_of(world).live);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(polling_has_twins_among_what_schema_hooks_told_only, Place, Stores) {
    World<Place> world;
    const auto make = [&](Intake intake, const std::string& dedup) {
        auto event = world.event_with({}, dedup);
        event.event.intake = intake;
        event.twin_key = "twin";
        return event;
    };
    world.accept(make(Intake::Webhooks, "1"));
    BOOST_TEST(!world.accept(make(Intake::Poll, "2")).duplicate);
    BOOST_TEST(world.accept(make(Intake::Hooks, "3")).duplicate);
    World<Place> other;
    other.accept(make(Intake::Hooks, "1"));
    BOOST_TEST(other.accept(make(Intake::Poll, "2")).duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_as_it_was_long_ago_has_changed_all_the_same, Place, Stores) {
    World<Place> world;
    world.accept(event_of(world, {R"({"a":1})"}, "created 1"));
    world.accept(event_of(world, {R"({"a":2})"}, "2"));
    BOOST_TEST(world.accept(event_of(world, {R"({"a":1})"}, "created 1")).duplicate);  // an old row, read again
    BOOST_TEST(!world.accept(event_of(world, {R"({"a":1})", false, true}, "created 1")).duplicate);
    BOOST_TEST(world.accept(event_of(world, {R"({"a":1})", false, true}, "created 1")).duplicate);
    world.accept(event_of(world, {R"({"a":1})", true}, "end"));
    BOOST_TEST(!world.accept(event_of(world, {R"({"a":1})", false, true}, "created 1")).duplicate);  // restored
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_end_found_by_polling_is_not_told_again, Place, Stores) {
    World<Place> world;
    world.accept(event_of(world, {R"({"a":1})"}, "1"));
    BOOST_TEST(!world.accept(event_of(world, {R"({"a":1})", true}, "end by poll")).duplicate);
    BOOST_TEST(
        world.accept(event_of(world, {R"({"a":1})", true, false, 0, Intake::Webhooks}, "end by push")).duplicate);
    BOOST_TEST(world.accept(event_of(world, {R"({"a":1})", true}, "end again")).duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_there_before_is_remembered_and_no_event, Place, Stores) {
    World<Place> world;
    Arrival arrival;
    arrival.seen_at = kCloud;
    arrival.seen_when = world.clock.time;
    arrival.seen = {{"object:1", {R"({"a":1})", false, {}, {}}}, {"object:2", {R"({"a":2})", false, {}, {}}}};
    BOOST_REQUIRE(world.store->accept(arrival).has_value());
    world.restart();
    BOOST_TEST(world.store->counts().value().events == 0u);
    BOOST_TEST(snapshot_of(world).version == 1u);
    BOOST_TEST(world.accept(event_of(world, {R"({"a":1})", false, true}, "1")).duplicate);
    BOOST_TEST(!world.accept(event_of(world, {R"({"a":5})", false, true}, "2")).duplicate);
    BOOST_REQUIRE(world.store->accept(arrival).has_value());  // what is known already stays as it is known
    BOOST_TEST(snapshot_of(world).state == R"({"a":5})");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge::testing
