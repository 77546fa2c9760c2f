// Rows P4, P7 to P9, P11 and P12 of the push intake: what becomes of a believed request.
#include <boost/test/unit_test.hpp>

#include "bridge/core/text.h"
#include "bridge/normalize/mapping.h"
#include "bridge/normalize/mapping_loader.h"
#include "bridge/receive/ingest.h"
#include "bridge/store/memory_store.h"
#include "bridge/verify/push_schemes.h"

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

struct SetClock final : Clock {
    TimePoint now() const override { return time; }
    TimePoint time{seconds{1'700'000'000}};
};

/// Counts the transactions of its accept path, and fails when told to.
class WatchedStore final : public MemoryStore {
public:
    using Store::accept;
    Result<std::vector<Accepted>> accept(const Arrival& arrival) override {
        ++arrivals;
        if (broken) return Error{Error::Kind::Unavailable, "cannot store the event: disk is full"};
        return MemoryStore::accept(arrival);
    }
    int arrivals = 0;
    bool broken = false;
};

const std::string kSecret = "app-secret";

RouteSettings everything_to(const std::string& target) {
    RouteSettings route;
    route.name = "all";
    route.to = {{target}};
    return route;
}

std::shared_ptr<const MappingSet> shipped() {
    Complaints complaints;
    auto mappings = load_mappings({ORBRIDGE_ROOT "/mappings/github.yaml", ORBRIDGE_ROOT "/mappings/meta.yaml",
                                   ORBRIDGE_ROOT "/mappings/slack.yaml"},
                                  complaints);
    for (const auto& line : complaints.lines()) BOOST_ERROR(line);
    return mappings;
}

std::shared_ptr<const MappingSet> written(const std::string& yaml) {
    Complaints complaints;
    auto mappings = parse_mapping(yaml, "m.yaml", complaints);
    for (const auto& line : complaints.lines()) BOOST_ERROR(line);
    return mappings;
}

SourcePlan source(const std::string& scheme, const std::string& mapping) {
    const auto* known = find_push_scheme(scheme);
    SourcePlan plan;
    plan.id = {scheme};
    plan.type = "push";
    plan.mapping = mapping;
    plan.push =
        verifier_for(PushProof{.scheme = scheme, .secrets = {Secret(kSecret)}, .verify_token = Secret("verify-token")})
            .value();
    plan.accepted_status = known->accepted_status;
    return plan;
}

struct World {
    SetClock clock;
    SeededRandom random{1};
    IdMaker ids{clock, random};
    Names names;
    Metrics metrics;
    Log log{clock, Log::Level::Error, to_nowhere()};
    WatchedStore store;
    std::map<std::string, SourcePlan> sources;
    std::shared_ptr<const MappingSet> mappings = shipped();
    std::vector<TargetId> woken;
    Ingest ingest{
        [this] { return plan(); },
        store,
        names,
        ids,
        clock,
        metrics,
        log,
        [this](const std::vector<TargetId>& targets) { woken.insert(woken.end(), targets.begin(), targets.end()); }};

    World() {
        for (const auto* scheme : {"github", "meta", "slack"}) sources[scheme] = source(scheme, scheme);
    }
    std::shared_ptr<const IngestPlan> plan() const {
        return std::make_shared<const IngestPlan>(
            IngestPlan{sources, Normalizer(mappings), Router({everything_to("script")})});
    }
    std::vector<Event> events() {
        EventQuery query;
        query.limit = 1000;
        auto all = store.events(query).value();
        std::reverse(all.begin(), all.end());
        return all;
    }
};

InboundRequest post(Headers headers, std::string body) {
    InboundRequest request;
    request.method = "POST";
    request.headers = std::move(headers);
    request.body = std::move(body);
    return request;
}

std::string mac(const std::string& text) { return to_hex(hmac_sha256(kSecret, text)); }

InboundRequest from_github(const std::string& event, const std::string& delivery, const std::string& body) {
    return post({{"X-GitHub-Event", event},
                 {"X-GitHub-Delivery", delivery},
                 {"X-Hub-Signature-256", "sha256=" + mac(body)},
                 {"Authorization", "Bearer never-kept"}},
                body);
}

InboundRequest from_meta(const std::string& body) {
    return post({{"X-Hub-Signature-256", "sha256=" + mac(body)}}, body);
}

InboundRequest from_slack(const std::string& time, const std::string& body) {
    return post({{"X-Slack-Request-Timestamp", time}, {"X-Slack-Signature", "v0=" + mac("v0:" + time + ':' + body)}},
                body);
}

InboundRequest get(const std::string& query) {
    InboundRequest request;
    request.method = "GET";
    request.query = query;
    return request;
}

std::string code_of(const Answer& answer) {
    const auto document = JsonDocument::parse(answer.body);
    return document ? (*document)->root().path("error.code").string().value_or("") : "";
}

const std::string kTwoByTwo = R"({"object":"page","entry":[
 {"id":"1","time":1700000000,"changes":[{"field":"feed","value":{"item":"post","verb":"add"}},{"field":"name","value":"A"}]},
 {"id":"2","time":1700000000,"changes":[{"field":"feed","value":{"item":"post","verb":"add"}},{"field":"feed","value":{"item":"like","verb":"add"}}]}]})";

}  // namespace

