#include "adapters/subscriber/book.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "adapters/subscriber/recipe.h"
#include "adapters/subscriber/signature.h"
#include "bridge/core/json.h"
#include "bridge/core/text.h"
#include "bridge/store/memory_store.h"
#include "tests/support/delivery_fakes.h"

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

using Names = std::vector<std::string>;

struct World {
    orbridge::test::ManualClock clock;
    Log log{clock, Log::Level::Error, to_nowhere()};
    MemoryStore store;
    SeededRandom random{1};
    IdMaker ids{clock, random};
    SubscriptionBook book{store, clock, log};
    std::vector<std::string> notices;
    std::vector<Secret> product_secrets;
    bool retries = true;
    CallbackRules rules{*OutboundPolicy::make({"10.0.0.0/8"}), 10s, [this](const std::string&) { return retries; },
                        [this](const std::string&) { return product_secrets; }};
    SubscriberRecipe recipe{book, clock, [this] { return std::make_shared<const CallbackRules>(rules); }};

    World() {
        book.when_noticed([this](const Subscription& one, const std::string& what, const std::string& payload) {
            notices.push_back(one.hook + ' ' + what + ' ' + payload);
        });
    }

    Subscription subscription(const std::string& hook, const std::string& filter = ".*") const {
        Subscription one;
        one.hook = hook;
        one.product = "openregister";
        one.url = "http://10.0.0.5/cb?wait=true";
        one.channel = "Object";
        one.event_filter = filter;
        one.registered_at = one.leased_at = clock.now();
        one.lease_end = clock.now() + 60s;
        return one;
    }
    void add(const Subscription& one) { BOOST_REQUIRE(book.add(one, std::nullopt).has_value()); }
    Names matched(const std::string& name = "created:x") const {
        Names hooks;
        for (const auto& one : book.match("Object", name, clock.now())) hooks.push_back(one->hook);
        return hooks;
    }
    /// An event and its deliveries, as ingest would make them.
    DeliveryId accept(const std::string& payload = R"({"a":1.50})") {
        NewEvent made;
        made.event.id = ids.event_id();
        made.event.source = {"cloud"};
        made.event.channel = "Object";
        made.event.event_name = "created:x";
        made.event.occurred_at = TimePoint{1'437'763'552'852ms};
        made.event.payload = payload;
        for (const auto& one : book.match("Object", "created:x", clock.now()))
            made.deliveries.push_back({ids.delivery_id(), target_of_hook(one->hook),
                                       route_of_registration(one->registration), "", clock.now(), false});
        BOOST_REQUIRE(store.accept(made).has_value());
        return made.deliveries.empty() ? DeliveryId{} : made.deliveries.front().id;
    }
    DeliveryState state(const DeliveryId& id) { return store.delivery(id).value().state; }
    std::vector<Claim> claim(const std::string& hook) {
        return store.claim(target_of_hook(hook), clock.now(), 60s, 10).value().claims;
    }
    void finish(const Claim& given) {
        Settle end;
        end.claim = given;
        end.settlement = Finished{};
        BOOST_TEST(store.settle({end}, clock.now()).has_value());
    }
    Result<HttpRequest> request(const Claim& given) { return recipe.request_for(given.delivery, given.route); }
};

