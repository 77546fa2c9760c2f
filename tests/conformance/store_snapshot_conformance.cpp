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

BOOST_AUTO_TEST_CASE_TEMPLATE(B4_a_pushed_end_is_told_whatever_its_clock_says_and_a_polled_one_only_if_it_is_not_old,
                              Place, Stores) {
    const auto ends = [](Intake intake, milliseconds state_at, int end_at) {
        World<Place> world;
        auto present = event_of(world, {R"({"a":1})", false, false, 0, intake}, "1");
        present.event.occurred_at = TimePoint{state_at};
        present.leaves->as_of = TimePoint{state_at};
        world.accept(present);
        return !world.accept(event_of(world, {R"({"a":1})", true, false, end_at, intake}, "2")).duplicate;
    };
    BOOST_TEST(ends(Intake::Webhooks, milliseconds{100'700}, 90));
    BOOST_TEST(ends(Intake::Webhooks, milliseconds{100'700}, 100));
    BOOST_TEST(ends(Intake::Poll, milliseconds{100'700}, 100));  // in the same second, told without its parts
    BOOST_TEST(!ends(Intake::Poll, milliseconds{100'700}, 90));
}

/// An unmapped event is accepted; what it is mapped to is given it.
template <class W>
struct Unmapped {
    W& world;
    EventId id;
    TimePoint at;
    Unmapped(W& in, const std::string& dedup) : world(in), at(in.clock.time += seconds{1}) {
        auto raw = world.event_with({}, dedup);
        raw.event.state = EventState::Unmapped;
        raw.event.subject.clear();
        id = world.accept(raw).id;
    }
    void map(const Change& change, const std::string& dedup) {
        auto mapped = event_of(world, change, dedup);
        mapped.event.id = id;
        mapped.event.received_at = at;
        mapped.deliveries = {world.delivery_to("t", "object:1")};
        const auto done = world.store->remap(id, mapped);
        BOOST_REQUIRE_MESSAGE(done.has_value(), message_of(done));
    }
};

BOOST_AUTO_TEST_CASE_TEMPLATE(an_unmapped_event_that_is_mapped_later_updates_its_subjects_snapshot, Place, Stores) {
    World<Place> world;
    Unmapped first(world, "raw 1"), second(world, "raw 2"), third(world, "raw 3");
    first.map({R"({"a":1})", false, false, 0, Intake::Push}, "1");
    BOOST_TEST(snapshot_of(world).version == 1u);
    BOOST_TEST(snapshot_of(world).event.value == first.id.value);
    third.map({R"({"a":3})", false, false, 0, Intake::Push}, "3");
    BOOST_TEST(snapshot_of(world).version == 2u);
    BOOST_TEST(world.store->difference(third.id).value().value().before == R"({"a":1})");
    BOOST_TEST(world.store->difference(third.id).value().value().changed == R"(["a"])");
    second.map({R"({"a":2})", false, false, 0, Intake::Push}, "2");  // older: it is told, and nothing else
    BOOST_TEST(snapshot_of(world).state == R"({"a":3})");
    BOOST_TEST(snapshot_of(world).version == 2u);
    BOOST_TEST(!world.store->difference(second.id).value().has_value());
    world.restart();
    BOOST_TEST(snapshot_of(world).state == R"({"a":3})");
    BOOST_TEST(world.store->pending_for({"t"}) == 3u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(B4_an_event_mapped_late_does_not_overwrite_what_came_since, Place, Stores) {
    World<Place> world;
    Unmapped old(world, "raw 1"), end(world, "raw 2"), newer(world, "raw 3");
    world.clock.time += seconds{1};
    world.accept(event_of(world, {R"({"a":9})", false, false, 100, Intake::Push}, "live"));
    old.map({R"({"a":1})", false, false, 90, Intake::Push}, "1");
    BOOST_TEST(snapshot_of(world).state == R"({"a":9})");
    end.map({R"({"a":1})", true, false, 91, Intake::Push}, "2");
    BOOST_TEST(snapshot_of(world).live);
    newer.map({R"({"a":10})", false, false, 110, Intake::Push}, "3");  // by the state's own time
    BOOST_TEST(snapshot_of(world).state == R"({"a":10})");
    BOOST_TEST(snapshot_of(world).version == 2u);
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

BOOST_AUTO_TEST_CASE_TEMPLATE(D3_the_same_content_pushed_again_is_an_event_and_no_version, Place, Stores) {
    World<Place> world;
    world.accept(event_of(world, {R"({"a":1,"b":[1,2]})", false, false, 0, Intake::Push}, "1"));
    BOOST_TEST(!world.accept(event_of(world, {R"({"b":[1,2],"a":1})", false, false, 0, Intake::Push}, "2")).duplicate);
    BOOST_TEST(snapshot_of(world).version == 1u);
    world.accept(event_of(world, {R"({"a":1,"b":[2,1]})", false, false, 0, Intake::Push}, "3"));
    BOOST_TEST(snapshot_of(world).version == 2u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(D4_a_version_never_comes_again_after_its_snapshot_was_removed, Place, Stores) {
    World<Place> world;
    for (const auto* state : {R"({"a":1})", R"({"a":2})", R"({"a":3})"})
        world.accept(event_of(world, {state, false, false, 0, Intake::Push}, state));
    world.clock.time += std::chrono::hours{49};
    BOOST_TEST(world.store->prune_snapshots({.unused = std::chrono::hours{48}}, world.clock.time, 10).value() == 1u);
    world.restart();
    BOOST_TEST(!world.store->snapshot(kCloud, "object:1").value().has_value());
    world.accept(event_of(world, {R"({"a":3})", false, false, 0, Intake::Push}, "again"));
    BOOST_TEST(snapshot_of(world).version == 4u);
    Arrival seen;
    seen.seen_at = kCloud;
    seen.seen_when = world.clock.time;
    seen.seen = {{"object:2", {R"({"a":1})", false, {}, {}}}};
    BOOST_REQUIRE(world.store->accept(seen).has_value());
    BOOST_TEST(world.store->snapshot(kCloud, "object:2").value()->version == 4u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(D10_snapshots_go_when_nobody_changed_or_read_them, Place, Stores) {
    World<Place> world;
    const auto put = [&](const std::string& subject, const std::string& source, bool ended) {
        auto event = event_of(world, {R"({"a":1})", ended, false, 0, Intake::Push}, source + subject);
        event.event.subject = subject;
        event.event.source = {source};
        world.accept(event);
    };
    put("live", "cloud", false);
    put("read", "cloud", false);
    put("live", "polled", false);
    put("ended", "polled", true);
    world.clock.time += std::chrono::hours{40};
    BOOST_REQUIRE(world.store->use_snapshot(kCloud, "read", world.clock.time).has_value());
    world.clock.time += std::chrono::hours{10};
    const SnapshotRetention retention{.unused = std::chrono::hours{48}, .rows_max = 1'000, .polled = {{"polled"}}};
    BOOST_TEST(world.store->prune_snapshots(retention, world.clock.time, 10).value() == 2u);
    BOOST_TEST(!world.store->snapshot(kCloud, "live").value().has_value());
    BOOST_TEST(world.store->snapshot(kCloud, "read").value().has_value());
    BOOST_TEST(world.store->snapshot({"polled"}, "live").value().has_value());  // polling would tell it as new
    BOOST_TEST(!world.store->snapshot({"polled"}, "ended").value().has_value());
    BOOST_TEST(world.store->prune_snapshots(retention, world.clock.time, 10).value() == 0u);
    const SnapshotRetention few{.unused = std::chrono::hours{48}, .rows_max = 1, .polled = {{"polled"}}};
    BOOST_TEST(world.store->prune_snapshots(few, world.clock.time, 10).value() == 1u);
    BOOST_TEST(!world.store->snapshot(kCloud, "read").value().has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(D1_snapshots_are_listed_by_subject_page_by_page, Place, Stores) {
    World<Place> world;
    for (const auto* subject : {"b", "a", "c"}) {
        auto event = event_of(world, {R"({"a":1})", false, false, 0, Intake::Push}, subject);
        event.event.subject = subject;
        world.accept(event);
    }
    const auto first = world.store->snapshots(kCloud, "", 2).value();
    BOOST_REQUIRE(first.size() == 2u);
    BOOST_TEST(first[0].subject == "a");
    BOOST_TEST(first[1].version == 1u);
    const auto second = world.store->snapshots(kCloud, "b", 2).value();
    BOOST_REQUIRE(second.size() == 1u);
    BOOST_TEST(second[0].subject == "c");
    BOOST_TEST(world.store->snapshots({"other"}, "", 2).value().empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_update_is_kept_with_what_was_before_and_what_it_changed, Place, Stores) {
    World<Place> world;
    const auto change = [&](const std::string& state, bool ended = false) {
        auto event = event_of(world, {state, ended, false, 0, Intake::Push}, state + (ended ? "end" : ""));
        event.deliveries = {world.delivery_to("t")};
        return world.accept(event).id;
    };
    const std::string first = R"({"uuid":"7","data":{"status":"new","n":1,"gone":2},"@self":{"updated":"1"}})";
    const auto created = change(first);
    const auto updated = change(R"({"uuid":"7","data":{"n":1,"status":"open","more":3},"@self":{"updated":"2"}})");
    const auto ended = change(first, true);
    const auto again = change(R"({"uuid":"7","data":{"n":9},"@self":{"updated":"3"}})");
    world.restart();
    BOOST_TEST(!world.store->difference(created).value().has_value());
    const auto difference = world.store->difference(updated).value();
    BOOST_REQUIRE(difference.has_value());
    BOOST_TEST(difference->before == first);
    BOOST_TEST(difference->changed == R"(["gone","more","status"])");
    BOOST_TEST(!world.store->difference(ended).value().has_value());
    BOOST_TEST(!world.store->difference(again).value().has_value());  // it was none before
    const auto claims = world.claim("t").claims;
    BOOST_REQUIRE(claims.size() == 4u);
    for (const auto& claim : claims) {
        BOOST_TEST(claim.delivery.difference.has_value() == (claim.delivery.event.id == updated));
        world.settle(claim, Finished{});
    }
    BOOST_REQUIRE(world.store->add_deliveries(updated, {world.delivery_to("replayed")}).has_value());
    const auto replayed = world.claim("replayed").claims;
    BOOST_REQUIRE(replayed.size() == 1u);
    BOOST_TEST(replayed[0].delivery.difference->before == first);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_state_that_is_too_large_is_not_kept_with_the_update_but_the_names_are, Place, Stores) {
    World<Place> world;
    const std::string large(100'000, 'x');
    world.accept(event_of(world, {R"({"a":")" + large + R"("})", false, false, 0, Intake::Push}, "1"));
    const auto update = world.accept(event_of(world, {R"({"a":1})", false, false, 0, Intake::Push}, "2"));
    const auto difference = world.store->difference(update.id).value();
    BOOST_REQUIRE(difference.has_value());
    BOOST_TEST(difference->before.empty());
    BOOST_TEST(difference->changed == R"(["a"])");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(differences_go_with_their_events, Place, Stores) {
    World<Place> world;
    world.accept(event_of(world, {R"({"a":1})", false, false, 0, Intake::Push}, "1"));
    const auto update = world.accept(event_of(world, {R"({"a":2})", false, false, 0, Intake::Push}, "2"));
    world.clock.time += std::chrono::days{40};
    BOOST_TEST(world.store->prune({}, world.clock.time, 10).value() == 2u);
    BOOST_TEST(!world.store->difference(update.id).value().has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge::testing
