#include <algorithm>
#include <atomic>
#include <boost/mpl/list.hpp>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "tests/conformance/store_world.h"

// What store.h promises, checked against every implementation.
using namespace orbridge;
using namespace orbridge::testing;
using namespace std::chrono_literals;
using Stores = boost::mpl::list<InMemory, InSqlite>;
using Ids = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(store_accept)

BOOST_AUTO_TEST_CASE_TEMPLATE(an_event_comes_back_as_it_was_stored, Place, Stores) {
    World<Place> world;
    auto event = world.event_to("a");
    event.event.payload = std::string("{\"x\":\"\0é\"}", 11) + std::string(1 << 20, 'z');
    const auto accepted = world.accept(event);
    BOOST_TEST(!accepted.duplicate);
    const auto stored = world.store->event(accepted.id);
    BOOST_REQUIRE(stored.has_value());
    BOOST_TEST((stored->payload == event.event.payload));
    BOOST_TEST(stored->sequence == 1U);
    BOOST_TEST(stored->subject == "object:1");
    BOOST_TEST((stored->intake == Intake::Webhooks));
    BOOST_TEST((stored->received_at == world.clock.time));
    BOOST_TEST((world.store->event({"00000000-0000-7000-8000-000000000000"}).error().kind == Error::Kind::NotFound));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_empty_payload_and_empty_names_are_stored, Place, Stores) {
    World<Place> world;
    auto event = world.event_with({});
    event.event.payload = event.event.subject = event.event.event_class = "";
    const auto id = world.accept(event).id;
    BOOST_TEST(world.store->event(id).value().payload.empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_accepted_later_is_told_once_and_is_as_if_it_was_accepted_at_once, Place, Stores) {
    constexpr std::size_t kThreads = 4;
    constexpr std::size_t kEach = 50;
    World<Place> world;
    std::vector<Arrival> arrivals(kThreads * kEach);
    for (std::size_t i = 0; i < arrivals.size(); ++i)
        arrivals[i].events = {world.event_with({world.delivery_to("t")}, std::to_string(i % kEach))};
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<int> told(arrivals.size());
    std::vector<Accepted> accepted;
    {
        std::vector<std::jthread> threads;
        for (std::size_t t = 0; t < kThreads; ++t)
            threads.emplace_back([&, t] {
                for (std::size_t i = t; i < arrivals.size(); i += kThreads)
                    world.store->accept_later(arrivals[i], [&, i](const Result<std::vector<Accepted>>& result) {
                        const std::lock_guard lock(mutex);
                        ++told[i];
                        if (result && result->size() == 1) accepted.push_back(result->front());
                        changed.notify_one();
                    });
            });
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return accepted.size() == arrivals.size(); });
    BOOST_TEST(std::all_of(told.begin(), told.end(), [](int times) { return times == 1; }));
    const auto fresh =
        std::count_if(accepted.begin(), accepted.end(), [](const auto& each) { return !each.duplicate; });
    BOOST_TEST(fresh == static_cast<std::ptrdiff_t>(kEach));
    EventQuery all;
    all.limit = 1000;
    BOOST_TEST(world.store->events(all).value().size() == kEach);
    Arrival bad;
    bad.events = {world.event_with({})};
    bad.events.front().event.id = {"no uuid"};
    world.store->accept_later(bad, [&](const Result<std::vector<Accepted>>& result) {
        BOOST_TEST((!result && result.error().kind == Error::Kind::Invalid));
    });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(only_a_known_event_is_taken_when_nothing_new_may_be_stored, Place, Stores) {
    World<Place> world;
    const auto first = world.accept(world.event_with({world.delivery_to("a")}, "key"));
    const auto ask = [&](const NewEvent& event) { return world.store->accept(Arrival{{event}, {}, true}); };
    const auto again = ask(world.event_with({world.delivery_to("a")}, "key"));
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST(again->front().duplicate);
    BOOST_TEST(again->front().id.value == first.id.value);
    for (const auto& fresh : {world.event_with({}, "other"), world.event_to("a")})
        BOOST_TEST((ask(fresh).error().kind == Error::Kind::Unavailable));
    BOOST_TEST(world.store->counts().value().events == 1U);
    BOOST_TEST(world.store->pending() == 1U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_pending_is_known_without_counting, Place, Stores) {
    World<Place> world;
    world.accept(world.event_with({world.delivery_to("a", "k"), world.delivery_to("b")}));
    world.accept(world.event_to("a", "k"));
    BOOST_TEST(world.store->pending() == 3U);
    const auto claims = world.claim("a").claims;
    world.settle(claims.at(0), RetryAt{world.clock.time});
    BOOST_TEST(world.store->pending() == 3U);
    world.settle(world.claim("a").claims.at(0), Finished{});
    world.settle(world.claim("b").claims.at(0), Dead{"no"});
    BOOST_TEST(world.store->pending() == 1U);
    BOOST_TEST(world.store->space().has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_event_is_stored_with_all_its_deliveries_or_not_at_all, Place, Stores) {
    World<Place> world;
    const auto taken = world.delivery_to("a");
    world.accept(world.event_with({taken}));
    const auto bad = world.event_with({world.delivery_to("a"), taken}, "key");
    BOOST_TEST((world.store->accept(bad).error().kind == Error::Kind::Unavailable));
    BOOST_TEST(!world.store->event(bad.event.id));
    BOOST_TEST(!world.store->delivery(bad.deliveries.front().id));
    BOOST_TEST(world.store->counts().value().targets.at({"a"}).pending == 1U);
    auto nameless = world.event_to("a");
    nameless.event.id = {"not-a-uuid"};
    BOOST_TEST((world.store->accept(nameless).error().kind == Error::Kind::Invalid));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_unmapped_event_can_be_mapped_once, Place, Stores) {
    World<Place> world;
    auto raw = world.event_with({}, "raw");
    raw.event.state = EventState::Unmapped;
    const auto id = world.accept(raw).id;
    BOOST_TEST(world.store->counts().value().unmapped == 1U);
    auto mapped = world.event_with({world.delivery_to("a")}, "cooked");
    mapped.event.channel = "Mapped";
    BOOST_TEST(world.store->remap(id, mapped).has_value());
    const auto event = world.store->event(id).value();
    BOOST_TEST(event.channel == "Mapped");
    BOOST_TEST((event.state == EventState::Mapped));
    BOOST_TEST(event.sequence == 1U);
    BOOST_TEST(world.store->counts().value().unmapped == 0U);
    BOOST_TEST(world.claim("a").claims.front().delivery.event.id.value == id.value);
    BOOST_TEST((world.store->remap(id, mapped).error().kind == Error::Kind::Conflict));
    BOOST_TEST((world.store->remap(world.ids.event_id(), mapped).error().kind == Error::Kind::NotFound));
    BOOST_TEST(world.accept(world.event_with({}, "cooked")).duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_came_together_is_stored_together_or_not_at_all, Place, Stores) {
    World<Place> world;
    const auto taken = world.delivery_to("a");
    world.accept(world.event_with({taken}, "old"));
    const auto good = world.event_with({world.delivery_to("a")}, "one");
    const auto bad = world.event_with({taken}, "two");
    BOOST_TEST((world.store->accept(Arrival{{good, bad}}).error().kind == Error::Kind::Unavailable));
    BOOST_TEST(world.store->counts().value().events == 1U);
    BOOST_TEST(!world.store->event(good.event.id));
    BOOST_TEST(world.store->pending() == 1U);

    const auto again = world.event_with({}, "old");
    const auto both = world.store->accept(Arrival{{good, again, world.event_with({}, "one")}});
    BOOST_REQUIRE(both.has_value());
    BOOST_TEST(!(*both)[0].duplicate);
    BOOST_TEST((*both)[1].duplicate);
    BOOST_TEST((*both)[2].duplicate);
    BOOST_TEST((*both)[2].id.value == good.event.id.value);
    BOOST_TEST(world.store->counts().value().events == 2U);
    BOOST_TEST(world.store->accept(Arrival{}).value().empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(nothing_of_a_batch_is_new_when_only_known_events_are_taken, Place, Stores) {
    World<Place> world;
    world.accept(world.event_with({}, "old"));
    const std::vector<NewEvent> batch = {world.event_with({}, "old"), world.event_with({}, "new")};
    BOOST_TEST((world.store->accept(Arrival{batch, "r", true}).error().kind == Error::Kind::Unavailable));
    BOOST_TEST(world.store->counts().value().events == 1U);
    // The name of what was refused is not taken: the sender may try again.
    BOOST_TEST(!world.store->accept(Arrival{batch, "r"}).value()[1].duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(P4_a_repeated_request_stores_nothing_even_after_a_restart, Place, Stores) {
    World<Place> world;
    const auto first = world.store->accept(Arrival{{world.event_with({}, "a"), world.event_with({}, "b")}, "msg_1"});
    BOOST_REQUIRE(first.has_value());
    world.restart();
    const auto again = world.store->accept(Arrival{{world.event_to("a"), world.event_with({}, "c")}, "msg_1"});
    BOOST_REQUIRE(again.has_value());
    for (const auto& each : *again) {
        BOOST_TEST(each.duplicate);
        BOOST_TEST(each.id.value == first->front().id.value);
    }
    BOOST_TEST(world.store->counts().value().events == 2U);
    auto elsewhere = world.event_to("a");
    elsewhere.event.source = {"another"};
    BOOST_TEST(!world.store->accept(Arrival{{elsewhere}, "msg_1"}).value().front().duplicate);
    BOOST_TEST(!world.store->accept(Arrival{{world.event_with({}, "request\nmsg_1")}}).value().front().duplicate);
    BOOST_TEST(!world.store->accept(Arrival{{world.event_to("a")}, "msg_2"}).value().front().duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(P4_a_request_whose_event_was_known_already_has_a_name_too, Place, Stores) {
    World<Place> world;
    const auto first = world.accept(world.event_with({}, "same"));
    BOOST_TEST(world.store->accept(Arrival{{world.event_with({}, "same")}, "msg"}).value().front().duplicate);
    const auto other = world.store->accept(Arrival{{world.event_with({}, "other")}, "msg"}).value().front();
    BOOST_TEST(other.duplicate);
    BOOST_TEST(other.id.value == first.id.value);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(P4_a_requests_name_goes_with_its_event, Place, Stores) {
    World<Place> world;
    BOOST_REQUIRE(world.store->accept(Arrival{{world.event_with({})}, "msg"}).has_value());
    world.clock.time += std::chrono::days{31};
    BOOST_TEST(world.store->prune({}, world.clock.time, 10).value() == 1U);
    BOOST_TEST(!world.store->accept(Arrival{{world.event_with({})}, "msg"}).value().front().duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_unmapped_event_keeps_headers_until_it_is_mapped, Place, Stores) {
    World<Place> world;
    auto raw = world.event_with({}, "raw");
    raw.event.state = EventState::Unmapped;
    raw.headers = {{"X-GitHub-Event", "issues"}, {"X-Odd", "a: b"}};
    const auto id = world.accept(raw).id;
    world.restart();
    BOOST_TEST((world.store->kept_headers(id).value() == raw.headers));
    auto mapped = world.event_with({}, "cooked");
    mapped.headers = raw.headers;
    const auto known = world.accept(mapped).id;
    BOOST_TEST(world.store->kept_headers(known).value().empty());
    BOOST_TEST(world.store->remap(id, world.event_with({}, "other")).has_value());
    BOOST_TEST(world.store->kept_headers(id).value().empty());
    BOOST_TEST(world.store->kept_headers(world.ids.event_id()).value().empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_unmapped_batch_becomes_its_events, Place, Stores) {
    World<Place> world;
    const auto old = world.accept(world.event_with({}, "old"));
    auto raw = world.event_with({}, "raw");
    raw.event.state = EventState::Unmapped;
    const auto id = world.accept(raw).id;
    const auto second = world.event_with({world.delivery_to("a")}, "second");
    BOOST_TEST(world.store
                   ->remap(id, {world.event_with({}, "old"), world.event_with({world.delivery_to("a")}, "first"),
                                second, world.event_with({}, "old"), world.event_with({}, "first")})
                   .has_value());
    BOOST_TEST((world.store->event(id).value().state == EventState::Mapped));
    BOOST_TEST(world.accept(world.event_with({}, "first")).id.value == id.value);
    BOOST_TEST(world.accept(world.event_with({}, "second")).id.value == second.event.id.value);
    const auto counts = world.store->counts().value();
    BOOST_TEST(counts.events == 3U);
    BOOST_TEST(counts.unmapped == 0U);
    BOOST_TEST(counts.targets.at({"a"}).pending == 2U);
    BOOST_TEST((world.store->remap(old.id, std::vector<NewEvent>{}).error().kind == Error::Kind::Conflict));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_mapped_to_an_event_that_exists_stays_unmapped, Place, Stores) {
    World<Place> world;
    world.accept(world.event_with({}, "cooked"));
    auto raw = world.event_with({}, "raw");
    raw.event.state = EventState::Unmapped;
    const auto id = world.accept(raw).id;
    const auto mapped = world.event_with({world.delivery_to("a")}, "cooked");
    BOOST_TEST((world.store->remap(id, mapped).error().kind == Error::Kind::Conflict));
    BOOST_TEST(world.claim("a").claims.empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(intakes_are_heard_also_through_duplicates, Place, Stores) {
    World<Place> world;
    world.accept(world.event_with({}, "key"));
    world.clock.time += 5s;
    world.accept(world.event_with({}, "key"));
    const auto heard = world.store->intakes_heard().value();
    BOOST_REQUIRE(heard.size() == 1U);
    BOOST_TEST(heard[0].count == 2U);
    BOOST_TEST((heard[0].last_at == world.clock.time));
    BOOST_TEST((heard[0].intake == Intake::Webhooks));
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE(store_deliver)

BOOST_AUTO_TEST_CASE_TEMPLATE(a_delivery_is_handed_to_one_holder_at_a_time, Place, Stores) {
    World<Place> world;
    for (int i = 0; i < 400; ++i) world.accept(world.event_to("a"));
    std::mutex mutex;
    std::multiset<std::string> handed_out;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&] {
            while (true) {
                const auto batch = world.store->claim({"a"}, world.clock.time, kHold, 7).value();
                if (batch.claims.empty()) return;
                std::vector<Settle> settles;
                for (const auto& claim : batch.claims) settles.push_back(world.end_of(claim, Finished{}));
                const auto recorded = world.store->settle(settles, world.clock.time).value();
                const std::lock_guard lock(mutex);
                for (const auto& claim : batch.claims) handed_out.insert(claim.delivery.id.value);
                BOOST_TEST(std::count(recorded.begin(), recorded.end(), false) == 0);
            }
        });
    for (auto& thread : threads) thread.join();
    BOOST_TEST(handed_out.size() == 400U);
    BOOST_TEST((std::set(handed_out.begin(), handed_out.end()).size() == 400U));
    BOOST_TEST(world.store->counts().value().targets.at({"a"}).delivered == 400U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_hold_that_ran_out_is_handed_out_again_and_lost_to_its_first_holder, Place, Stores) {
    World<Place> world;
    world.accept(world.event_to("a"));
    const auto first = world.claim("a").claims.at(0);
    BOOST_TEST((first.until == world.clock.time + kHold));
    BOOST_TEST(world.claim("a").claims.empty());
    BOOST_TEST((world.claim("a").next_due == first.until));
    world.clock.time += kHold;
    BOOST_TEST(!world.settle(first, Finished{}));
    const auto second = world.claim("a").claims.at(0);
    BOOST_TEST(second.token != first.token);
    BOOST_TEST(!world.settle(first, Dead{"no"}));
    BOOST_TEST(world.store->attempts(first.delivery.id).value().empty());
    BOOST_TEST(world.settle(second, Finished{}));
    BOOST_TEST(!world.settle(second, Finished{}));
    BOOST_TEST((world.row(first.delivery.id).state == DeliveryState::Delivered));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(one_lost_claim_does_not_spoil_its_neighbours, Place, Stores) {
    World<Place> world;
    world.accept(world.event_to("a"));
    world.accept(world.event_to("a"));
    const auto claims = world.claim("a").claims;
    BOOST_TEST(world.settle(claims.at(0), Finished{}));
    const auto recorded = world.store->settle(
        {world.end_of(claims[0], Dead{"x"}), world.end_of(claims[1], Finished{}), world.end_of(claims[1], Finished{})},
        world.clock.time);
    BOOST_TEST((recorded.value() == std::vector<bool>{false, true, false}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(released_claims_are_handed_out_again_untouched, Place, Stores) {
    World<Place> world;
    world.accept(world.event_to("a"));
    const auto claims = world.claim("a").claims;
    BOOST_TEST(world.row(claims.at(0).delivery.id).in_flight);
    world.store->release(claims);
    BOOST_TEST(!world.row(claims.at(0).delivery.id).in_flight);
    BOOST_TEST(!world.settle(claims.at(0), Finished{}));
    BOOST_TEST(world.claim("a").claims.at(0).delivery.attempts_made == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_oldest_due_goes_first_and_nothing_before_it_is_due, Place, Stores) {
    World<Place> world;
    auto later = world.delivery_to("a");
    auto sooner = world.delivery_to("a");
    auto future = world.delivery_to("a");
    later.due_at += 2s;
    sooner.due_at += 1s;
    future.due_at += 1h;
    world.accept(world.event_with({later, sooner, future}));
    BOOST_TEST(world.claim("a").claims.empty());
    BOOST_TEST((world.claim("a").next_due == sooner.due_at));
    world.clock.time += 2s;
    BOOST_TEST((world.claimed_ids("a") == Ids{sooner.id.value, later.id.value}));
    BOOST_TEST(!world.claim("b").next_due.has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_free_again_behind_many_that_are_held_is_handed_out, Place, Stores) {
    World<Place> world;
    for (int i = 0; i < 120; ++i) world.accept(world.event_to("a"));
    const auto held = world.claim("a", 30).claims;
    std::set<std::string> seen;
    const auto take = [&](int limit) {
        const auto claims = world.claim("a", limit).claims;
        for (const auto& claim : claims) BOOST_TEST(seen.insert(claim.delivery.id.value).second);
        return claims.size();
    };
    BOOST_TEST(take(2) == 2U);
    auto older = world.delivery_to("a");
    older.due_at -= 1h;
    world.accept(world.event_with({older}));
    world.store->release(held);
    for (int i = 0; i < 50; ++i) BOOST_TEST(take(1) == 1U);
    BOOST_TEST(seen.contains(older.id.value));  // while there are others: it does not wait for them all
    while (take(7) > 0) {
    }
    BOOST_TEST(seen.size() == 121U);
    BOOST_TEST(!world.claim("a").claims.size());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_batch_cut_by_its_limit_says_that_more_is_due, Place, Stores) {
    World<Place> world;
    for (int i = 0; i < 5; ++i) world.accept(world.event_to("a"));
    const auto batch = world.claim("a", 3);
    BOOST_TEST(batch.claims.size() == 3U);
    BOOST_TEST((batch.next_due <= world.clock.time));
    BOOST_TEST(world.claim("a", 3).claims.size() == 2U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_retry_waits_and_keeps_its_history, Place, Stores) {
    World<Place> world;
    world.accept(world.event_to("a"));
    const auto claim = world.claim("a").claims.at(0);
    auto retry = world.end_of(claim, RetryAt{world.clock.time + 5s});
    retry.unclear = true;
    retry.attempt.outcome = "retry";
    retry.attempt.answer = std::string(30'000, 'x');
    BOOST_TEST(world.store->settle({retry}, world.clock.time).value().front());
    auto row = world.row(claim.delivery.id);
    BOOST_TEST((row.state == DeliveryState::Pending));
    BOOST_TEST((row.due_at == world.clock.time + 5s));
    BOOST_TEST(row.reason == "why");
    BOOST_TEST(world.claim("a").claims.empty());
    world.clock.time += 5s;
    const auto again = world.claim("a").claims.at(0);
    BOOST_TEST(again.delivery.attempts_made == 1);
    BOOST_TEST(again.delivery.unclear);
    BOOST_TEST(world.settle(again, Dead{"gave up"}));
    row = world.row(claim.delivery.id);
    BOOST_TEST((row.state == DeliveryState::Dead));
    BOOST_TEST(row.reason == "gave up");
    BOOST_TEST((row.ended_at == world.clock.time));
    const auto attempts = world.store->attempts(claim.delivery.id).value();
    BOOST_REQUIRE(attempts.size() == 2U);
    BOOST_TEST(attempts[0].number == 1);
    BOOST_TEST(attempts[0].answer.size() == 20'000U);
    BOOST_TEST(attempts[1].number == 2);
    BOOST_TEST(attempts[1].status == 200);
    BOOST_TEST((attempts[1].duration == 12ms));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(one_order_key_goes_out_one_after_another, Place, Stores) {
    World<Place> world;
    Ids expected;
    for (int i = 0; i < 3; ++i) {
        const auto event = world.event_to("a", "subject");
        expected.push_back(event.deliveries[0].id.value);
        world.accept(event);
    }
    const auto free = world.event_to("a");
    const auto elsewhere = world.event_to("b", "subject");
    world.accept(free);
    world.accept(elsewhere);
    BOOST_TEST(world.row({expected[1]}).waiting_for_order);
    const auto first = world.claim("a").claims;
    BOOST_REQUIRE(first.size() == 2U);
    BOOST_TEST(first[0].delivery.id.value == expected[0]);
    BOOST_TEST(first[1].delivery.id.value == free.deliveries[0].id.value);
    BOOST_TEST((world.claimed_ids("b") == Ids{elsewhere.deliveries[0].id.value}));
    // A retry keeps its place.
    BOOST_TEST(world.settle(first[1], Finished{}));
    BOOST_TEST(world.settle(first[0], RetryAt{world.clock.time + 1min}));
    BOOST_TEST(world.claim("a").claims.empty());
    world.clock.time += 1min;
    BOOST_TEST(world.settle(world.claim("a", 1).claims.at(0), Dead{"no"}));
    const auto second = world.claim("a", 1).claims.at(0);
    BOOST_TEST(second.delivery.id.value == expected[1]);
    BOOST_TEST(!world.row({expected[1]}).waiting_for_order);
    BOOST_TEST(world.store->cancel(std::nullopt, DeliveryId{expected[1]}, "stop", world.clock.time).value() == 1U);
    BOOST_TEST(!world.settle(second, Finished{}));
    BOOST_TEST(world.claim("a", 1).claims.at(0).delivery.id.value == expected[2]);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cancelling_one_that_waits_frees_nobody, Place, Stores) {
    World<Place> world;
    Ids made;
    for (int i = 0; i < 3; ++i) {
        const auto event = world.event_to("a", "subject");
        made.push_back(event.deliveries[0].id.value);
        world.accept(event);
    }
    world.store->cancel(std::nullopt, DeliveryId{made[1]}, "stop", world.clock.time).value();
    const auto head = world.claim("a").claims;
    BOOST_REQUIRE(head.size() == 1U);
    BOOST_TEST(head[0].delivery.id.value == made[0]);
    world.settle(head[0], Finished{});
    BOOST_TEST((world.claimed_ids("a") == Ids{made[2]}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_replay_waits_its_turn_and_goes_before_younger_events, Place, Stores) {
    World<Place> world;
    const auto first = world.event_to("a", "subject");
    world.accept(first);
    world.settle(world.claim("a").claims.at(0), Dead{"no"});
    const auto second = world.event_to("a", "subject");
    const auto third = world.event_to("a", "subject");
    world.accept(second);
    world.accept(third);
    auto replay = world.delivery_to("a", "subject");
    replay.replayed = true;
    BOOST_TEST(world.store->add_deliveries(first.event.id, {replay}).has_value());
    BOOST_TEST((world.store->add_deliveries(world.ids.event_id(), {}).error().kind == Error::Kind::NotFound));
    Ids order;
    for (int i = 0; i < 3; ++i) {
        const auto claims = world.claim("a").claims;
        BOOST_REQUIRE(claims.size() == 1U);
        order.push_back(claims[0].delivery.id.value);
        BOOST_TEST(claims[0].delivery.replayed == (i == 1));
        world.settle(claims[0], Finished{});
    }
    BOOST_TEST((order == Ids{second.deliveries[0].id.value, replay.id.value, third.deliveries[0].id.value}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cancelling_a_target_ends_what_is_claimable_held_and_waiting, Place, Stores) {
    World<Place> world;
    for (int i = 0; i < 3; ++i) world.accept(world.event_to("gone", "subject"));
    for (int i = 0; i < 3; ++i) world.accept(world.event_to("gone"));
    world.accept(world.event_to("stays"));
    const auto held = world.claim("gone", 2).claims;
    BOOST_TEST(world.store->cancel(TargetId{"gone"}, std::nullopt, "no such target", world.clock.time).value() == 6U);
    BOOST_TEST(!world.settle(held.at(0), Finished{}));
    BOOST_TEST(world.claim("gone").claims.empty());
    BOOST_TEST(world.claim("stays").claims.size() == 1U);
    const auto counts = world.store->counts().value();
    BOOST_TEST(counts.targets.at({"gone"}).cancelled == 6U);
    BOOST_TEST(counts.targets.at({"gone"}).pending == 0U);
    BOOST_TEST(world.row(held.at(0).delivery.id).reason == "no such target");
    BOOST_TEST(world.store->cancel(TargetId{"gone"}, std::nullopt, "again", world.clock.time).value() == 0U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(pending_targets_are_listed_with_their_first_due_time, Place, Stores) {
    World<Place> world;
    auto later = world.delivery_to("b");
    later.due_at += 1h;
    world.accept(world.event_with({world.delivery_to("a"), later, world.delivery_to("done")}));
    world.settle(world.claim("done").claims.at(0), Finished{});
    const auto targets = world.store->pending_targets().value();
    const std::vector<std::pair<TargetId, TimePoint>> expected{{{"a"}, world.clock.time}, {{"b"}, later.due_at}};
    BOOST_TEST((targets == expected));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(store_clock_steps)

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_due_waits_at_most_as_long_as_the_clock_is_set_back, Place, Stores) {
    World<Place> world;
    const auto before = world.event_to("a", "subject");
    world.accept(before);
    world.clock.time -= 1h;
    const auto after = world.event_to("a", "other");
    world.accept(after);
    BOOST_TEST((before.event.id < after.event.id));
    BOOST_TEST((before.deliveries[0].id < after.deliveries[0].id));
    const auto claims = world.claim("a").claims;
    BOOST_REQUIRE(claims.size() == 1U);
    BOOST_TEST(claims[0].delivery.id.value == after.deliveries[0].id.value);
    world.settle(claims[0], Finished{});
    const auto next = world.claim("a").next_due;
    BOOST_REQUIRE(next.has_value());
    BOOST_TEST((*next <= world.clock.time + 1h));
    world.clock.time += 1h;
    BOOST_TEST(world.claimed_ids("a") == Ids{before.deliveries[0].id.value});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_clock_set_forward_takes_no_fresh_event_and_nothing_that_waits, Place, Stores) {
    World<Place> world;
    const auto fresh = world.accept(world.event_to("a")).id;
    const auto waiting = world.accept(world.event_to("b")).id;
    world.settle(world.claim("a").claims.at(0), Finished{});
    world.clock.time += 1h;
    BOOST_TEST(world.store->prune({}, world.clock.time, 10).value() == 0U);
    world.clock.time += std::chrono::days{400};
    BOOST_TEST(world.store->prune({}, world.clock.time, 10).value() == 1U);
    BOOST_TEST(!world.store->event(fresh).has_value());
    BOOST_TEST(world.store->event(waiting).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(pruning_in_batches_passes_over_what_is_kept_and_misses_nothing, Place, Stores) {
    World<Place> world;
    for (int i = 0; i < 30; ++i) world.accept(world.event_to(i % 3 == 0 ? "kept" : "gone"));
    while (true) {
        const auto claims = world.claim("gone").claims;
        if (claims.empty()) break;
        for (const auto& claim : claims) world.settle(claim, Finished{});
    }
    world.clock.time += std::chrono::days{40};
    std::vector<std::uint64_t> batches;
    do {
        batches.push_back(world.store->prune({}, world.clock.time, 8).value());
    } while (batches.back() == 8U);
    BOOST_TEST(batches == (std::vector<std::uint64_t>{8, 8, 4}));
    world.settle(world.claim("kept", 1).claims.at(0), Finished{});
    world.clock.time += std::chrono::days{40};
    BOOST_TEST(world.store->prune({}, world.clock.time, 8).value() == 1U);
    BOOST_TEST(world.store->counts().value().events == 9U);
}

BOOST_AUTO_TEST_SUITE_END()