void check(const Names& found, const Names& expected) {
    BOOST_TEST(found == expected, boost::test_tools::per_element());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(subscription_book)

BOOST_FIXTURE_TEST_CASE(a_subscription_matches_from_its_adding_on_in_order_of_registration, World) {
    check(matched(), {});
    add(subscription("b"));
    add(subscription("a", "created:.*"));
    add(subscription("c", "deleted:.*"));
    check(matched(), {"b", "a"});
    BOOST_TEST(book.listened_to("Object"));
    BOOST_TEST(!book.listened_to("Status"));
}

BOOST_FIXTURE_TEST_CASE(l6_subscriptions_survive_a_restart_with_their_leases_running_on, World) {
    add(subscription("a"));
    add(subscription("b"));
    SubscriptionBook again(store, clock, log);
    BOOST_TEST(again.load().has_value());
    clock.advance(30s);
    const auto found = again.find({}, clock.now());
    BOOST_TEST_REQUIRE(found.size() == 2U);
    BOOST_TEST((found[0].lease_end == clock.now() + 30s));
    clock.advance(30s);
    BOOST_TEST(again.find({}, clock.now()).empty());
    BOOST_TEST(again.match("Object", "x", clock.now()).empty());
}

BOOST_FIXTURE_TEST_CASE(l1_l4_at_its_end_a_lease_is_over_also_for_what_is_queued, World) {
    add(subscription("a"));
    const auto queued = accept();
    const auto given = claim("a").at(0);
    clock.advance(60s - 1ms);
    check(matched(), {"a"});
    BOOST_TEST(request(given).has_value());
    clock.advance(1ms);
    check(matched(), {});
    const auto refused = request(given);  // before step() has run
    BOOST_TEST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().kind == Error::Kind::Conflict));
    book.step();
    BOOST_TEST((state(queued) == DeliveryState::Expired));
    BOOST_TEST(store.subscriptions().value().empty());
}

BOOST_FIXTURE_TEST_CASE(step_sleeps_until_the_next_lease_ends, World) {
    add(subscription("a"));
    auto shorter = subscription("b");
    shorter.lease_end = clock.now() + 5s;
    add(shorter);
    BOOST_TEST((book.step() == 5s));
    clock.advance(5s);
    BOOST_TEST((book.step() == 55s));
    BOOST_TEST(book.renew({"a", {}}, clock.now(), clock.now() + 100s).has_value());
    BOOST_TEST((book.step() == 100s));
    check({book.find({}, clock.now()).at(0).hook}, {"a"});
}

BOOST_FIXTURE_TEST_CASE(n6_a_renewal_may_end_earlier, World) {
    add(subscription("a"));
    check(book.renew({{}, "http://10.0.0.5/cb?wait=true"}, clock.now(), clock.now() + 1s).value(), {"a"});
    clock.advance(1s);
    check(matched(), {});
    BOOST_TEST(book.renew({"a", {}}, clock.now(), clock.now() + 10s).value().empty());
}

BOOST_FIXTURE_TEST_CASE(u6_after_unregister_nothing_that_was_queued_is_sent, World) {
    add(subscription("a"));
    const auto claimed = accept();
    const auto given = claim("a").at(0);
    const auto queued = accept();
    check(book.remove({"a", {}}, clock.now()).value(), {"a"});
    BOOST_TEST((request(given).error().kind == Error::Kind::Conflict));
    BOOST_TEST((state(claimed) == DeliveryState::Cancelled));
    BOOST_TEST((state(queued) == DeliveryState::Cancelled));
    check(matched(), {});
}

