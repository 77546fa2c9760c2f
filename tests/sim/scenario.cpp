#include "tests/sim/scenario.h"

#include <algorithm>

#include "bridge/core/json.h"

namespace orbridge::sim {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

class Maker {
public:
    explicit Maker(std::uint64_t seed) : random_(seed ^ 0x5deece66dULL) { scenario_.seed = seed; }

    Scenario make() {
        scenario_.length = milliseconds{number(20'000, chance(25) ? 1'800'000 : 240'000)};
        make_targets();
        make_changes();
        make_actions();
        std::stable_sort(scenario_.actions.begin(), scenario_.actions.end(),
                         [](const Action& a, const Action& b) { return a.at < b.at; });
        return std::move(scenario_);
    }

private:
    int number(int least, int most) {
        return least + static_cast<int>(random_.bits() % static_cast<std::uint64_t>(most - least + 1));
    }
    bool chance(int percent) { return number(0, 99) < percent; }
    milliseconds some_time() { return milliseconds{number(0, static_cast<int>(scenario_.length.count()))}; }

    Manner flaky() {
        const int share = number(10, 110);
        Manner manner;
        for (const auto fate : {Fate::AnsweredLate, Fate::Never, Fate::Refused, Fate::ResetBefore, Fate::ResetAfter,
                                Fate::Trouble, Fate::TroubleAfter, Fate::Limited, Fate::LimitedUntil, Fate::Page})
            if (chance(70)) manner[fate] = share;
        if (chance(20)) manner[Fate::Unwanted] = 30;
        return manner;
    }

    BreakerPolicy breaker() {
        BreakerPolicy policy;
        policy.failures_in_a_row = number(2, 6);
        policy.share_least = 1'000;  // the books count what comes in a row
        policy.open_least = seconds{number(2, 20)};
        policy.open_most = std::max<milliseconds>(policy.open_least, seconds{number(10, 120)});
        return policy;
    }