BOOST_AUTO_TEST_SUITE(ingest_push)

BOOST_AUTO_TEST_CASE(P4_a_repeated_delivery_is_one_event_whatever_is_in_it) {
    World world;
    const auto first = world.ingest.push("github", from_github("ping", "d-1", R"({"hook_id":1,"zen":"a"})"));
    BOOST_TEST(first.status == 202);
    for (const auto* body : {R"({"hook_id":1,"zen":"a"})", R"({"hook_id":2,"zen":"b"})"}) {
        const auto again = world.ingest.push("github", from_github("ping", "d-1", body));
        BOOST_TEST(again.status == 200);
        BOOST_TEST(again.body.find("duplicate") != std::string::npos);
        BOOST_TEST(again.body.find(world.events().front().id.value) != std::string::npos);
    }
    BOOST_TEST(world.events().size() == 1u);
    BOOST_TEST(world.ingest.push("github", from_github("ping", "d-2", R"({"hook_id":1,"zen":"a"})")).status == 202);
}

BOOST_AUTO_TEST_CASE(P4_a_request_that_could_not_be_stored_may_be_sent_again) {
    World world;
    const auto request = from_github("ping", "d-1", R"({"hook_id":1})");
    world.store.broken = true;
    BOOST_TEST(world.ingest.push("github", request).status == 503);
    world.store.broken = false;
    BOOST_TEST(world.ingest.push("github", request).status == 202);
    BOOST_TEST(world.ingest.push("github", request).status == 200);
}

BOOST_AUTO_TEST_CASE(P7_challenges_are_answered_as_plain_text) {
    World world;
    const std::string asked = "hub.mode=subscribe&hub.challenge=%3Cscript%3E&hub.verify_token=";
    const auto answer = world.ingest.challenge("meta", get(asked + "verify-token"));
    BOOST_TEST(answer.status == 200);
    BOOST_TEST(answer.body == "<script>");
    BOOST_TEST(answer.content_type.starts_with("text/plain"));
    BOOST_TEST(*find_header(answer.headers, "X-Content-Type-Options") == "nosniff");
    const auto refused = world.ingest.challenge("meta", get(asked + "wrong"));
    BOOST_TEST(refused.status == 403);
    BOOST_TEST(refused.body.find("script") == std::string::npos);
    BOOST_TEST(world.ingest.challenge("github", get(asked)).status == 405);
    BOOST_TEST(world.ingest.challenge("nobody", get(asked)).status == 404);

    const std::string greeting = R"({"type":"url_verification","challenge":"<b>3eZ</b>","token":"x"})";
    const auto greeted = world.ingest.push("slack", from_slack("1700000000", greeting));
    BOOST_TEST(greeted.status == 200);
    BOOST_TEST(greeted.body == "<b>3eZ</b>");
    BOOST_TEST(greeted.content_type.starts_with("text/plain"));
    auto forged = from_slack("1700000000", greeting);
    forged.headers.back().value.back() ^= 1;
    const auto unanswered = world.ingest.push("slack", forged);
    BOOST_TEST(unanswered.status == 401);
    BOOST_TEST(unanswered.body.find("3eZ") == std::string::npos);
    BOOST_TEST(world.events().empty());
}

BOOST_AUTO_TEST_CASE(P8_what_is_not_stored_is_answered_503) {
    World world;
    world.store.broken = true;
    const auto answer = world.ingest.push("meta", from_meta(kTwoByTwo));
    BOOST_TEST(answer.status == 503);
    BOOST_TEST(find_header(answer.headers, "Retry-After") != nullptr);
    BOOST_TEST(world.events().empty());
}

