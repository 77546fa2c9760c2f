// Tasks of several steps as deliveries: through the dispatcher, over fakes of the store and the transport.
#include "adapters/chain/recipe.h"

#include <boost/test/unit_test.hpp>

#include "adapters/http/recipe.h"
#include "bridge/adapt/loader.h"
#include "bridge/core/text.h"
#include "bridge/plan.h"
#include "bridge/settings/config_node.h"
#include "tests/support/dispatcher_rig.h"
#include "tests/support/temporary_folder.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;

constexpr const char* kTracker = R"(
name: tracker
base_url: http://tracker.example
auth: { bearer: "{{credentials.token}}" }
credentials: [{ name: token, type: password, required: true }]
test: { request: { path: /me } }
tasks:
  create:
    params: [{ name: title, type: string, required: true }, { name: pin, type: password }]
    request: { method: POST, path: /issues, json: { title: "{{params.title}}", ref: "{{delivery.id}}" } }
    message: "Issue {{response.body.id}}"
    data: { id: "{{response.body.id}}" }
  close:
    params: [{ name: id, type: integer, required: true }]
    repeatable: true
    request: { method: POST, path: "/issues/{{params.id}}/close" }
    message: Closed
  both:
    steps:
      - name: open
        request: { method: POST, path: /issues }
        message: "Issue {{response.body.id}}"
        data: { id: "{{response.body.id}}" }
      - name: note
        request: { method: PUT, path: "/issues/{{steps.open.data.id}}/note" }
        message: Noted
)";
constexpr const char* kTargets = R"(
  tracker:
    adapter: tracker
    credentials: { token: S3CR3T-tracker }
  flow:
    adapter: chain
    steps:
      - { name: ticket, target: tracker, task: create, params: { title: "{{event.eventName}}", pin: S3CR3T-pin } }
      - { name: done, target: tracker, task: close, params: { id: "{{steps.ticket.data.id}}" } }
  nested:
    adapter: chain
    steps:
      - { name: all, target: tracker, task: both }
      - { name: done, target: tracker, task: close, params: { id: 9 } }
)";
const std::string kRoutes = R"(
routes:
  - { name: to-flow, channel: Object, to: [flow, nested] }
)";

/// What the daemon makes of a configuration with these targets and routes.
struct Planned {
    test::TemporaryFolder folder;
    Complaints complaints;
    std::shared_ptr<const Plan> plan;

    explicit Planned(const std::string& targets = kTargets, const std::string& routes = kRoutes,
                     const std::string& more = "", const AdapterHooks& hooks = {}) {
        folder.put("tracker.yaml", kTracker);
        const std::string root = ORBRIDGE_ROOT, own = folder.path.string();
        const auto node = ConfigNode::parse(
            "store: sqlite:" + own + "/x.db\nmappings: [" + root + "/mappings/http.yaml]\nadapters: { folders: [" +
                own + ", " + root + "/adapters]" + more +
                " }\nsources: { s: { type: push, verify: none, mapping: record } }\n" + "targets:" + targets + routes,
            own + "/orbridge.yaml", complaints);
        auto settings = read_settings(node, complaints);
        plan = make_plan(std::move(settings), hooks, complaints);
    }
    std::string said() const { return join(complaints.lines(), "\n"); }
};

struct Chained : test::DispatcherRig {
    explicit Chained(const std::string& target = "flow", const AdapterHooks& hooks = {})
        : planned(kTargets, kRoutes, "", hooks), name(target) {
        BOOST_REQUIRE_MESSAGE(planned.complaints.empty(), planned.said());
        aim();
        auto& row = store.add(name, "", R"({"x":1})");
        row.delivery.event.event_name = "created:zaken:7f";
        run();
    }
    void aim() {
        DeliveryTarget to{.id = {name}, .recipe = planned.plan->recipes.at({name})};
        to.retry.jitter = 0;
        dispatcher.set_targets({to});
    }
    void answered(int status, const std::string& body = "{}") {
        BOOST_REQUIRE(transport.waiting() == 1U);
        transport.answer(0, status, body);
        run();
        run();  // what came of it may be claimed at once
    }
    const auto& attempts() { return store.row(1).attempts; }
    std::string url() const { return transport.request().url; }

