#include "bridge/adapt/native.h"

#include <boost/test/unit_test.hpp>

#include "adapters/chain/recipe.h"
#include "adapters/registry.h"
#include "bridge/adapt/loader.h"
#include "tests/support/delivery_fakes.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;
using Is = NativeEnd::Is;

constexpr const char* kAdapter = R"(
name: ledger
kind: postgresql
config:
  - { name: host, type: string, default: db.example }
credentials:
  - { name: user, type: string, required: true }
  - { name: pin, type: string, sensitive: true }
tasks:
  upsert:
    repeatable: true
    timeout: 3s
    params:
      - { name: table, type: string, required: true }
      - { name: key, type: object, required: true }
  execute:
    params:
      - { name: statement, type: string, required: true }
)";

/// Keeps what it was told and ends as the test says.
class FakeTasks final : public NativeTasks {
public:
    struct Seen {
        std::string task, params, credentials, config, id;
        milliseconds left{0};
    };
    struct Script {
        NativeEnd end{.is = Is::Done, .message = "Done", .data = R"({"n":1})", .answered = true};
        std::vector<Seen> seen{};
    };
    explicit FakeTasks(Script& script) : script_(script) {}
    NativeEnd run(const NativeRun& run) const override {
        const auto left = run.until - std::chrono::steady_clock::now();
        script_.seen.push_back({run.task, std::string(run.params.raw()), std::string(run.credentials.raw()),
                                std::string(run.config.raw()), run.id, std::chrono::duration_cast<milliseconds>(left)});
        return script_.end;
    }

private:
    Script& script_;
};

struct Rig {
    explicit Rig(const std::string& target_yaml =
                     R"({adapter: ledger, task: upsert, credentials: {user: u, pin: S3CR3T-pin},)"
                     R"( params: {table: t, key: {id: "{{event.payload.id}}"}}})") {
        auto adapter = parse_adapter(kAdapter, "ledger.yaml", complaints);
        BOOST_REQUIRE(adapter);
        const auto root = ConfigNode::parse(target_yaml, "orbridge.yaml", complaints);
        TargetSettings target{.id = {"there"}, .adapter = root.text("adapter"), .node = root};
        RouteSettings route;
        route.name = "r";
        route.to = {{"there"}};
        AdapterUse use(target, {route}, adapter, {});
        for (const auto& line : complaints.lines()) BOOST_TEST_MESSAGE(line);
        BOOST_REQUIRE(complaints.empty());
        recipe.emplace(std::move(use), NativeLimits{}, std::make_unique<FakeTasks>(script));
    }
    Performed perform(const std::string& payload = R"({"id":5})", bool unclear = false,
                      const std::stop_token& stop = {}) {
        Delivery delivery;
        delivery.id = {"0190-d"};
        delivery.event.payload = payload;
        delivery.unclear = unclear;
        return recipe->perform(delivery, "r", transport, stop);
    }
    TaskResult by_hand(const std::string& task, const std::string& params) {
        return recipe->run_task(task, params, transport);
    }

    Complaints complaints;
    FakeTasks::Script script;
    test::ScriptedTransport transport;
    std::optional<NativeRecipe> recipe;
};