BOOST_AUTO_TEST_CASE(P9_two_entries_of_two_changes_are_four_events_in_one_transaction) {
    World world;
    const auto answer = world.ingest.push("meta", from_meta(kTwoByTwo));
    BOOST_TEST(answer.status == 200);
    BOOST_TEST(world.store.arrivals == 1);
    std::vector<std::string> names;
    for (const auto& event : world.events()) names.push_back(event.channel + ' ' + event.event_name);
    const std::vector<std::string> expected = {"page feed:1", "page name:1", "page feed:2", "page feed:2"};
    BOOST_CHECK_EQUAL_COLLECTIONS(names.begin(), names.end(), expected.begin(), expected.end());
    BOOST_TEST(world.store.pending() == 4u);
    BOOST_TEST(world.woken.size() == 4u);
    for (const auto& event : world.events()) BOOST_TEST(answer.body.find(event.id.value) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(P9_each_event_of_a_batch_is_known_again_by_itself) {
    World world;
    world.ingest.push("meta", from_meta(kTwoByTwo));
    const auto again = world.ingest.push("meta", from_meta(kTwoByTwo));
    BOOST_TEST(again.body.find("duplicate") != std::string::npos);
    const std::string half_new = R"({"object":"page","entry":[{"id":"1","time":1700000000,"changes":[
        {"field":"name","value":"A"},{"field":"name","value":"B"}]}]})";
    BOOST_TEST(world.ingest.push("meta", from_meta(half_new)).body.find("duplicate") == std::string::npos);
    BOOST_TEST(world.events().size() == 5u);
}

BOOST_AUTO_TEST_CASE(P9_a_batch_with_one_event_that_no_rule_takes_becomes_all_its_events_when_there_is_one) {
    World world;
    const std::string head =
        "mapping: m\nsources: [meta]\nclass: field\neach: [entry, changes]\n"
        "dedup: ['root:entry']\nrules:\n";
    const std::string rule =
        "  - {name: a, class: feed, channel: X, event_name: 'f:{class}', dedup: ['parent:id', .], payload: .}\n";
    const std::string other =
        "  - {name: b, class: name, channel: X, event_name: n, dedup: ['parent:id', .], payload: .}\n";
    world.mappings = written(head + rule);
    BOOST_TEST(world.ingest.push("meta", from_meta(kTwoByTwo)).status == 200);
    auto events = world.events();
    BOOST_REQUIRE(events.size() == 1u);
    BOOST_TEST((events.front().state == EventState::Unmapped));
    BOOST_TEST((world.ingest.remap(events.front()).error().kind == Error::Kind::Conflict));
    world.mappings = written(head + rule + other);
    BOOST_TEST(world.ingest.remap(events.front()).has_value());
    events = world.events();
    BOOST_TEST(events.size() == 4u);
    for (const auto& event : events) BOOST_TEST((event.state == EventState::Mapped));
    BOOST_TEST(world.store.pending() == 4u);
    BOOST_TEST(!world.ingest.remap(events.front()).has_value());
}

BOOST_AUTO_TEST_CASE(P9_an_unmapped_event_keeps_the_headers_its_mapping_will_need_and_no_secret) {
    World world;
    const std::string head =
        "mapping: m\nsources: [github]\nclass: header:X-GitHub-Event\nkeep_headers: [X-Later, x-later]\n"
        "dedup: ['header:X-GitHub-Delivery']\nrules:\n";
    const std::string rule =
        "  - {name: a, class: issues, channel: Issue, event_name: '{class}:{later}',"
        " fields: {later: 'header:X-Later'}, payload: .}\n";
    world.mappings = written(head + "  - {name: z, class: never, channel: X, event_name: x, payload: .}\n");
    auto request = from_github("issues", "d-1", R"({"action":"opened"})");
    request.headers.push_back({"X-Later", std::string(5000, 'x')});
    request.headers.push_back({"X-Else", "not kept"});
    BOOST_TEST(world.ingest.push("github", request).status == 202);
    const auto unmapped = world.events().front();
    const auto kept = world.store.kept_headers(unmapped.id).value();
    BOOST_TEST(kept.size() == 3u);  // X-Later once, however often and in whatever case it is named
    for (const auto& header : kept) BOOST_TEST(header.value.size() <= 1024u);
    for (const auto* secret : {"Authorization", "X-Hub-Signature-256", "X-Else"})
        BOOST_TEST(find_header(kept, secret) == nullptr, secret);
    world.mappings = written(head + rule);
    BOOST_TEST(world.ingest.remap(unmapped).has_value());
    const auto mapped = world.events().front();
    BOOST_TEST(mapped.event_name == "issues:" + std::string(1024, 'x'));
    BOOST_TEST(mapped.event_class == "issues");
}

