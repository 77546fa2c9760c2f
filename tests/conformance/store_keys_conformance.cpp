// What every store promises about the same input twice: dedup keys and twins.
#include <boost/mpl/list.hpp>

#include "tests/conformance/store_world.h"

namespace orbridge::testing {
namespace {

using namespace std::chrono_literals;
using Stores = boost::mpl::list<InMemory, InSqlite>;

NewEvent twin(Maker& maker, Intake intake, const std::string& dedup_key) {
    auto event = maker.event_to("a");
    event.event.intake = intake;
    event.dedup_key = dedup_key;
    event.twin_key = "same-change";
    return event;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(store_keys)

BOOST_AUTO_TEST_CASE_TEMPLATE(the_same_dedup_key_of_a_source_is_one_event, Place, Stores) {
    World<Place> world;
    const auto first = world.accept(world.event_with({world.delivery_to("a")}, "key"));
    const auto second = world.accept(world.event_with({world.delivery_to("a")}, "key"));
    BOOST_TEST(second.duplicate);
    BOOST_TEST(second.id.value == first.id.value);
    BOOST_TEST(world.claim("a").claims.size() == 1U);
    auto elsewhere = world.event_with({}, "key");
    elsewhere.event.source = {"other"};
    BOOST_TEST(!world.accept(elsewhere).duplicate);
    BOOST_TEST(world.store->counts().value().events == 2U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_event_without_dedup_key_is_never_a_duplicate_but_of_itself, Place, Stores) {
    World<Place> world;
    const auto event = world.event_to("a");
    BOOST_TEST(!world.accept(event).duplicate);
    BOOST_TEST(!world.accept(world.event_to("a")).duplicate);
    BOOST_TEST(world.accept(event).duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_twin_through_another_intake_is_the_same_event, Place, Stores) {
    World<Place> world;
    const auto first = world.accept(twin(world, Intake::Webhooks, "w1"));
    world.clock.time += 1min;
    const auto second = world.accept(twin(world, Intake::Hooks, "h1"));
    BOOST_TEST(second.duplicate);
    BOOST_TEST(second.id.value == first.id.value);
    // The twin's own request once more is still the same; another change through the same intake is not.
    BOOST_TEST(world.accept(twin(world, Intake::Hooks, "h1")).id.value == first.id.value);
    BOOST_TEST(!world.accept(twin(world, Intake::Webhooks, "w2")).duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(two_equal_changes_find_their_twins_in_order, Place, Stores) {
    World<Place> world;
    const auto first = world.accept(twin(world, Intake::Webhooks, "w1"));
    const auto second = world.accept(twin(world, Intake::Webhooks, "w2"));
    BOOST_TEST(!second.duplicate);
    BOOST_TEST(world.accept(twin(world, Intake::Hooks, "h1")).id.value == first.id.value);
    BOOST_TEST(world.accept(twin(world, Intake::Hooks, "h2")).id.value == second.id.value);
    BOOST_TEST(!world.accept(twin(world, Intake::Hooks, "h3")).duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(keys_are_those_of_one_subject_and_source, Place, Stores) {
    World<Place> world;
    const auto about = [&](const std::string& source, const std::string& subject, Intake intake) {
        auto event = twin(world, intake, "d");
        event.event.source = {source};
        event.event.subject = subject;
        return world.accept(event);
    };
    const auto first = about("a", "one", Intake::Webhooks);
    BOOST_TEST(about("a", "one", Intake::Webhooks).duplicate);
    BOOST_TEST(about("a", "one", Intake::Hooks).id.value == first.id.value);
    BOOST_TEST(!about("a", "two", Intake::Hooks).duplicate);
    BOOST_TEST(!about("a", "", Intake::Hooks).duplicate);
    BOOST_TEST(!about("b", "one", Intake::Hooks).duplicate);
    world.restart();
    BOOST_TEST(about("a", "one", Intake::Webhooks).id.value == first.id.value);
    BOOST_TEST(about("a", "two", Intake::Webhooks).duplicate);
    BOOST_TEST(about("a", "", Intake::Webhooks).duplicate);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_twin_that_comes_too_late_is_an_event, Place, Stores) {
    World<Place> world;
    world.accept(twin(world, Intake::Webhooks, "w1"));
    world.clock.time += 120'001ms;
    BOOST_TEST(!world.accept(twin(world, Intake::Hooks, "h1")).duplicate);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge::testing
