#include <boost/mpl/list.hpp>

#include "tests/conformance/store_world.h"

using namespace orbridge;
using namespace orbridge::testing;
using namespace std::chrono_literals;
using Stores = boost::mpl::list<InMemory, InSqlite>;
using Ids = std::vector<std::string>;

namespace {

template <class Rows>
Ids ids_of(const Rows& rows) {
    Ids ids;
    for (const auto& row : rows) ids.push_back(row.id.value);
    return ids;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(store_ask)

BOOST_AUTO_TEST_CASE_TEMPLATE(events_are_listed_newest_first_page_by_page, Place, Stores) {
    World<Place> world;
    Ids newest_first;
    for (int i = 0; i < 7; ++i) newest_first.insert(newest_first.begin(), world.accept(world.event_with({})).id.value);
    EventQuery query;
    query.limit = 3;
    Ids seen;
    while (true) {
        const auto page = world.store->events(query).value();
        if (page.empty()) break;
        for (const auto& event : page) seen.push_back(event.id.value);
        query.before_sequence = page.back().sequence;
    }
    BOOST_TEST((seen == newest_first));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(events_are_listed_oldest_first_from_one_on, Place, Stores) {
    World<Place> world;
    Ids all;
    for (int i = 0; i < 5; ++i) {
        all.push_back(world.accept(world.event_with({})).id.value);
        world.clock.time += 2h;
    }
    EventQuery query;
    query.oldest_first = true;
    query.limit = 2;
    BOOST_TEST((ids_of(world.store->events(query).value()) == Ids{all[0], all[1]}));
    query.after_sequence = world.store->event({all[1]}).value().sequence;
    BOOST_TEST((ids_of(world.store->events(query).value()) == Ids{all[2], all[3]}));
    query.after_sequence = 0;
    query.since = world.clock.time - 4h;
    BOOST_TEST((ids_of(world.store->events(query).value()) == Ids{all[3], all[4]}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_delivery_that_is_known_is_added_once, Place, Stores) {
    World<Place> world;
    const auto event = world.accept(world.event_to("a")).id;
    NewDelivery again;
    again.id = world.ids.delivery_id();
    again.target = {"a"};
    again.due_at = world.clock.time;
    again.replayed = true;
    for (int i = 0; i < 3; ++i) BOOST_REQUIRE(world.store->add_deliveries(event, {again}).has_value());
    DeliveryQuery query;
    query.event = event.value;
    BOOST_TEST(world.store->deliveries(query).value().size() == 2U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(deliveries_are_listed_oldest_first_after_one, Place, Stores) {
    World<Place> world;
    for (int i = 0; i < 4; ++i) {
        world.accept(world.event_to("a"));
        world.clock.time += 2h;
    }
    for (const auto state : {std::optional<DeliveryState>(), std::optional(DeliveryState::Cancelled)}) {
        if (state) BOOST_REQUIRE(world.store->cancel(TargetId{"a"}, std::nullopt, "x", world.clock.time).has_value());
        DeliveryQuery query;
        query.state = state;
        query.limit = 3;
        query.oldest_first = true;
        const auto first = world.store->deliveries(query).value();
        BOOST_TEST_REQUIRE(first.size() == 3U);
        BOOST_TEST((first[0].id < first[1].id && first[1].id < first[2].id));
        query.after_id = first[1].id.value;
        const auto rest = world.store->deliveries(query).value();
        BOOST_TEST_REQUIRE(rest.size() == 2U);
        BOOST_TEST((rest[0].id == first[2].id && rest[1].id > first[2].id));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(events_are_filtered, Place, Stores) {
    World<Place> world;
    const auto plain = world.accept(world.event_with({})).id.value;
    world.clock.time += 10h;
    auto other = world.event_with({});
    other.event.source = {"other"};
    other.event.channel = "Files";
    other.event.subject = "file:7";
    other.event.state = EventState::Unmapped;
    const auto odd = world.accept(other).id.value;
    const auto ask = [&](auto change) {
        EventQuery query;
        change(query);
        return ids_of(world.store->events(query).value());
    };
    BOOST_TEST((ask([](auto& query) { query.state = EventState::Unmapped; }) == Ids{odd}));
    BOOST_TEST((ask([](auto& query) { query.state = EventState::Mapped; }) == Ids{plain}));
    BOOST_TEST((ask([](auto& query) { query.source = "other"; }) == Ids{odd}));
    BOOST_TEST((ask([](auto& query) { query.channel = "Object"; }) == Ids{plain}));
    BOOST_TEST((ask([](auto& query) { query.subject = "file:7"; }) == Ids{odd}));
    BOOST_TEST((ask([&](auto& query) { query.since = world.clock.time; }) == Ids{odd}));
    BOOST_TEST((ask([&](auto& query) { query.until = world.clock.time; }) == Ids{plain}));
    BOOST_TEST((ask([&](auto& query) { query.since = world.clock.time + 1ms; }) == Ids{}));
    BOOST_TEST((ask([](auto& query) { query.limit = 0; }) == Ids{}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(deliveries_are_filtered_and_paged, Place, Stores) {
    World<Place> world;
    auto first = world.event_with({world.delivery_to("a", "s"), world.delivery_to("b")});
    world.accept(first);
    world.clock.time += 1h;
    const auto second = world.event_with({world.delivery_to("a", "s")});
    world.accept(second);
    const auto a1 = first.deliveries[0].id.value;
    const auto b1 = first.deliveries[1].id.value;
    const auto a2 = second.deliveries[0].id.value;
    world.settle(world.claim("b").claims.at(0), Dead{"no"});
    const auto ask = [&](auto change) {
        DeliveryQuery query;
        change(query);
        return ids_of(world.store->deliveries(query).value());
    };
    BOOST_TEST((ask([](auto&) {}) == Ids{a2, b1, a1}));
    BOOST_TEST((ask([](auto& query) { query.target = "a"; }) == Ids{a2, a1}));
    BOOST_TEST((ask([&](auto& query) { query.event = first.event.id.value; }) == Ids{b1, a1}));
    BOOST_TEST((ask([](auto& query) { query.event = "no-such-event"; }) == Ids{}));
    BOOST_TEST((ask([](auto& query) { query.state = DeliveryState::Pending; }) == Ids{a2, a1}));
    BOOST_TEST((ask([](auto& query) { query.state = DeliveryState::Dead; }) == Ids{b1}));
    BOOST_TEST((ask([](auto& query) { query.state = DeliveryState::Delivered; }) == Ids{}));
    BOOST_TEST((ask([&](auto& query) { query.since = world.clock.time; }) == Ids{a2}));
    BOOST_TEST((ask([&](auto& query) { query.until = world.clock.time; }) == Ids{b1, a1}));
    BOOST_TEST((ask([](auto& query) { query.limit = 1; }) == Ids{a2}));
    BOOST_TEST((ask([&](auto& query) { query.before_id = b1; }) == Ids{a1}));
    const auto row = world.row({a1});
    BOOST_TEST((row.created_at == world.clock.time - 1h));
    BOOST_TEST(row.route == "route");
    BOOST_TEST(row.channel == "Object");
    BOOST_TEST(row.event.value == first.event.id.value);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(counts_follow_every_change, Place, Stores) {
    World<Place> world;
    const auto start = world.clock.time;
    for (int i = 0; i < 4; ++i) {
        world.accept(world.event_to("a", i < 2 ? "subject" : ""));
        world.clock.time += 1s;
    }
    auto claims = world.claim("a", 2).claims;
    world.settle(claims.at(0), RetryAt{world.clock.time + 1h});
    world.settle(claims.at(1), Finished{});
    auto counts = world.store->counts().value().targets.at({"a"});
    BOOST_TEST(counts.pending == 3U);
    BOOST_TEST(counts.delivered == 1U);
    BOOST_TEST((counts.oldest_pending == start));
    world.store->cancel(std::nullopt, claims[0].delivery.id, "stop", world.clock.time).value();
    counts = world.store->counts().value().targets.at({"a"});
    BOOST_TEST(counts.pending == 2U);
    BOOST_TEST(counts.cancelled == 1U);
    BOOST_TEST((counts.oldest_pending == start + 1s));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_followed_job_is_due_until_it_has_ended, Place, Stores) {
    World<Place> world;
    world.accept(world.event_to("a"));
    auto settle = world.end_of(world.claim("a").claims.at(0), Finished{});
    settle.reference = "job-1";
    settle.follow_job = true;
    const auto id = settle.claim.delivery.id;
    BOOST_TEST(!world.store->job_of(id).value().has_value());
    BOOST_TEST(world.store->settle({settle}, world.clock.time).value().front());
    BOOST_TEST(world.row(id).reference == "job-1");
    auto due = world.store->jobs_due(world.clock.time, 10).value();
    BOOST_REQUIRE(due.size() == 1U);
    BOOST_TEST(due[0].job == "job-1");
    BOOST_TEST(due[0].state == "waiting");
    BOOST_TEST(due[0].delivery.value == id.value);
    due[0].state = "running";
    due[0].checks = 1;
    due[0].next_check_at = world.clock.time + 5s;
    BOOST_TEST(world.store->record_job(due[0]).has_value());
    BOOST_TEST(world.store->jobs_due(world.clock.time, 10).value().empty());
    BOOST_TEST((world.store->next_job_check().value() == world.clock.time + 5s));
    due[0].state = "succeeded";
    due[0].result = R"({"ok":true})";
    BOOST_TEST(world.store->record_job(due[0]).has_value());
    BOOST_TEST(!world.store->next_job_check().value().has_value());
    BOOST_TEST(world.store->jobs_due(world.clock.time + 1h, 10).value().empty());
    const auto job = world.store->job_of(id).value();
    BOOST_TEST(job.value().result == R"({"ok":true})");
    BOOST_TEST(job.value().checks == 1);
    due[0].delivery = world.ids.delivery_id();
    BOOST_TEST((world.store->record_job(due[0]).error().kind == Error::Kind::NotFound));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(notes_are_kept_and_replaced, Place, Stores) {
    World<Place> world;
    BOOST_TEST(!world.store->note("cursor").value().has_value());
    BOOST_TEST(world.store->set_note("cursor", "1").has_value());
    BOOST_TEST(world.store->set_note("cursor", std::string("2\0x", 3)).has_value());
    BOOST_TEST((world.store->note("cursor").value() == std::string("2\0x", 3)));
    BOOST_TEST(world.store->probe().has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(pruning_takes_what_ended_long_ago_and_nothing_else, Place, Stores) {
    World<Place> world;
    const auto done = world.accept(world.event_with({world.delivery_to("done"), world.delivery_to("done")}, "key")).id;
    const auto dead = world.accept(world.event_to("dead")).id;
    const auto pending = world.accept(world.event_to("pending")).id;
    const auto lonely = world.accept(world.event_with({})).id;
    auto follow = world.end_of(world.claim("done", 1).claims.at(0), Finished{});
    follow.follow_job = true;
    world.store->settle({follow}, world.clock.time).value();
    world.settle(world.claim("done").claims.at(0), Finished{});
    world.settle(world.claim("dead").claims.at(0), Dead{"no"});
    world.clock.time += std::chrono::days{30};
    BOOST_TEST(world.store->prune({}, world.clock.time, 100).value() == 0U);
    world.clock.time += 1ms;
    BOOST_TEST(world.store->prune({}, world.clock.time, 1).value() == 1U);
    BOOST_TEST(world.store->prune({}, world.clock.time, 100).value() == 1U);
    BOOST_TEST(!world.store->event(done));
    BOOST_TEST(!world.store->event(lonely));
    BOOST_TEST(world.store->event(dead).has_value());
    BOOST_TEST(world.store->event(pending).has_value());
    BOOST_TEST(world.store->attempts(follow.claim.delivery.id).value().empty());
    BOOST_TEST(!world.store->job_of(follow.claim.delivery.id).value().has_value());
    const auto counts = world.store->counts().value();
    BOOST_TEST(counts.events == 2U);
    BOOST_TEST(counts.targets.at({"dead"}).dead == 1U);
    world.clock.time += std::chrono::days{60};
    BOOST_TEST(world.store->prune({}, world.clock.time, 100).value() == 1U);
    BOOST_TEST(!world.store->event(dead));
    BOOST_TEST(world.store->event(pending).has_value());
    BOOST_TEST(!world.accept(world.event_with({}, "key")).duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_sequence_is_never_given_twice, Place, Stores) {
    World<Place> world;
    const auto first = world.accept(world.event_with({})).id;
    const auto sequence = world.store->event(first).value().sequence;
    world.clock.time += std::chrono::days{31};
    BOOST_TEST(world.store->prune({}, world.clock.time, 100).value() == 1U);
    const auto second = world.accept(world.event_with({})).id;
    BOOST_TEST(world.store->event(second).value().sequence > sequence);
}

BOOST_AUTO_TEST_SUITE_END()