    void make_targets() {
        scenario_.config.in_flight_max = number(6, 14);
        auto& targets = scenario_.config.targets;
        targets.push_back({.id = {"steady"}, .in_flight_max = number(2, 5), .steady = true});
        targets.push_back({.id = {"flaky"}, .in_flight_max = number(1, 3), .manner = flaky()});
        if (chance(40)) targets.back().retry.schedule = {seconds{1}, seconds{5}, seconds{15}};
        if (chance(50)) targets.back().breaker = breaker();
        if (chance(30)) targets.back().rate = {number(1, 4), seconds{number(1, 10)}};
        targets.back().latest_only = chance(30);
        targets.push_back({.id = {"hanging"}, .in_flight_max = number(1, 4)});
        targets.back().manner = {{Fate::Never, number(700, 1'000)}};
        if (chance(50)) targets.back().breaker = breaker();
        targets.push_back({.id = {"plain"}, .kind = OtherSide::Kind::Plain, .in_flight_max = number(1, 5)});
        if (chance(25)) targets.back().loop_limit = number(2, 4);
        if (chance(25)) targets.back().rate = {number(1, 3), seconds{number(1, 5)}};
        if (chance(15)) scenario_.config.backlog_max = number(8, 40);
        const int share = number(0, 60);
        const Manner uncertain = {{Fate::Never, share},       {Fate::Refused, share}, {Fate::ResetBefore, share},
                                  {Fate::ResetAfter, share},  {Fate::Trouble, share}, {Fate::TroubleAfter, share},
                                  {Fate::AnsweredLate, share}};
        targets.back().manner = uncertain;
        if (!chance(40)) return;
        targets.push_back({.id = target_of_hook("subscriber"), .kind = OtherSide::Kind::Plain, .in_flight_max = 1});
        targets.back().lease = milliseconds{number(5'000, 2 * static_cast<int>(scenario_.length.count()))};
        targets.back().manner = uncertain;
    }

    void make_changes() {
        const int subjects = number(1, chance(30) ? 9 : 4);
        const int count = number(4, chance(30) ? 30 : 12);
        const bool burst = chance(30);
        static const char* const kVerbs[] = {"Created", "Updated", "Updated", "Deleted"};
        for (int change = 0; change < count; ++change) {
            scenario_.changes.push_back({number(0, subjects - 1), kVerbs[number(0, 3)]});
            tell(change, burst ? milliseconds{number(0, 2'000)} : some_time());
        }
    }

    /// Once, or several times: repeated, in the other format, through the other intake.
    void tell(int change, milliseconds at) {
        add(change, chance(50) ? Telling::Form::Standard : Telling::Form::CloudEvent, at);
        if (chance(20)) add(change, Telling::Form::Standard, at + milliseconds{number(0, 3'000)});
        if (chance(20)) add(change, Telling::Form::CloudEvent, at + milliseconds{number(0, 60'000)});
        if (chance(40)) add(change, Telling::Form::Hook, at + milliseconds{number(0, 5'000)});
        if (chance(10)) add(change, Telling::Form::Hook, at + milliseconds{number(0, 5'000)});
    }
    void add(int change, Telling::Form form, milliseconds at) {
        scenario_.actions.push_back({Action::Kind::Tell, at, static_cast<int>(scenario_.tellings.size()), {}});
        scenario_.tellings.push_back({form, change, at});
    }
    void act(Action::Kind kind, milliseconds at, int with = 0, milliseconds by = {}) {
        scenario_.actions.push_back({kind, at, with, by});
    }

    void make_actions() {
        for (int n = chance(40) ? 0 : number(1, 2); n > 0; --n)
            act(chance(60) ? Action::Kind::Crash : chance(50) ? Action::Kind::Kill : Action::Kind::Stop, some_time());
        const auto trouble_from = some_time();
        const auto trouble_for = milliseconds{number(100, 20'000)};
        if (chance(40)) {
            act(Action::Kind::Trouble, trouble_from, chance(30) ? 1'000 : number(50, 700));
            act(Action::Kind::Trouble, trouble_from + trouble_for, 0);
        }
        const auto step_at = chance(50) ? some_time() : trouble_from + trouble_for / 2;
        if (chance(25)) act(Action::Kind::StepClock, step_at, 0, chance(50) ? hours{1} : -hours{1});
        if (chance(25)) {
            const auto from = some_time();
            act(Action::Kind::Remove, from, number(0, 3));
            act(Action::Kind::Restore, from + milliseconds{number(1'000, 60'000)});
        }
        if (chance(20)) act(Action::Kind::ReplayDead, some_time());
        if (chance(15)) act(Action::Kind::ReplayTarget, some_time(), number(0, 3));
        if (chance(20)) act(Action::Kind::ReplayEvent, some_time());
        if (chance(15)) act(Action::Kind::Cancel, some_time());
        if (chance(25)) {
            const int target = number(1, 3);
            const auto from = some_time();
            act(Action::Kind::Pause, from, target);
            act(Action::Kind::Resume, from + milliseconds{number(1'000, 90'000)}, target);
        }
    }

    SeededRandom random_;
    Scenario scenario_;
};

std::string uuid_of(int subject) { return "c0ffee00-1234-4abc-9def-00000000000" + std::to_string(subject); }

std::string time_of(int change) {
    const auto time = TimePoint{hours{500'000}} + minutes{change};
    return to_iso8601(time).substr(0, 19) + "+00:00";
}

void write_own(JsonWriter& json, int change) {
    json.member("status", "step " + std::to_string(change)).member("leges", 332.5);
}

void write_object(JsonWriter& json, const Change& change, int number) {
    json.object();
    write_own(json, number);
    json.key("@self").object().member("id", uuid_of(change.subject)).member("register", "3").member("schema", "12");
    json.member("version", "0.0." + std::to_string(number)).member("updated", time_of(number)).end();
    json.member("id", uuid_of(change.subject)).end();
}

void write_data(JsonWriter& json, const Change& change, int number) {
    json.key("data").object().member("objectType", "object").key("object");
    write_object(json, change, number);
    json.member("objectUuid", uuid_of(change.subject)).member("register", "3").member("schema", "12");
    json.member("timestamp", time_of(number)).end();
}

void write_hook_data(JsonWriter& json, const Change& change, int number) {
    json.key("data").object().key("object").object().member("id", uuid_of(change.subject));
    write_own(json, number);
    json.end().member("schema", "zaak").member("register", "3").member("hookMode", "async").end();
}

std::string lower(std::string verb) {
    verb.front() = static_cast<char>(verb.front() - 'A' + 'a');
    return verb;
}

}  // namespace

Scenario make_scenario(std::uint64_t seed) { return Maker(seed).make(); }

Scenario small_scenario() {
    Scenario scenario;
    scenario.seed = 1;
    scenario.length = seconds{30};
    scenario.config.targets.push_back({.id = {"steady"}, .in_flight_max = 2, .steady = true});
    scenario.config.targets.push_back({.id = {"plain"}, .kind = OtherSide::Kind::Plain, .in_flight_max = 2});
    scenario.config.targets.back().breaker = BreakerPolicy{.failures_in_a_row = 1, .open_least = seconds{2}};
    scenario.changes = {{1, "Created"}, {1, "Updated"}, {2, "Created"}};
    scenario.tellings = {
        {Telling::Form::Standard, 0, {}}, {Telling::Form::Hook, 1, {}}, {Telling::Form::CloudEvent, 2, {}}};
    scenario.actions = {
        {Action::Kind::Tell, seconds{1}, 0, {}},         {Action::Kind::Tell, seconds{2}, 1, {}},
        {Action::Kind::Tell, seconds{2}, 2, {}},         {Action::Kind::Stop, seconds{5}, 0, {}},
        {Action::Kind::Pause, seconds{8}, 1, {}},        {Action::Kind::ReplayTarget, seconds{10}, 0, {}},
        {Action::Kind::ReplayEvent, seconds{15}, 0, {}}, {Action::Kind::Resume, seconds{20}, 1, {}}};
    return scenario;
}

InboundRequest request_for(const Scenario& scenario, const Telling& telling) {
    const auto& change = scenario.changes.at(static_cast<std::size_t>(telling.change));
    const std::string event_class = "OCA\\OpenRegister\\Event\\Object" + change.verb + "Event";
    JsonWriter json;
    json.object();
    switch (telling.form) {
        case Telling::Form::Standard:
            json.member("event", event_class);
            write_data(json, change, telling.change);
            json.member("timestamp", time_of(telling.change)).member("attempt", 1);
            break;
        case Telling::Form::CloudEvent:
            json.member("specversion", "1.0").member("type", event_class).member("time", time_of(telling.change));
            write_data(json, change, telling.change);
            break;
        case Telling::Form::Hook:
            json.member("specversion", "1.0").member("type", "nl.openregister.object." + lower(change.verb));
            json.member("source", "/apps/openregister/registers/3/schemas/12");
            json.member("time", time_of(telling.change));
            write_hook_data(json, change, telling.change);
            break;
    }
    json.end();
    return {.method = "POST",
            .path = "/ingest/cloud",
            .query = {},
            .headers = {{"Content-Type", "application/json"}, {"X-Webhook-Signature", "unchecked"}},
            .body = std::move(json).text(),
            .peer = {}};
}

}  // namespace orbridge::sim