BOOST_FIXTURE_TEST_CASE(r6_callbacks_of_the_registration_before_are_dropped, World) {
    add(subscription("a"));
    const auto queued = accept();
    const auto given = claim("a").at(0);
    add(subscription("a", "created:x"));
    BOOST_TEST((state(queued) == DeliveryState::Cancelled));
    BOOST_TEST((request(given).error().kind == Error::Kind::Conflict));
    accept();
    BOOST_TEST(request(claim("a").at(0)).has_value());
    BOOST_TEST(store.subscriptions().value().size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(whoever_answered_410_gets_nothing_until_it_renews_and_stays_listed, World) {
    add(subscription("a"));
    const auto registration = book.find({}, clock.now()).at(0).registration;
    const auto queued = accept();
    book.gone("a", registration);
    book.step();
    BOOST_TEST((state(queued) == DeliveryState::Cancelled));
    check(matched(), {});
    BOOST_TEST(book.find({}, clock.now()).size() == 1U);
    BOOST_TEST(book.renew({"a", {}}, clock.now(), clock.now() + 60s).has_value());
    check(matched(), {"a"});
    book.gone("a", registration + 1);
    book.step();
    check(matched(), {"a"});
}

BOOST_FIXTURE_TEST_CASE(notices_go_to_those_who_asked_at_the_last_third_and_at_the_end, World) {
    auto wants = subscription("wants");
    wants.notices = true;
    add(wants);
    add(subscription("silent"));
    clock.advance(book.step());
    book.step();
    BOOST_TEST_REQUIRE(notices.size() == 1U);
    BOOST_TEST(notices[0].starts_with("wants expiring {\"leaseEnd\":"));
    BOOST_TEST(notices[0].ends_with("\"secondsLeft\":20}"));
    clock.advance(20s);
    book.step();
    BOOST_TEST_REQUIRE(notices.size() == 2U);
    BOOST_TEST(notices[1] == R"(wants removed {"reason":"expired"})");
}

// ---- callbacks ------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(c1_c2_c3_a_callback_has_exactly_five_fields, World) {
    add(subscription("a"));
    const auto id = accept();
    const auto sent = request(claim("a").at(0)).value();
    BOOST_TEST(sent.method == "POST");
    BOOST_TEST(sent.url == "http://10.0.0.5/cb?wait=true");
    BOOST_TEST(*find_header(sent.headers, "Content-Type") == "application/json");
    BOOST_TEST(
        sent.body ==
        R"({"channel":"Object","eventName":"created:x","hookId":"a","timestamp":1437763552852,"payload":{"a":1.50}})");
    BOOST_TEST(*find_header(sent.headers, "webhook-id") == id.value);
    BOOST_TEST(*find_header(sent.headers, "webhook-timestamp") == std::to_string(clock.now().time_since_epoch() / 1s));
    BOOST_TEST((find_header(sent.headers, "webhook-signature") == nullptr));
    BOOST_TEST((sent.timeout == 10s));
}

BOOST_FIXTURE_TEST_CASE(c2_a_payload_that_is_no_object_is_wrapped, World) {
    add(subscription("a"));
    for (const auto& [payload, wrapped] :
         std::vector<std::pair<std::string, std::string>>{{"[1,2]", R"({"value":[1,2]})"},
                                                          {"null", R"({"value":null})"},
                                                          {"", R"({"value":null})"},
                                                          {" {}", " {}"}}) {
        accept(payload);
        const auto given = claim("a").at(0);
        const auto sent = request(given).value();
        BOOST_TEST(sent.body.ends_with("\"payload\":" + wrapped + "}"), sent.body);
        finish(given);
    }
}

BOOST_FIXTURE_TEST_CASE(a_callback_is_signed_with_the_subscriptions_secrets_or_else_the_products, World) {
    const auto check_signed = [&](const std::vector<Secret>& secrets) {
        accept();
        const auto given = claim("a").at(0);
        const auto sent = request(given).value();
        BOOST_TEST(*find_header(sent.headers, "webhook-signature") ==
                   standard_signature(secrets, given.delivery.id.value, *find_header(sent.headers, "webhook-timestamp"),
                                      sent.body));
        finish(given);
    };
    product_secrets = {Secret("of-product"), Secret("of-product-before")};
    auto one = subscription("a");
    add(one);
    check_signed(product_secrets);
    one.secret = Secret("first");
    add(one);
    check_signed({Secret("first")});
    one.secret = Secret("second");
    add(one);
    check_signed({Secret("second"), Secret("first")});
    BOOST_TEST(book.renew({"a", {}}, clock.now(), clock.now() + 48h).has_value());
    clock.advance(24h);
    check_signed({Secret("second")});
}

BOOST_AUTO_TEST_CASE(no_more_leases_run_at_once_than_are_allowed) {
    World world;
    world.book.set_active_max(2);
    world.add(world.subscription("a"));
    world.add(world.subscription("b"));
    const auto refused = world.book.add(world.subscription("c"), std::nullopt);
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST(refused.error().message ==
               "there are 2 active webhooks, and no more are taken (subscriptions.active_max)");
    BOOST_TEST((world.matched() == Names{"a", "b"}));
    world.add(world.subscription("a"));  // one that is there is replaced
    world.clock.advance(61s);
    world.book.step();
    world.add(world.subscription("c"));
}

BOOST_AUTO_TEST_CASE(K9_secrets_are_written_sealed_and_those_that_were_plain_are_sealed_once_they_can_be) {
    World world;
    auto one = world.subscription("a");
    one.secret = Secret("plain");
    world.add(one);
    const auto stored = [&] { return world.store.subscriptions().value().at(0).secret.reveal(); };
    BOOST_TEST(stored() == "plain");
    SubscriptionBook book(world.store, world.clock, world.log);
    book.keep_by({[](const Subscription& plain) {
                      auto kept = plain;
                      kept.secret = Secret("#" + plain.secret.reveal());
                      return kept;
                  },
                  [](const Subscription& kept) {
                      auto plain = kept;
                      if (!kept.secret.reveal().empty() && kept.secret.reveal().front() == '#')
                          plain.secret = Secret(kept.secret.reveal().substr(1));
                      return plain;
                  },
                  [](const Subscription& kept) { return kept.secret.reveal().starts_with('#'); }});
    BOOST_REQUIRE(book.load().has_value());
    BOOST_TEST(book.reseal().value() == 1U);
    BOOST_TEST(book.reseal().value() == 0U);
    BOOST_TEST(stored() == "#plain");
    BOOST_REQUIRE(book.renew({"a", std::nullopt}, world.clock.now(), world.clock.now() + 90s).has_value());
    BOOST_TEST(stored() == "#plain");
    BOOST_TEST(book.callable("a", world.clock.now())->secret.reveal() == "plain");
    one.secret = Secret("other");
    BOOST_REQUIRE(book.add(one, std::nullopt).has_value());
    BOOST_TEST(stored() == "#other");
}

BOOST_AUTO_TEST_CASE(the_signature_is_that_of_standard_webhooks) {
    // The example of the Standard Webhooks specification.
    BOOST_TEST(standard_signature({Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}, "msg_p5jXN8AQM9LWM0D4loKWxJek",
                                  "1614265330",
                                  R"({"test": 2432232314})") == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

BOOST_FIXTURE_TEST_CASE(a_callback_may_only_connect_where_the_policy_lets_it, World) {
    auto named = subscription("named");
    named.url = "http://callbacks.example.org/cb";
    add(named);
    accept();
    const auto sent = request(claim("named").at(0)).value();
    BOOST_TEST(sent.may_connect("8.8.8.8").has_value());
    BOOST_TEST(sent.may_connect("10.9.9.9").has_value());
    BOOST_TEST(sent.may_connect("127.0.0.1").error().message ==
               "callbacks.example.org is 127.0.0.1, a loopback address that the allow list does not have");
    BOOST_TEST(!sent.may_connect("").has_value());
}

BOOST_FIXTURE_TEST_CASE(c4r_a_2xx_ends_it_a_410_ends_all_and_anything_else_is_tried_again, World) {
    const auto outcome = [&](int status) { return recipe.outcome_of({}, {.status = status}); };
    for (const int status : {200, 201, 204, 299}) BOOST_TEST(std::holds_alternative<Delivered>(outcome(status)));
    for (const int status : {302, 400, 401, 404, 429, 500, 503})
        BOOST_TEST(std::holds_alternative<Retry>(outcome(status)));
    BOOST_TEST(std::holds_alternative<Rejected>(outcome(410)));
    const auto limited = recipe.outcome_of({}, {.status = 429, .headers = {{"Retry-After", "120"}}});
    BOOST_TEST((std::get<Retry>(limited).at_least == 120s));
    BOOST_TEST((std::get<Retry>(limited).why == Retry::Why::RateLimited));
}

BOOST_FIXTURE_TEST_CASE(c4_without_retries_an_answer_means_nothing, World) {
    add(subscription("a"));
    retries = false;
    Delivery delivery;
    delivery.target = target_of_hook("a");
    for (const int status : {302, 404, 410, 429, 500})
        BOOST_TEST(std::holds_alternative<Rejected>(recipe.outcome_of(delivery, {.status = status})));
    BOOST_TEST(std::holds_alternative<Delivered>(recipe.outcome_of(delivery, {.status = 200})));
}

BOOST_AUTO_TEST_SUITE_END()
