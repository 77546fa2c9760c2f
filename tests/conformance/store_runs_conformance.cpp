// What every store promises about the runs of tasks: how far a delivery of several steps has come, and the history.
#include <boost/mpl/list.hpp>

#include "bridge/core/json.h"
#include "tests/conformance/store_world.h"

namespace orbridge::testing {
namespace {

using Stores = boost::mpl::list<InMemory, InSqlite>;

RunRow run_of(const std::string& task, const std::string& params = "{}") {
    RunRow row;
    row.at = TimePoint{milliseconds{1'774'512'000'000}};
    row.duration = milliseconds{12};
    row.target = "chat";
    row.task = task;
    row.step = "tell";
    row.who = "admin";
    row.params = params;
    row.success = true;
    row.message = "Sent";
    return row;
}

template <class Place>
struct Running : World<Place> {
    Claim claim_one() {
        auto claims = this->claim("t").claims;
        BOOST_REQUIRE(claims.size() == 1U);
        return claims.front();
    }
    bool advance(const Claim& claim, const std::string& done) {
        auto settle = this->end_of(claim, RetryAt{this->clock.time});
        settle.attempt.outcome = "advanced";
        settle.attempt.task = "create_issue";
        settle.attempt.step = "ticket";
        settle.attempt.message = "Issue 7";
        settle.progress = Progress{done, claim.delivery.attempts_made + 1};
        settle.run = run_of("create_issue", R"({"title":"T"})");
        const auto recorded = this->store->settle({settle}, this->clock.time);
        BOOST_REQUIRE_MESSAGE(recorded.has_value(), message_of(recorded));
        return recorded->front();
    }
    std::vector<RunRow> runs(const RunQuery& query = {}) {
        auto rows = this->store->runs(query);
        BOOST_REQUIRE_MESSAGE(rows.has_value(), message_of(rows));
        return *std::move(rows);
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(runs_in_store)

BOOST_AUTO_TEST_CASE_TEMPLATE(T3_what_is_done_is_known_again_at_the_next_claim_and_after_a_restart, Place, Stores) {
    Running<Place> world;
    world.accept(world.event_to("t"));
    auto claim = world.claim_one();
    BOOST_TEST((claim.delivery.progress.done.empty() && claim.delivery.progress.attempts == 0));
    BOOST_TEST(world.advance(claim, R"({"ticket":{"data":{"id":7}}})"));
    BOOST_TEST(world.row(claim.delivery.id).attempts_made == 1);
    world.restart();
    claim = world.claim_one();
    BOOST_TEST(claim.delivery.progress.done == R"({"ticket":{"data":{"id":7}}})");
    BOOST_TEST(claim.delivery.progress.attempts == 1);
    BOOST_TEST(world.settle(claim, RetryAt{world.clock.time}));  // a failure changes nothing of it
    claim = world.claim_one();
    BOOST_TEST((claim.delivery.attempts_made == 2 && claim.delivery.progress.attempts == 1));
    BOOST_TEST(world.advance(claim, "{}"));
    claim = world.claim_one();
    BOOST_TEST((claim.delivery.progress.done == "{}" && claim.delivery.progress.attempts == 3));
    BOOST_TEST(world.settle(claim, Finished{}));
    BOOST_TEST((world.row(claim.delivery.id).state == DeliveryState::Delivered));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(T3_an_attempt_says_which_task_and_step_it_was, Place, Stores) {
    Running<Place> world;
    world.accept(world.event_to("t"));
    const auto claim = world.claim_one();
    world.advance(claim, "{}");
    const auto attempts = world.store->attempts(claim.delivery.id).value();
    BOOST_TEST_REQUIRE(attempts.size() == 1U);
    BOOST_TEST((attempts[0].task == "create_issue" && attempts[0].step == "ticket"));
    BOOST_TEST(attempts[0].message == "Issue 7");
    const auto rows = world.runs();
    BOOST_TEST_REQUIRE(rows.size() == 1U);
    BOOST_TEST(rows[0].delivery == claim.delivery.id.value);
    BOOST_TEST(rows[0].params == R"({"title":"T"})");
    RunQuery of_it;
    of_it.delivery = claim.delivery.id.value;
    BOOST_TEST(world.runs(of_it).size() == 1U);
    of_it.delivery = world.ids.uuid_v7();
    BOOST_TEST(world.runs(of_it).empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(T5_runs_are_listed_newest_first_page_by_page_and_filtered, Place, Stores) {
    Running<Place> world;
    auto failed = run_of("b");
    failed.success = false;
    failed.message = "HTTP 500";
    BOOST_REQUIRE(world.store->add_runs({run_of("a"), failed}).has_value());
    BOOST_REQUIRE(world.store->add_runs({run_of("c")}).has_value());
    RunQuery query;
    query.limit = 2;
    auto rows = world.runs(query);
    BOOST_TEST_REQUIRE(rows.size() == 2U);
    BOOST_TEST((rows[0].task == "c" && rows[1].task == "b" && rows[0].number > rows[1].number));
    BOOST_TEST((rows[1].message == "HTTP 500" && rows[1].who == "admin" && rows[1].delivery.empty()));
    BOOST_TEST((rows[1].duration == milliseconds{12} && rows[1].step == "tell"));
    query.before_number = rows[1].number;
    rows = world.runs(query);
    BOOST_TEST((rows.size() == 1U && rows[0].task == "a"));
    RunQuery only;
    only.success = false;
    BOOST_TEST((world.runs(only).size() == 1U && world.runs(only)[0].task == "b"));
    only = {};
    only.task = "a";
    BOOST_TEST(world.runs(only).size() == 1U);
    only = {};
    only.target = "other";
    BOOST_TEST(world.runs(only).empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(T5_what_an_erased_subject_left_in_the_history_goes, Place, Stores) {
    Running<Place> world;
    world.accept(world.event_to("t"));
    const auto claim = world.claim_one();
    auto settle = world.end_of(claim, Finished{});
    settle.run = run_of("send", R"({"to":"Vera"})");
    BOOST_REQUIRE(world.store->settle({settle}, world.clock.time).has_value());
    BOOST_REQUIRE(world.store->add_runs({run_of("by_hand", R"({"about":"object:1"})"), run_of("other")}).has_value());
    ErasureOrder order;
    order.subject = "object:1";
    BOOST_REQUIRE(world.store->erase(order, world.clock.time).has_value());
    const auto rows = world.runs();
    BOOST_TEST_REQUIRE(rows.size() == 3U);
    BOOST_TEST((rows[2].params == "null" && rows[2].message.empty() && rows[2].task == "send"));
    BOOST_TEST((rows[1].params == "null" && rows[1].message.empty()));
    BOOST_TEST((rows[0].params == "{}" && rows[0].message == "Sent"));
}

/// 10,000 runs are 20 times the limit here: the file grows to it, and no further.
BOOST_AUTO_TEST_CASE(T5_the_file_stays_under_the_limit_whatever_is_run) {
    constexpr std::size_t kLimit = 1 << 20;
    constexpr int kRuns = 10'000;
    TemporaryFolder folder;
    HandClock clock;
    Log log{clock, Log::Level::Error, to_nowhere()};
    StoreSettings settings;
    settings.path = (folder.path / "store.db").string();
    settings.runs_bytes_max = kLimit;
    settings.run_params_bytes_max = 2 << 10;
    const auto open = [&] {
        auto store = open_store(settings, clock, log);
        BOOST_REQUIRE_MESSAGE(store.has_value(), message_of(store));
        return *std::move(store);
    };
    auto store = open();
    const auto empty = store->space().value().bytes;
    const auto params = R"({"text":")" + std::string(1'900, 'x') + R"("})";
    for (int i = 0; i < kRuns; i += 500)
        BOOST_REQUIRE(store->add_runs(std::vector<RunRow>(500, run_of("send", params))).has_value());
    RunQuery query;
    query.limit = kRuns;
    const auto kept = store->runs(query).value();
    BOOST_TEST(kept.size() < kLimit / 1'900);
    BOOST_TEST(kept.size() > kLimit / 2'300);
    BOOST_TEST(kept.front().params == params);
    // A page more or less than the rows need: those of 8 KiB hold three of them, and some space.
    BOOST_TEST(store->space().value().bytes - empty < kLimit * 3 / 2);
    const auto last = kept.front().number;
    store.reset();
    BOOST_TEST(std::filesystem::file_size(settings.path) - empty < kLimit * 2);
    store = open();  // the numbers go on
    BOOST_REQUIRE(store->add_runs({run_of("send", R"({"text":")" + std::string(5'000, 'y') + R"("})")}).has_value());
    const auto newest = store->runs({}).value().front();
    BOOST_TEST(newest.number > last);
    BOOST_TEST(newest.params.size() < settings.run_params_bytes_max + 100);
    BOOST_TEST(JsonDocument::parse(newest.params).has_value());
}

BOOST_AUTO_TEST_CASE(T5_a_limit_of_nothing_keeps_nothing) {
    TemporaryFolder folder;
    HandClock clock;
    Log log{clock, Log::Level::Error, to_nowhere()};
    StoreSettings settings;
    settings.path = (folder.path / "store.db").string();
    settings.runs_bytes_max = 0;
    auto store = open_store(settings, clock, log);
    BOOST_REQUIRE_MESSAGE(store.has_value(), message_of(store));
    BOOST_REQUIRE((*store)->add_runs({run_of("send")}).has_value());
    BOOST_TEST((*store)->runs({}).value().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge::testing
