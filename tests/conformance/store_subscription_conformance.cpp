// What every store promises about subscriptions and tokens.
#include <boost/mpl/list.hpp>

#include "tests/conformance/store_world.h"

namespace orbridge::testing {
namespace {

using Stores = boost::mpl::list<InMemory, InSqlite>;

Subscription subscription(const std::string& hook, TimePoint now) {
    Subscription one;
    one.hook = hook;
    one.product = "openregister";
    one.url = "http://10.0.0.5/cb?a=1";
    one.channel = "Object";
    one.event_filter = "created:.*";
    one.token = "billing";
    one.secret = Secret("s");
    one.secret_before = Secret("before");
    one.secret_before_until = now + seconds{5};
    one.notices = true;
    one.registered_at = now;
    one.leased_at = now;
    one.lease_end = now + seconds{60};
    return one;
}

std::vector<std::string> hooks(Store& store) {
    auto all = store.subscriptions();
    BOOST_REQUIRE(all.has_value());
    std::vector<std::string> names;
    for (const auto& one : *all) names.push_back(one.hook);
    return names;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(subscriptions_in_store)

BOOST_AUTO_TEST_CASE_TEMPLATE(a_subscription_comes_back_as_it_was_stored, Place, Stores) {
    World<Place> world;
    const auto given = subscription("billing-1", world.clock.time);
    const auto registration = world.store->put_subscription(given).value();
    const auto one = world.store->subscriptions().value().at(0);
    BOOST_TEST(one.registration == registration);
    BOOST_TEST(one.hook == given.hook);
    BOOST_TEST(one.product == given.product);
    BOOST_TEST(one.url == given.url);
    BOOST_TEST(one.channel == given.channel);
    BOOST_TEST(one.event_filter == given.event_filter);
    BOOST_TEST(one.token == given.token);
    BOOST_TEST((one.secret == given.secret && one.secret_before == given.secret_before));
    BOOST_TEST((one.secret_before_until == given.secret_before_until));
    BOOST_TEST((one.notices && !one.gone));
    BOOST_TEST((one.registered_at == given.registered_at && one.leased_at == given.leased_at));
    BOOST_TEST((one.lease_end == given.lease_end));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(subscriptions_stand_in_order_of_registration_and_a_replaced_one_counts_as_new, Place,
                              Stores) {
    World<Place> world;
    for (const auto* hook : {"b", "a", "c"})
        world.store->put_subscription(subscription(hook, world.clock.time)).value();
    const auto again = world.store->put_subscription(subscription("b", world.clock.time)).value();
    BOOST_TEST(hooks(*world.store) == (std::vector<std::string>{"a", "c", "b"}), boost::test_tools::per_element());
    BOOST_TEST(again == 4U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_registration_number_is_never_given_twice, Place, Stores) {
    World<Place> world;
    const auto first = world.store->put_subscription(subscription("a", world.clock.time)).value();
    BOOST_TEST(world.store->remove_subscriptions({first, 99}).has_value());
    BOOST_TEST(hooks(*world.store).empty());
    BOOST_TEST(world.store->put_subscription(subscription("a", world.clock.time)).value() > first);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_update_changes_lease_secrets_and_gone_of_the_same_registration_only, Place, Stores) {
    World<Place> world;
    auto old = subscription("a", world.clock.time);
    old.registration = world.store->put_subscription(old).value();
    auto now = subscription("a", world.clock.time);
    now.registration = world.store->put_subscription(now).value();
    now.url = "ignored";
    now.secret = Secret("sealed");
    now.secret_before = Secret("sealed before");
    now.gone = true;
    now.leased_at += seconds{1};
    now.lease_end += seconds{2};
    old.lease_end += seconds{99};
    BOOST_TEST(world.store->update_subscriptions({old, now}).has_value());
    const auto one = world.store->subscriptions().value().at(0);
    BOOST_TEST((one.gone && one.url == "http://10.0.0.5/cb?a=1"));
    BOOST_TEST((one.leased_at == now.leased_at && one.lease_end == now.lease_end));
    BOOST_TEST((one.secret == now.secret && one.secret_before == now.secret_before));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(deliveries_end_as_expired_when_asked_so, Place, Stores) {
    World<Place> world;
    const auto event = world.event_to("hook:a");
    world.accept(event);
    const auto claim = world.claim("hook:a").claims.at(0);
    const auto ended = world.store->end_pending(TargetId{"hook:a"}, std::nullopt, DeliveryState::Expired, "lease over",
                                                world.clock.time);
    BOOST_TEST(ended.value() == 1U);
    const auto row = world.row(event.deliveries[0].id);
    BOOST_TEST((row.state == DeliveryState::Expired));
    BOOST_TEST(row.reason == "lease over");
    BOOST_TEST(!world.settle(claim, Finished{}));
    BOOST_TEST(world.store->counts().value().targets.at({"hook:a"}).expired == 1U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(tokens_are_kept_by_name, Place, Stores) {
    World<Place> world;
    BOOST_TEST(world.store->put_api_token({"billing", "abc", world.clock.time}).has_value());
    const auto again = world.store->put_api_token({"billing", "def", world.clock.time});
    BOOST_TEST_REQUIRE(!again.has_value());
    BOOST_TEST((again.error().kind == Error::Kind::Conflict));
    const auto all = world.store->api_tokens().value();
    BOOST_TEST_REQUIRE(all.size() == 1U);
    BOOST_TEST((all[0].name == "billing" && all[0].hash == "abc" && all[0].created_at == world.clock.time));
    BOOST_TEST(world.store->remove_api_token("billing").has_value());
    BOOST_TEST((world.store->remove_api_token("billing").error().kind == Error::Kind::NotFound));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge::testing
