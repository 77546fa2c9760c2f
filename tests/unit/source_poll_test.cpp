#include <boost/test/unit_test.hpp>
#include <set>

#include "bridge/api/status.h"
#include "bridge/poll/source_poll.h"
#include "tests/support/notes_store.h"

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

class HandClock final : public Clock {
public:
    TimePoint time{std::chrono::hours{500'000}};
    TimePoint now() const override { return time; }
};

class Notes final : public orbridge::testing::NotesStore {
public:
    std::vector<IntakeHeard> heard;
    Result<std::vector<IntakeHeard>> intakes_heard() override { return heard; }
};

struct Script {
    std::vector<PollStep> steps;
    std::vector<std::string> cursors;
};

class Scripted final : public Poller {
public:
    explicit Scripted(Script& script) : script_(script) {}
    PollStep step(const std::string& cursor) override {
        script_.cursors.push_back(cursor);
        if (script_.steps.empty()) return {.found = {}, .cursor = cursor};
        auto next = script_.steps.front();
        script_.steps.erase(script_.steps.begin());
        return next;
    }
    std::string reads() const override { return "audit"; }
    std::vector<std::string> cannot_tell() const override { return {"Locks."}; }

private:
    Script& script_;
};

struct World {
    HandClock clock{};
    SeededRandom random{1};
    Log log{clock, Log::Level::Error, [](const std::string&) {}};
    Notes store{};
    Script script{};
    PollSettings settings{};
    bool store_fails = false;
    std::unique_ptr<SourcePoll> poll{};

    SourcePoll& running() {
        if (!poll) {
            poll = std::make_unique<SourcePoll>(
                SourceId{"cloud"}, std::make_unique<Scripted>(script), settings,
                SourcePoll::Tools{store, clock, random, log,
                                  [this](const SourceId&, const std::vector<Observed>& found, TimePoint,
                                         const Bookmark& bookmark) -> Result<Observation> {
                                      if (store_fails) return Error{Error::Kind::Unavailable, "disk full"};
                                      store.notes[bookmark.key] = bookmark.value;
                                      return Observation{found.size(), 0};
                                  }});
        }
        return *poll;
    }
    milliseconds step() { return running().step(); }
};

PollStep found(int events, const std::string& cursor, bool more = false) {
    return {std::vector<Observed>(static_cast<std::size_t>(events), Observed{"{}"}), cursor, more};
}

PollStep trouble(Trouble::Kind kind, milliseconds at_least = 0ms) {
    PollStep step;
    step.trouble = Trouble{kind, "no", at_least};
    return step;
}

bool about(milliseconds pause, milliseconds wanted) { return pause >= wanted * 9 / 10 && pause <= wanted * 11 / 10; }

}  // namespace

BOOST_AUTO_TEST_SUITE(source_poll)

BOOST_AUTO_TEST_CASE(D7_D8_one_poll_serves_all_who_ask_and_the_next_has_to_wait) {
    World world;
    world.settings.refresh_min = 10s;
    world.step();
    const auto now = world.clock.time;
    int begun = 0;
    for (int reader = 0; reader < 100; ++reader) {
        const auto verdict = world.running().refresh(now);
        BOOST_TEST(verdict.taken);
        begun += verdict.new_poll ? 1 : 0;
    }
    BOOST_TEST(begun == 1);
    world.step();
    world.step();
    BOOST_TEST(world.script.cursors.size() == 2u);
    const auto soon = world.running().refresh(now + 9s);
    BOOST_TEST(!soon.taken);
    BOOST_TEST((soon.again_at == now + 10s));
    BOOST_TEST(world.running().refresh(now + 10s).new_poll);
}

BOOST_AUTO_TEST_CASE(S2_the_first_poll_is_at_once_and_the_next_an_interval_later) {
    World world;
    BOOST_TEST(about(world.step(), 30s));
    BOOST_TEST(world.script.cursors.size() == 1u);
    BOOST_TEST(about(world.step(), 30s));
    BOOST_TEST(world.script.cursors.size() == 1u);
    world.clock.time += 33s;
    world.step();
    BOOST_TEST(world.script.cursors.size() == 2u);
}

BOOST_AUTO_TEST_CASE(S2_intervals_differ_between_polls) {
    World world;
    std::set<milliseconds> pauses;
    for (int i = 0; i < 20; ++i) {
        pauses.insert(world.step());
        world.clock.time += 40s;
    }
    BOOST_TEST(pauses.size() > 10u);
}

BOOST_AUTO_TEST_CASE(S8_the_cursor_moves_only_with_what_was_stored) {
    World world;
    world.script.steps = {found(2, "a"), found(2, "a")};
    world.store_fails = true;
    world.step();
    BOOST_TEST(world.running().report().failures == 1);
    world.store_fails = false;
    world.clock.time += 10min;
    world.step();
    world.clock.time += 10min;
    world.step();
    BOOST_TEST(world.script.cursors == (std::vector<std::string>{"", "", "a"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(S4_troubles_back_off_up_to_a_limit_and_respect_what_the_source_asks) {
    World world;
    world.script.steps.assign(12, trouble(Trouble::Kind::Unreachable));
    milliseconds last{0};
    for (int i = 0; i < 12; ++i) {
        last = world.step();
        world.clock.time += last;
    }
    BOOST_TEST(about(last, 15min));
    BOOST_TEST(about(world.step(), 30s));  // success resets it
    BOOST_TEST(world.running().report().failures == 0);
    world.clock.time += 1h;
    world.script.steps = {trouble(Trouble::Kind::Busy, 2h)};
    BOOST_TEST((world.step() == 2h));
}

BOOST_AUTO_TEST_CASE(S3_an_error_is_told_and_the_time_of_the_good_data_stays) {
    World world;
    world.step();
    const auto good = world.running().report();
    world.clock.time += 1min;
    world.script.steps = {trouble(Trouble::Kind::Failed)};
    world.step();
    const auto bad = world.running().report();
    BOOST_TEST(bad.error == "no");
    BOOST_TEST((bad.fetched_at == good.fetched_at));
    BOOST_TEST((bad.checked_at != good.checked_at));
}

BOOST_AUTO_TEST_CASE(refused_credentials_stop_until_a_hand_asks) {
    World world;
    world.script.steps = {trouble(Trouble::Kind::Credentials)};
    world.step();
    world.clock.time += 24h;
    world.step();
    BOOST_TEST(world.script.cursors.size() == 1u);
    world.running().soon();
    world.step();
    BOOST_TEST(world.script.cursors.size() == 2u);
}

BOOST_AUTO_TEST_CASE(B1_B2_pushes_slow_polling_down_until_they_fall_silent) {
    World world;
    world.store.heard = {{"cloud", Intake::Webhooks, world.clock.time, 1},
                         {"other", Intake::Push, world.clock.time, 1}};
    BOOST_TEST(about(world.step(), 5min));
    BOOST_TEST((world.running().report().pushes == PushState::Arriving));
    world.clock.time += 2h;
    BOOST_TEST(about(world.step(), 30s));
    BOOST_TEST((world.running().report().pushes == PushState::Silent));
    world.store.heard[0].last_at = world.clock.time;
    world.clock.time += 1min;
    BOOST_TEST(about(world.step(), 5min));
}

BOOST_AUTO_TEST_CASE(B2_the_slow_pace_lasts_no_longer_than_pushes_count_as_arriving) {
    World world;
    world.settings.interval = 1min;
    world.settings.fallback_interval = 3h;
    world.settings.push_timeout = 1h;
    world.store.heard = {{"cloud", Intake::Webhooks, world.clock.time - 20min, 1}};
    BOOST_TEST((world.step() == 40min));
    world.clock.time += 40min;
    BOOST_TEST(about(world.step(), 1min));
    BOOST_TEST((world.running().report().pushes == PushState::Silent));
}

BOOST_AUTO_TEST_CASE(B2_a_push_about_to_fall_silent_makes_polling_no_faster_than_the_interval) {
    PollSettings settings;
    settings.interval = 1min;
    settings.push_timeout = 1h;
    const TimePoint now{100h};
    BOOST_TEST((poll_pause(settings, now - 1h + 1s, now, 0.5) == 1min));
    BOOST_TEST((poll_pause(settings, now, now, 0.5) == settings.fallback_interval));
    BOOST_TEST((poll_pause(settings, std::nullopt, now, 0.5) == 1min));
}

BOOST_AUTO_TEST_CASE(T6_metrics_say_how_polling_goes) {
    PollReport report{.source = {"cloud"}, .pushes = PushState::Silent};
    report.checked_at = TimePoint{1'774'512'000'000ms};
    report.failures = 3;
    report.recovered = 7;
    report.untold = 2;
    report.cannot_tell = {"Locks."};
    Metrics metrics;
    Metrics::Scrape scrape{};
    scrape.now = report.checked_at.value();
    scrape.polls = poll_gauges({report});
    const auto text = metrics.render(scrape);
    const auto shown = [&](const std::string& line) { return text.find(line + "\n") != std::string::npos; };
    BOOST_TEST(shown(R"(orbridge_poll_checked_timestamp_seconds{source="cloud"} 1774512000)"), text);
    BOOST_TEST(text.find("orbridge_poll_fetched_timestamp_seconds{") == std::string::npos);
    BOOST_TEST(text.find("orbridge_poll_next_timestamp_seconds{") == std::string::npos);
    BOOST_TEST(shown(R"(orbridge_poll_failures_in_a_row{source="cloud"} 3)"));
    BOOST_TEST(shown(R"(orbridge_poll_found{source="cloud",what="recovered"} 7)"));
    BOOST_TEST(shown(R"(orbridge_poll_found{source="cloud",what="duplicate"} 0)"));
    BOOST_TEST(shown(R"(orbridge_poll_found{source="cloud",what="untold"} 2)"));
    BOOST_TEST(shown(R"(orbridge_poll_gaps{source="cloud"} 1)"));
    BOOST_TEST(shown(R"(orbridge_poll_push_silent{source="cloud"} 1)"));
}

BOOST_AUTO_TEST_CASE(B5_what_the_first_round_after_a_start_recovers_is_counted) {
    World world;
    world.script.steps = {found(2, "a", true), found(1, "b"), found(4, "c")};
    BOOST_TEST((world.step() == 0ms));
    world.step();
    BOOST_TEST(world.running().report().caught_up == 3u);
    world.clock.time += 1min;
    world.step();
    BOOST_TEST(world.running().report().caught_up == 3u);
    BOOST_TEST(world.running().report().recovered == 7u);
}

BOOST_AUTO_TEST_SUITE_END()
