// What every store promises about telling what was there before anything was told of it.
#include <boost/mpl/list.hpp>

#include "tests/conformance/store_world.h"

namespace orbridge::testing {
namespace {

using Stores = boost::mpl::list<InMemory, InSqlite>;

const SourceId kCloud{"cloud"};

SubjectState state_at(int seconds_, const std::string& text = R"({"a":1})") {
    return {text, false, {}, TimePoint{seconds{seconds_}}};
}

/// Seen, not told of: the states' own times are `first`, `first` + 1, …
template <class W>
void see(W& world, const std::vector<std::string>& subjects, int first = 100) {
    Arrival arrival;
    arrival.seen_at = kCloud;
    arrival.seen_when = world.clock.time;
    for (const auto& subject : subjects) arrival.seen.push_back({subject, state_at(first++)});
    BOOST_REQUIRE(world.store->accept(arrival).has_value());
}

template <class W>
NewEvent event_about(W& world, const std::string& subject, const std::string& dedup, bool backfilled) {
    auto event = world.event_with({world.delivery_to("t", subject)}, dedup);
    event.event.subject = subject;
    event.event.intake = Intake::Poll;
    event.event.backfilled = backfilled;
    event.leaves = state_at(100);
    return event;
}

template <class W>
std::string untold(W& world, UntoldQuery query) {
    std::string subjects;
    const auto found = world.store->untold(query).value();
    for (const auto& each : found) subjects += each.subject + " ";
    query.limit = 0;
    const auto count = world.store->count_untold(query).value();
    return subjects + std::to_string(count);
}

template <class W>
Snapshot snapshot_of(W& world, const std::string& subject) {
    auto found = world.store->snapshot(kCloud, subject);
    BOOST_REQUIRE(found.has_value());
    BOOST_REQUIRE(found->has_value());
    return **std::move(found);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(backfill_in_store)

BOOST_AUTO_TEST_CASE_TEMPLATE(untold_is_what_was_seen_and_no_event_told_of, Place, Stores) {
    World<Place> world;
    see(world, {"object:1", "object:2", "object:3", "object:4"});
    world.accept(event_about(world, "object:5", "told", false));
    auto gone = event_about(world, "object:3", "gone", false);
    gone.leaves->ended = true;
    gone.leaves->as_of = TimePoint{seconds{200}};
    world.accept(gone);
    BOOST_TEST(untold(world, {.source = kCloud}) == "object:1 object:2 object:4 3");
    BOOST_TEST(untold(world, {.source = kCloud, .limit = 2}) == "object:1 object:2 3");
    BOOST_TEST(untold(world, {.source = kCloud, .after = "object:1", .limit = 2}) == "object:2 object:4 2");
    BOOST_TEST(untold(world, {.source = kCloud, .since = TimePoint{seconds{101}}}) == "object:2 object:4 2");
    BOOST_TEST(untold(world, {.source = kCloud, .until = TimePoint{seconds{101}}}) == "object:1 1");
    BOOST_TEST(world.store->untold({.source = {"other"}}).value().empty());
    world.restart();
    BOOST_TEST(untold(world, {.source = kCloud}) == "object:1 object:2 object:4 3");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_backfilled_event_is_stored_once_and_marked_over_a_restart, Place, Stores) {
    World<Place> world;
    see(world, {"object:1"});
    const auto before = snapshot_of(world, "object:1");
    const auto first = world.accept(event_about(world, "object:1", "a", true));
    BOOST_TEST(!first.duplicate);
    const auto again = world.accept(event_about(world, "object:1", "b", true));
    BOOST_TEST(again.duplicate);
    BOOST_TEST(again.id.value == first.id.value);
    world.restart();
    BOOST_TEST(untold(world, {.source = kCloud}) == "0");
    const auto after = snapshot_of(world, "object:1");
    BOOST_TEST(after.version == before.version);
    BOOST_TEST(after.state == before.state);
    BOOST_TEST(after.event.value == first.id.value);
    BOOST_TEST(world.store->event(first.id).value().backfilled);
    BOOST_TEST(world.claim("t").claims.at(0).delivery.event.backfilled);
    BOOST_TEST(world.store->intakes_heard().value().empty());  // nothing was heard just now
}

BOOST_AUTO_TEST_CASE_TEMPLATE(B4_a_change_that_came_meanwhile_is_not_overwritten_by_a_backfill, Place, Stores) {
    World<Place> world;
    see(world, {"object:1", "object:2"});
    auto live = event_about(world, "object:1", "live", false);
    live.event.intake = Intake::Webhooks;
    live.leaves = state_at(500, R"({"a":2})");
    const auto told = world.accept(live);
    const auto late = world.accept(event_about(world, "object:1", "backfill", true));
    BOOST_TEST(late.duplicate);
    BOOST_TEST(late.id.value == told.id.value);
    BOOST_TEST(snapshot_of(world, "object:1").state == R"({"a":2})");
    BOOST_TEST(snapshot_of(world, "object:1").version == 2u);
    auto end = event_about(world, "object:2", "end", false);
    end.leaves->ended = true;
    end.leaves->as_of = TimePoint{seconds{200}};
    world.accept(end);
    BOOST_TEST(world.accept(event_about(world, "object:2", "too late", true)).duplicate);
    BOOST_TEST(!snapshot_of(world, "object:2").live);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_told_before_it_was_seen_is_no_double, Place, Stores) {
    World<Place> world;
    auto pushed = event_about(world, "object:1", "same", false);
    pushed.leaves.reset();  // pushed while no snapshots were kept
    const auto told = world.accept(pushed);
    see(world, {"object:1"});
    const auto again = world.accept(event_about(world, "object:1", "same", true));
    BOOST_TEST(again.duplicate);
    BOOST_TEST(again.id.value == told.id.value);
    BOOST_TEST(untold(world, {.source = kCloud}) == "0");
    auto never = event_about(world, "object:9", "never seen", true);
    never.leaves.reset();
    BOOST_TEST(world.accept(never).duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_told_of_before_it_was_seen_is_not_told_again, Place, Stores) {
    World<Place> world;
    const auto push = [&](const std::string& subject, const std::string& name, const std::string& dedup) {
        auto event = event_about(world, subject, dedup, false);
        event.event.event_name = name;
        event.leaves.reset();  // pushed while no snapshots were kept
        return world.accept(event);
    };
    const auto told = push("object:1", "updated:a:b", "1");
    push("object:2", "updated:a:b", "2");
    push("object:2", "deleted:a:b", "3");  // what is there now came after that
    see(world, {"object:1", "object:2", "object:3"});
    BOOST_TEST(untold(world, {.source = kCloud}) == "object:1 object:2 object:3 3");
    BOOST_TEST(world.store->mark_told({"other"}).value() == 0u);
    BOOST_TEST(world.store->mark_told(kCloud).value() == 1u);
    BOOST_TEST(untold(world, {.source = kCloud}) == "object:2 object:3 2");
    BOOST_TEST(snapshot_of(world, "object:1").event.value == told.id.value);
    world.restart();
    BOOST_TEST(world.store->mark_told(kCloud).value() == 0u);
    BOOST_TEST(untold(world, {.source = kCloud}) == "object:2 object:3 2");
    BOOST_TEST(world.accept(event_about(world, "object:1", "created", true)).duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_told_at_first_sight_is_marked_and_remembered, Place, Stores) {
    World<Place> world;
    const auto first = world.accept(event_about(world, "object:1", "a", true));
    BOOST_TEST(!first.duplicate);
    BOOST_TEST(world.store->event(first.id).value().backfilled);
    BOOST_TEST(snapshot_of(world, "object:1").event.value == first.id.value);
    BOOST_TEST(snapshot_of(world, "object:1").version == 1u);
    BOOST_TEST(untold(world, {.source = kCloud}) == "0");
    world.restart();
    BOOST_TEST(world.accept(event_about(world, "object:1", "b", true)).duplicate);
    BOOST_TEST(world.claim("t").claims.size() == 1u);
    auto gone = event_about(world, "object:9", "c", true);
    gone.leaves.reset();  // remembered once, and forgotten since
    BOOST_TEST(world.accept(gone).duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_only_seen_is_told_by_whoever_comes_first, Place, Stores) {
    for (const auto intake : {Intake::Webhooks, Intake::Poll}) {
        World<Place> world;
        see(world, {"object:1"});  // made a moment before the list was read, and told a moment later
        auto event = event_about(world, "object:1", "made", false);
        event.event.intake = intake;
        const auto told = world.accept(event);
        BOOST_TEST(!told.duplicate);
        BOOST_TEST(snapshot_of(world, "object:1").event.value == told.id.value);
        BOOST_TEST(snapshot_of(world, "object:1").version == 1u);
        BOOST_TEST(world.accept(event_about(world, "object:1", "made by another name", false)).duplicate);
        BOOST_TEST(untold(world, {.source = kCloud}) == "0");
    }
    World<Place> world;
    see(world, {"object:1"});
    auto read = event_about(world, "object:1", "read", false);  // once more, and as it was: that is no news
    read.leaves->read_after = world.clock.time += seconds{1};
    BOOST_TEST(world.accept(read).duplicate);
    BOOST_TEST(untold(world, {.source = kCloud}) == "object:1 1");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_full_backlog_takes_no_backfill_and_loses_none, Place, Stores) {
    World<Place> world;
    see(world, {"object:1"});
    Arrival arrival{{event_about(world, "object:1", "a", true)}};
    arrival.only_if_known = true;
    BOOST_TEST((world.store->accept(arrival).error().kind == Error::Kind::Unavailable));
    BOOST_TEST(untold(world, {.source = kCloud}) == "object:1 1");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge::testing