    Planned planned;
    std::string name;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(chain)

BOOST_AUTO_TEST_CASE(T3_each_step_sees_what_the_steps_before_brought_and_the_event) {
    Chained rig;
    BOOST_TEST(rig.url() == "http://tracker.example/issues");
    const auto id = derived_delivery_id({}, "d1:ticket").value;  // its own, and one that Windmill takes
    BOOST_TEST(rig.transport.request().body == R"({"title":"created:zaken:7f","ref":")" + id + R"("})");
    rig.answered(201, R"({"id":42})");
    BOOST_TEST(rig.url() == "http://tracker.example/issues/42/close");
    BOOST_TEST(rig.store.row(1).state == "pending");
    rig.answered(200);
    BOOST_TEST(rig.store.row(1).state == "delivered");
    BOOST_TEST_REQUIRE(rig.attempts().size() == 2U);
    const auto& first = rig.attempts()[0];
    BOOST_TEST((first.step == "ticket" && first.task == "create" && first.outcome == "advanced"));
    BOOST_TEST((first.message == "Issue 42" && first.reason.empty() && first.status == 201 && first.duration == 7ms));
    const auto& second = rig.attempts()[1];
    BOOST_TEST((second.step == "done" && second.task == "close" && second.outcome == "delivered"));
    BOOST_TEST(second.message == "Closed");
    BOOST_TEST(rig.transport.total() == 2U);
}

BOOST_AUTO_TEST_CASE(T3_the_first_failure_ends_it_and_later_steps_are_not_called) {
    Chained rig;
    rig.answered(201, R"({"id":42})");
    rig.answered(404, "no such issue");
    BOOST_TEST(rig.store.row(1).state == "dead");
    BOOST_TEST_REQUIRE(rig.attempts().size() == 2U);
    BOOST_TEST(rig.attempts()[1].reason.find("step done: HTTP 404") == 0U);
    BOOST_TEST(rig.transport.total() == 2U);
}

BOOST_AUTO_TEST_CASE(T3_a_retry_goes_on_at_the_step_that_failed_and_counts_from_there) {
    Chained rig;
    rig.answered(500);  // the first of the schedule: 1 s
    BOOST_TEST(rig.transport.waiting() == 0U);
    rig.clock.advance(1s);
    rig.run();
    rig.answered(201, R"({"id":42})");
    rig.answered(503);
    BOOST_CHECK(rig.store.row(1).due == rig.clock.now() + 1s);  // and again the first
    rig.clock.advance(1s);
    rig.run();
    BOOST_TEST(rig.url() == "http://tracker.example/issues/42/close");
    rig.answered(200);
    BOOST_TEST(rig.store.row(1).state == "delivered");
    BOOST_TEST(rig.transport.total() == 4U);
    BOOST_TEST(rig.attempts().back().number == 4);
}

BOOST_AUTO_TEST_CASE(I13_T3_a_step_that_may_have_been_done_is_not_repeated_unless_it_may_be) {
    Chained rig;
    rig.transport.fail(0, TransportFailure::Reached::Unclear);
    rig.run();
    rig.clock.advance(1min);
    rig.run();
    rig.run();
    BOOST_TEST(rig.store.row(1).state == "dead");  // creating is not repeatable
    BOOST_TEST(rig.transport.total() == 1U);
    BOOST_TEST(rig.attempts().back().reason.find("step ticket: an earlier attempt may have arrived") == 0U);

    Chained later;
    later.answered(201, R"({"id":42})");
    later.transport.fail(0, TransportFailure::Reached::Unclear);
    later.run();
    later.clock.advance(1min);
    later.run();
    BOOST_TEST(later.url() == "http://tracker.example/issues/42/close");  // closing is
    later.answered(200);
    BOOST_TEST(later.store.row(1).state == "delivered");
}

BOOST_AUTO_TEST_CASE(T3_a_task_of_several_steps_is_delivered_and_may_be_a_step) {
    Chained rig("nested");
    rig.answered(201, R"({"id":5})");
    BOOST_TEST(rig.url() == "http://tracker.example/issues/5/note");
    rig.answered(500);
    rig.clock.advance(1s);
    rig.run();
    BOOST_TEST(rig.url() == "http://tracker.example/issues/5/note");
    rig.answered(200);
    BOOST_TEST(rig.url() == "http://tracker.example/issues/9/close");
    rig.answered(200);
    BOOST_TEST(rig.store.row(1).state == "delivered");
    std::vector<std::string> steps;
    steps.reserve(rig.attempts().size());
    for (const auto& attempt : rig.attempts()) steps.push_back(attempt.step);
    BOOST_TEST(join(steps, " ") == "all.open all.note all.note done");
}

BOOST_AUTO_TEST_CASE(T5_runs_are_told_with_masked_parameters) {
    Chained rig;
    rig.answered(201, R"({"id":42,"said":"S3CR3T-tracker"})");
    rig.answered(401, "who is S3CR3T-tracker?");
    const auto& runs = rig.store.row(1).runs;
    BOOST_TEST_REQUIRE(runs.size() == 2U);
    BOOST_TEST((runs[0].target == "flow" && runs[0].task == "create" && runs[0].step == "ticket"));
    BOOST_TEST((runs[0].success && runs[0].message == "Issue 42" && runs[0].who == "delivery"));
    BOOST_TEST(runs[0].params == R"({"title":"created:zaken:7f","pin":"***"})");
    BOOST_TEST((!runs[1].success && runs[1].params == R"({"id":42})"));
    BOOST_TEST(runs[1].message.find("***") != std::string::npos);
    for (const auto& run : runs) BOOST_TEST((run.params + run.message).find("S3CR3T") == std::string::npos);
    BOOST_TEST(rig.store.row(1).delivery.progress.done.find("S3CR3T") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_book_of_credentials_is_asked_once_for_each_attempt) {
    int asked = 0, told = 0;
    AdapterHooks hooks;
    hooks.credentials.values = [&](const CredentialName&) -> Result<HeldCredential> {
        ++asked;
        HeldCredential held;
        held.values = Secret(R"({"token":"S3CR3T-kept"})");
        held.verdict = CredentialRow::Verdict::Valid;
        return held;
    };
    hooks.credentials.report = [&](const HeldCredential&, bool, const std::string&) { ++told; };
    Planned planned("\n  t: { adapter: tracker, credentials: kept, task: close, params: { id: 1 } }",
                    "\nroutes: [{ channel: Object, to: t }]", ", allow: [tracker.example]", hooks);
    BOOST_REQUIRE_MESSAGE(planned.complaints.empty(), planned.said());
    test::DispatcherRig rig;
    DeliveryTarget to{.id = {"t"}, .recipe = planned.plan->recipes.at({"t"})};
    rig.dispatcher.set_targets({to});
    rig.store.add("t");
    rig.run();
    rig.answer(200, "{}");
    rig.run();
    BOOST_TEST(rig.store.row(1).state == "delivered");
    BOOST_TEST(asked == 1);
    BOOST_TEST(told == 0);  // that they are valid is no news
}

BOOST_AUTO_TEST_CASE(T3_what_steps_bring_has_a_limit) {
    Planned planned(kTargets, kRoutes, ", step_data_bytes_max: 1KiB");
    BOOST_REQUIRE_MESSAGE(planned.complaints.empty(), planned.said());
    Delivery delivery;
    delivery.id = {"d"};
    HttpResponse response;
    response.status = 201;
    response.body = R"({"id":")" + std::string(2'000, 'x') + R"("})";
    const auto outcome = planned.plan->recipes.at({"flow"})->outcome_on(delivery, "to-flow", response);
    const auto* rejected = std::get_if<Rejected>(&outcome);
    BOOST_TEST_REQUIRE(rejected != nullptr);
    BOOST_TEST(rejected->reason.find("adapters.step_data_bytes_max") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(T3_a_route_may_name_steps_of_its_own) {
    Planned planned("\n  tracker: { adapter: tracker, credentials: { token: t0k } }\n  flow: { adapter: chain }", R"(
routes:
  - name: r
    channel: Object
    to: flow
    steps: [{ name: one, target: tracker, task: close, params: { id: 3 } }]
)");
    BOOST_REQUIRE_MESSAGE(planned.complaints.empty(), planned.said());
    Delivery delivery;
    delivery.id = {"d"};
    const auto& recipe = *planned.plan->recipes.at({"flow"});
    BOOST_TEST(recipe.request_for(delivery, "r").value().url == "http://tracker.example/issues/3/close");
    BOOST_TEST(!recipe.request_for(delivery, "another").has_value());
}

BOOST_AUTO_TEST_CASE(I2_T3_mistakes_in_chains_are_told_with_their_place_all_at_once) {
    Planned planned(R"(
  tracker: { adapter: tracker, credentials: { token: t0k } }
  mill: { adapter: windmill, url: "http://127.0.0.1:1/api/w/main/jobs/run/p/f/a/b", token: t0k }
  none: { adapter: chain }
  flow:
    adapter: chain
    steps:
      - { name: a, target: nobody, task: create }
      - { name: a, target: tracker, task: creat }
      - { name: b, target: mill, task: x }
      - { name: c, target: tracker, task: close, params: { id: "{{steps.later.data.x}}", nope: 1 } }
      - { name: d, target: flow, task: x }
)",
                    "\nroutes:\n  - { channel: Object, to: tracker, task: create, params: { title: x }, steps: [] }\n");
    const auto said = planned.said();
    BOOST_TEST_MESSAGE(said);
    for (const auto* part :
         {"steps[0].target: there is no such target", "steps[1].task: adapter tracker has no task `creat`",
          "steps[1].name: another step has this name", "steps[2].target: its adapter has no tasks",
          "no variable `steps.later.data.x`", "no parameter `nope`", "steps[4].target: there is no such target",
          "targets.none.steps: missing", "none of its targets has `adapter: chain`"})
        BOOST_TEST(said.find(part) != std::string::npos, part);
}

BOOST_AUTO_TEST_CASE(T3_the_example_of_the_document_is_right) {
    std::ifstream file(std::string(ORBRIDGE_ROOT) + "/docs/integrations.md");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    text = text.substr(text.find("## Chains"));
    const auto begin = text.find("targets:");
    const auto routes = text.find("routes:", begin);
    auto targets = text.substr(begin + 8, routes - begin - 8);
    const std::string secret = "webhook_url_file: /run/secrets/slack_webhook";
    targets.replace(targets.find(secret), secret.size(), "webhook_url: http://127.0.0.1:1/x");
    const Planned planned(targets, text.substr(routes, text.find("```", routes) - routes));
    BOOST_TEST(planned.said().empty(), planned.said());
    BOOST_TEST(planned.plan->recipes.contains({"on-complaint"}));
}

BOOST_AUTO_TEST_CASE(I3_a_chain_is_tested_where_its_steps_are) {
    Planned planned;
    struct Answering final : Transport {
        void send(HttpRequest request, Done done) override {
            seen.push_back(request.url);
            done({HttpResponse{.status = 200, .headers = {}, .body = "{}"}, {}});
        }
        void poll(milliseconds) override {}
        void wake() override {}
        void stop() override {}
        std::vector<std::string> seen;
    } transport;
    const auto lines = planned.plan->recipes.at({"flow"})->test(transport);
    BOOST_TEST_REQUIRE(lines.size() == 1U);
    BOOST_TEST((lines[0].name == "tracker: tracker" && lines[0].verdict == TestStep::Verdict::Ok));
    BOOST_TEST(join(transport.seen, " ") == "http://tracker.example/me");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