template <class T>
const T* as(const Performed& performed) {
    return std::get_if<T>(&performed.outcome);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(native_adapter)

BOOST_AUTO_TEST_CASE(T1_a_delivery_is_a_run_of_its_task_with_checked_parameters) {
    Rig rig;
    BOOST_TEST(rig.recipe->blocks("r"));
    const auto performed = rig.perform();
    BOOST_REQUIRE(as<Delivered>(performed));
    BOOST_TEST(performed.answer == R"({"n":1})");
    BOOST_TEST(performed.answered);
    BOOST_REQUIRE(rig.script.seen.size() == 1U);
    const auto& seen = rig.script.seen.front();
    BOOST_TEST(seen.task == "upsert");
    BOOST_TEST(seen.params == R"({"table":"t","key":{"id":5}})");
    BOOST_TEST(seen.credentials == R"({"user":"u","pin":"S3CR3T-pin"})");
    BOOST_TEST(seen.config == R"({"host":"db.example"})");
    BOOST_TEST(seen.id == "0190-d");
    BOOST_CHECK(seen.left > 0ms && seen.left <= 3s);
}

BOOST_AUTO_TEST_CASE(T3_a_step_of_a_chain_may_need_a_thread) {
    Rig rig;
    const std::shared_ptr<const Recipe> recipe(&*rig.recipe, [](const Recipe*) {});  // the rig keeps it
    KnownNames known;
    known.add("steps.first.data", true);
    const auto step = [&](const std::string& name, const std::string& statement) {
        const auto node = ConfigNode::parse("{statement: \"" + statement + "\"}", "t.yaml", rig.complaints);
        return chain::Step{
            name, {"there"}, recipe, &*rig.recipe, rig.recipe->use().task("execute"), read_tree(node, known)};
    };
    chain::ChainSettings settings{.steps = {step("first", "SELECT 1"), step("second", "n is {{steps.first.data.n}}")}};
    const chain::ChainRecipe steps(std::move(settings));
    BOOST_TEST(rig.complaints.empty());
    BOOST_TEST(steps.blocks("r"));
    Delivery delivery;
    delivery.id = {"0190-d"};
    const auto first = steps.for_attempt(delivery, "r")->perform(delivery, "r", rig.transport, {});
    BOOST_REQUIRE(as<Advanced>(first));
    BOOST_TEST(as<Advanced>(first)->message == "Done");
    delivery.progress.done = as<Advanced>(first)->done;
    rig.script.end = {.is = Is::Timeout, .message = "no end", .unclear = true};
    const auto attempt = steps.for_attempt(delivery, "r");
    BOOST_TEST(attempt->blocks("r"));
    const auto second = attempt->perform(delivery, "r", rig.transport, {});
    BOOST_REQUIRE(as<Retry>(second));
    BOOST_TEST((as<Retry>(second)->reason == "step second: no end" && as<Retry>(second)->unclear));
    BOOST_REQUIRE(rig.script.seen.size() == 2U);
    const auto at = delivery.event.occurred_at;
    BOOST_TEST(rig.script.seen[0].id == derived_delivery_id(at, "0190-d:first").value);
    BOOST_TEST(rig.script.seen[1].id == derived_delivery_id(at, "0190-d:second").value);
    BOOST_TEST(rig.script.seen[1].params == R"({"statement":"n is 1"})");
    BOOST_TEST((attempt->run()->step == "second" && attempt->run()->task == "execute"));
}

BOOST_AUTO_TEST_CASE(T4_what_a_run_came_to_decides_what_becomes_of_the_delivery) {
    Rig rig;
    const std::pair<Is, Retry::Why> retries[] = {{Is::Trouble, Retry::Why::Trouble},
                                                 {Is::Timeout, Retry::Why::Timeout},
                                                 {Is::Misconfigured, Retry::Why::Misconfigured},
                                                 {Is::Unauthorized, Retry::Why::Misconfigured}};
    for (const auto& [is, why] : retries) {
        rig.script.end = {.is = is, .message = "so it is", .unclear = true};
        const auto performed = rig.perform();
        const auto* retry = as<Retry>(performed);
        BOOST_REQUIRE(retry);
        BOOST_CHECK(retry->why == why);
        BOOST_TEST(retry->reason == "so it is");
        BOOST_TEST(retry->unclear);
    }
    rig.script.end = {.is = Is::Rejected, .message = "never"};
    const auto performed = rig.perform();
    BOOST_REQUIRE(as<Rejected>(performed));
    BOOST_TEST(as<Rejected>(performed)->reason == "never");
}

BOOST_AUTO_TEST_CASE(I5_a_wrong_parameter_is_told_and_nothing_runs) {
    Rig rig;
    const auto performed = rig.perform("{}");  // its key has no column then, which is for the task to tell
    BOOST_TEST(as<Delivered>(performed) != nullptr);
    rig.script.seen.clear();
    BOOST_TEST(rig.by_hand("upsert", R"({"table":5,"key":{}})").message == "params: table: expected string");
    BOOST_TEST(rig.by_hand("upsert", R"({"table":"t"})").message == "params: key: missing");
    BOOST_TEST(rig.by_hand("upsert", "[]").message == "params: expected an object");
    BOOST_TEST(rig.script.seen.empty());
}

BOOST_AUTO_TEST_CASE(I4_only_declared_tasks_run) {
    Rig rig;
    for (const auto* task : {"__class__", "test", "../x", "query", ""}) BOOST_TEST(!rig.by_hand(task, "{}").success);
    BOOST_TEST(rig.script.seen.empty());
    Complaints complaints;
    const auto text = std::string(kAdapter) + "  drop_everything: {}\n";
    BOOST_TEST(!parse_adapter(text, "l.yaml", complaints));
    BOOST_TEST(complaints.lines().front().find("kind postgresql has no such task: there is delete, execute, query, "
                                               "upsert") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(I8_I9_a_run_by_hand_has_the_result_of_all_tasks) {
    Rig rig;
    auto result = rig.by_hand("upsert", R"({"table":"t","key":{"id":"S3CR3T-pin"}})");
    BOOST_TEST(result.success);
    BOOST_TEST(result.message == "Done");
    BOOST_TEST(result.data == R"({"n":1})");
    BOOST_TEST(result.params == R"({"table":"t","key":{"id":"***"}})");
    rig.script.end = {.is = Is::Trouble, .message = "no\nconnection", .data = "{}"};
    result = rig.by_hand("upsert", R"({"table":"t","key":{}})");
    BOOST_TEST(!result.success);
    BOOST_TEST(result.message == "no connection");
    BOOST_TEST(result.data == "");
}

BOOST_AUTO_TEST_CASE(K9_K10_what_the_other_side_repeats_of_a_secret_is_masked) {
    Rig rig;
    rig.script.end = {
        .is = Is::Trouble, .message = "who is S3CR3T-pin?", .data = R"(["S3CR3T-pin","UzNDUjNULXBpbg=="])"};
    const auto performed = rig.perform();
    BOOST_TEST(as<Retry>(performed)->reason == "who is ***?");
    BOOST_TEST(performed.answer == R"(["***","***"])");
    BOOST_TEST(rig.by_hand("upsert", R"({"table":"t","key":{}})").message == "who is ***?");
    BOOST_TEST(rig.recipe->shown("S3CR3T-pin") == "***");
}

BOOST_AUTO_TEST_CASE(I13_what_may_have_been_done_is_done_again_only_if_it_is_repeatable) {
    Rig rig;
    BOOST_TEST(as<Delivered>(rig.perform(R"({"id":5})", true)) != nullptr);
    Rig once(R"({adapter: ledger, task: execute, credentials: {user: u}, params: {statement: s}})");
    BOOST_TEST(as<Rejected>(once.perform("{}", true)) != nullptr);
    BOOST_TEST(once.script.seen.empty());
}

BOOST_AUTO_TEST_CASE(what_a_stop_ended_before_anything_was_done_is_no_attempt) {
    Rig rig;
    std::stop_source stop;
    stop.request_stop();
    rig.script.end = {.is = Is::Trouble, .message = "stopped", .sent = false};
    BOOST_TEST(rig.perform("{}", false, stop.get_token()).not_begun);
    BOOST_TEST(!rig.perform("{}").not_begun);
    rig.script.end.sent = true;
    BOOST_TEST(!rig.perform("{}", false, stop.get_token()).not_begun);
}

BOOST_AUTO_TEST_CASE(K4_credentials_are_tried_out_by_the_adapters_test) {
    Rig rig;
    bool refused = false;
    BOOST_TEST(rig.recipe->try_out(Secret(R"({"user":"other"})"), rig.transport, refused).success);
    BOOST_TEST(!refused);
    BOOST_TEST(rig.script.seen.front().task == "test");
    BOOST_TEST(rig.script.seen.front().credentials == R"({"user":"other"})");
    rig.script.end = {.is = Is::Unauthorized, .message = "no"};
    BOOST_TEST(!rig.recipe->try_out(Secret(R"({"user":"other"})"), rig.transport, refused).success);
    BOOST_TEST(refused);
    BOOST_TEST(rig.recipe->test(rig.transport).front().detail == "no");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