BOOST_AUTO_TEST_CASE(P9_more_events_than_a_mapping_allows_are_refused) {
    World world;
    world.mappings = written(
        "mapping: m\nsources: [meta]\nclass: field\neach: [entry, changes]\neach_max: 3\n"
        "rules:\n  - {name: a, class: '.*', channel: X, event_name: n, payload: .}\n");
    const auto answer = world.ingest.push("meta", from_meta(kTwoByTwo));
    BOOST_TEST(answer.status == 400);
    BOOST_TEST(answer.body.find("more than 3 events") != std::string::npos);
    BOOST_TEST(world.events().empty());
}

BOOST_AUTO_TEST_CASE(a_form_is_told_to_be_json) {
    World world;
    auto request = from_github("issues", "d-1", "payload=%7B%22action%22%3A%22opened%22%7D");
    request.headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
    const auto answer = world.ingest.push("github", request);
    BOOST_TEST(answer.status == 400);
    BOOST_TEST(answer.body.find("application/json") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(P11_what_cannot_be_pushed_to_says_why) {
    World world;
    world.sources["off"] = source("github", "github");
    world.sources["off"].enabled = false;
    world.sources["polled"] = source("github", "github");
    world.sources["polled"].push = nullptr;
    const auto request = from_github("ping", "d-1", "{}");
    const auto check = [&](const char* name, int status, const char* code) {
        for (const auto& answer : {world.ingest.push(name, request), world.ingest.challenge(name, get("hub.mode=x"))}) {
            BOOST_TEST(answer.status == status, name);
            BOOST_TEST(code_of(answer) == code, name);
        }
    };
    check("nobody", 404, "unknown_source");
    check("polled", 400, "not_pushed");
    check("off", 410, "source_disabled");
    BOOST_TEST(world.events().empty());
}

BOOST_AUTO_TEST_CASE(P12_the_1001st_request_in_an_hour_is_one_too_many_at_a_limit_of_1000) {
    World world;
    world.sources["github"].limit = {1000, 1h};
    const auto send = [&](int number) {
        world.clock.time += 1ms;
        return world.ingest.push("github", from_github("ping", "d-" + std::to_string(number), "{}"));
    };
    for (int i = 0; i < 1000; ++i) BOOST_TEST(send(i).status == 202, i);
    const auto refused = send(1000);
    BOOST_TEST(refused.status == 429);
    BOOST_TEST(code_of(refused) == "too_many_requests");
    BOOST_REQUIRE(find_header(refused.headers, "Retry-After") != nullptr);
    const auto wait = std::stoi(*find_header(refused.headers, "Retry-After"));
    BOOST_TEST(wait == 3);
    BOOST_TEST(world.events().size() == 1000u);
    world.clock.time += seconds{wait};
    BOOST_TEST(send(1000).status == 202);
    BOOST_TEST(send(1001).status == 429);
    BOOST_TEST(world.ingest.push("meta", from_meta(kTwoByTwo)).status == 200);
}

BOOST_AUTO_TEST_CASE(P12_who_is_not_believed_uses_up_nobodys_limit) {
    World world;
    world.sources["github"].limit = {1, 1h};
    auto forged = from_github("ping", "d-1", "{}");
    forged.body = "{ }";
    for (int i = 0; i < 10; ++i) BOOST_TEST(world.ingest.push("github", forged).status == 401);
    BOOST_TEST(world.ingest.push("github", from_github("ping", "d-1", "{}")).status == 202);
    BOOST_TEST(world.ingest.push("github", from_github("ping", "d-2", "{}")).status == 429);
    world.sources["github"].limit = {2, 1h};
    BOOST_TEST(world.ingest.push("github", from_github("ping", "d-2", "{}")).status == 202);
}

BOOST_AUTO_TEST_SUITE_END()
