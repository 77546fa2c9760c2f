#include <boost/mpl/list.hpp>

#include "tests/conformance/store_world.h"

// Deliveries that a newer one supersedes, and those that are over when they are stored.
using namespace orbridge;
using namespace orbridge::testing;
using namespace std::chrono_literals;
using Stores = boost::mpl::list<InMemory, InSqlite>;

namespace {

template <class Place>
struct Latest : World<Place> {
    NewEvent next() {
        auto delivery = this->delivery_to("a", "x");
        delivery.latest_only = true;
        return this->event_with({delivery});
    }
    /// The delivery of a new event about the same thing.
    DeliveryId accept_next() {
        const auto event = next();
        this->accept(event);
        return event.deliveries[0].id;
    }
    std::string state(const DeliveryId& id) { return to_text(this->row(id).state); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(store_coalesce)

BOOST_AUTO_TEST_CASE_TEMPLATE(a_newer_one_ends_all_that_wait_and_says_so, Place, Stores) {
    Latest<Place> world;
    const auto first = world.accept_next();
    const auto second = world.accept_next();
    const auto event = world.next();
    world.accept(event);
    for (const auto& id : {first, second}) BOOST_TEST(world.state(id) == "cancelled");
    BOOST_TEST(world.row(second).reason == "superseded by " + event.event.id.value);
    BOOST_TEST(world.row(second).ended_at.has_value());
    BOOST_TEST(world.claimed_ids("a") == std::vector<std::string>{event.deliveries[0].id.value},
               boost::test_tools::per_element());
    const auto counts = world.store->counts().value().targets.at({"a"});
    BOOST_TEST(counts.cancelled == 2U);
    BOOST_TEST(counts.pending == 1U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_in_somebodys_hands_is_left_alone_and_the_latest_waits_for_it, Place, Stores) {
    Latest<Place> world;
    const auto first = world.accept_next();
    const auto claim = world.claim("a").claims.at(0);
    const auto second = world.accept_next();
    const auto third = world.accept_next();
    BOOST_TEST(world.state(first) == "pending");
    BOOST_TEST(world.state(second) == "cancelled");
    BOOST_TEST(world.claim("a").claims.empty());
    BOOST_TEST(world.settle(claim, Finished{}));
    BOOST_TEST(world.state(first) == "delivered");
    BOOST_TEST(world.claimed_ids("a") == std::vector<std::string>{third.value}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(one_that_waits_for_a_retry_is_superseded_too, Place, Stores) {
    Latest<Place> world;
    const auto first = world.accept_next();
    world.settle(world.claim("a").claims.at(0), RetryAt{world.clock.time + 1h});
    const auto second = world.accept_next();
    BOOST_TEST(world.state(first) == "cancelled");
    BOOST_TEST(world.row(first).attempts_made == 1);
    BOOST_TEST(world.claimed_ids("a") == std::vector<std::string>{second.value}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(one_whose_attempt_failed_while_a_newer_one_waits_is_over, Place, Stores) {
    Latest<Place> world;
    const auto first = world.accept_next();
    const auto claim = world.claim("a").claims.at(0);
    const auto second = world.next();
    world.accept(second);
    auto settle = world.end_of(claim, RetryAt{world.clock.time + 1h});
    settle.gives_way = true;
    BOOST_TEST((world.store->settle({settle}, world.clock.time).value() == std::vector<bool>{true}));
    BOOST_TEST(world.state(first) == "cancelled");
    BOOST_TEST(world.row(first).reason == "superseded by " + second.event.id.value);
    BOOST_TEST(world.row(first).attempts_made == 1);
    BOOST_TEST(world.store->attempts(first).value().size() == 1U);
    BOOST_TEST(world.store->counts().value().targets.at({"a"}).cancelled == 1U);
    BOOST_TEST(world.store->pending_for({"a"}) == 1U);
    BOOST_TEST(world.claimed_ids("a") == std::vector<std::string>{second.deliveries[0].id.value},
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(one_whose_attempt_failed_is_tried_again_if_nothing_newer_waits, Place, Stores) {
    Latest<Place> world;
    const auto only = world.accept_next();
    auto settle = world.end_of(world.claim("a").claims.at(0), RetryAt{world.clock.time});
    settle.gives_way = true;
    BOOST_TEST((world.store->settle({settle}, world.clock.time).value() == std::vector<bool>{true}));
    BOOST_TEST(world.claimed_ids("a") == std::vector<std::string>{only.value}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_old_state_that_is_replayed_while_a_newer_one_is_open_is_over, Place, Stores) {
    Latest<Place> world;
    const auto old = world.next();
    world.accept(old);
    world.settle(world.claim("a").claims.at(0), Dead{"x"});
    const auto newer = world.next();
    world.accept(newer);
    auto again = world.delivery_to("a", "x");
    again.latest_only = again.replayed = true;
    BOOST_TEST(world.store->add_deliveries(old.event.id, {again}).has_value());
    BOOST_TEST(world.state(again.id) == "cancelled");
    BOOST_TEST(world.row(again.id).reason == "superseded by " + newer.event.id.value);
    BOOST_TEST(world.claimed_ids("a") == std::vector<std::string>{newer.deliveries[0].id.value},
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(of_several_states_that_are_replayed_the_newest_is_left, Place, Stores) {
    Latest<Place> world;
    std::vector<NewEvent> states(3, world.next());
    std::vector<DeliveryId> replayed;
    for (auto& state : states) {
        state = world.next();
        world.accept(state);
        world.settle(world.claim("a").claims.at(0), Dead{"x"});
    }
    for (const auto& state : states) {
        auto again = world.delivery_to("a", "x");
        again.latest_only = again.replayed = true;
        BOOST_TEST(world.store->add_deliveries(state.event.id, {again}).has_value());
        replayed.push_back(again.id);
    }
    BOOST_TEST(world.state(replayed[0]) == "cancelled");
    BOOST_TEST(world.state(replayed[1]) == "cancelled");
    BOOST_TEST(world.claimed_ids("a") == std::vector<std::string>{replayed[2].value}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_mapped_late_does_not_end_what_is_newer, Place, Stores) {
    Latest<Place> world;
    auto unmapped = world.event_with({});
    unmapped.event.state = EventState::Unmapped;
    world.accept(unmapped);
    const auto newer = world.accept_next();
    const auto mapped = world.next();
    BOOST_TEST(world.store->remap(unmapped.event.id, mapped).has_value());
    BOOST_TEST(world.state(mapped.deliveries[0].id) == "cancelled");
    BOOST_TEST(world.claimed_ids("a") == std::vector<std::string>{newer.value}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(other_subjects_and_targets_are_left_alone, Place, Stores) {
    Latest<Place> world;
    const auto event =
        world.event_with({world.delivery_to("a", "y"), world.delivery_to("b", "x"), world.delivery_to("a")});
    world.accept(event);
    world.accept_next();
    for (const auto& delivery : event.deliveries) BOOST_TEST(world.state(delivery.id) == "pending");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_duplicate_supersedes_nothing, Place, Stores) {
    Latest<Place> world;
    auto event = world.next();
    event.dedup_key = "same";
    world.accept(event);
    auto again = world.next();
    again.dedup_key = "same";
    BOOST_TEST(world.accept(again).duplicate);
    BOOST_TEST(world.state(event.deliveries[0].id) == "pending");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(one_that_is_cut_is_kept_with_its_reason_and_never_handed_out, Place, Stores) {
    Latest<Place> world;
    const auto before = world.accept_next();
    auto event = world.next();
    event.deliveries[0].cut = "loop";
    world.accept(event);
    const auto row = world.row(event.deliveries[0].id);
    BOOST_TEST(to_text(row.state) == std::string("cancelled"));
    BOOST_TEST(row.reason == "loop");
    BOOST_TEST(row.ended_at.has_value());
    BOOST_TEST(world.claimed_ids("a") == std::vector<std::string>{before.value}, boost::test_tools::per_element());
    BOOST_TEST(world.store->counts().value().targets.at({"a"}).cancelled == 1U);
}

BOOST_AUTO_TEST_CASE(it_holds_over_a_restart) {
    Latest<InSqlite> world;
    const auto first = world.accept_next();
    world.claim("a");
    world.store.reset();
    world.store = world.place.open(world.clock);
    const auto second = world.accept_next();
    BOOST_TEST(world.state(first) == "cancelled");
    BOOST_TEST(world.claimed_ids("a") == std::vector<std::string>{second.value}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
