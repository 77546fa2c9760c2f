#include <boost/test/unit_test.hpp>

#include "adapters/source_registrar.h"
#include "bridge/run/reconciler.h"
#include "tests/support/fake_nextcloud.h"
#include "tests/support/notes_store.h"

using namespace orbridge;
using orbridge::testing::FakeNextcloud;
using orbridge::testing::NotesStore;

namespace {

class HandClock final : public Clock {
public:
    TimePoint now() const override { return time; }
    TimePoint time{std::chrono::hours{480'000}};
};

const SourceId kCloud{"cloud"};

SourceSettings settings() {
    SourceSettings source;
    source.id = kCloud;
    source.type = "openregister";
    source.url = "https://cloud.example.org";
    source.user = "orbridge";
    source.password = Secret("app-password");
    source.secrets = {Secret("s3cret")};
    source.intakes_wanted = {"auto"};
    return source;
}

struct World {
    FakeNextcloud cloud;
    NotesStore store;
    HandClock clock;
    SeededRandom random{7};
    std::vector<std::string> lines;
    Log log{clock, Log::Level::Debug, [this](const std::string& line) { lines.push_back(line); }};
    Names names;
    SourceSettings source = settings();

    std::unique_ptr<Registrar> registrar() {
        return make_source_registrar(source, "https://bridge.example.org", std::ref(cloud), store);
    }
    Reconciler reconciler() {
        std::vector<Reconciler::Source> sources;
        sources.push_back({registrar(), source.reconcile_every, source.names_every});
        return {std::move(sources), {store, clock, random, log, names}};
    }
    RegistrarReport pass(bool afresh = false) { return registrar()->reconcile({clock.time, afresh}); }
    /// Steps until it wants to sleep; returns how long.
    milliseconds settle(Reconciler& reconciler) {
        for (int i = 0; i < 20; ++i)
            if (const auto pause = reconciler.step(); pause > milliseconds{0}) return pause;
        return milliseconds{0};
    }
    /// Lets time pass in the steps it asks for.
    void run(Reconciler& reconciler, milliseconds span) {
        const auto end = clock.time + span;
        while (clock.time < end) clock.time = std::min(end, clock.time + std::max(settle(reconciler), milliseconds{1}));
    }
    std::size_t lines_with(const std::string& text) const {
        return static_cast<std::size_t>(std::count_if(
            lines.begin(), lines.end(), [&](const auto& line) { return line.find(text) != std::string::npos; }));
    }
};

bool asked_for(const std::vector<std::string>& asked, const std::string& text) {
    return std::any_of(asked.begin(), asked.end(),
                       [&](const auto& line) { return line.find(text) != std::string::npos; });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(source_registrar)

BOOST_AUTO_TEST_CASE(auto_says_once_that_listeners_are_refused_and_uses_webhooks) {
    World world;
    auto report = world.pass();
    BOOST_TEST(world.cloud.listeners.empty());
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
    BOOST_TEST(report.as_configured.at(Intake::Webhooks));
    BOOST_TEST(!report.as_configured.contains(Intake::Listeners));
    BOOST_TEST((report.state == RegistrarState::Degraded));
    BOOST_TEST(report.cannot_arrive.at(0).find("hooks are not configured") != std::string::npos);
    const auto news = [&] {
        return std::count_if(report.registrations.begin(), report.registrations.end(),
                             [](const auto& one) { return one.news && one.state == RegistrationState::Refused; });
    };
    BOOST_TEST(news() == 1);
    const auto asked = world.cloud.asked();
    BOOST_TEST(std::count_if(asked.begin(), asked.end(),
                             [](const auto& line) { return line.starts_with("POST /ocs/"); }) == 1);
    report = world.pass();
    BOOST_TEST(news() == 0);
    BOOST_TEST(!asked_for(world.cloud.asked(), "/ocs/"));
    world.clock.time += std::chrono::hours{25};
    report = world.pass();
    BOOST_TEST(news() == 0);
    BOOST_TEST(asked_for(world.cloud.asked(), "/ocs/"));
}

BOOST_AUTO_TEST_CASE(auto_goes_over_to_listeners_once_they_are_taken) {
    World world;
    world.source.classes = {R"(OCA\OpenRegister\Event\ObjectCreatedEvent)"};
    world.pass();
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
    world.cloud.compatible.insert(world.source.classes.front());
    const auto report = world.pass(true);
    BOOST_TEST((report.state == RegistrarState::Ok), report.message);
    BOOST_TEST(world.cloud.listeners.size() == 1U);
    BOOST_TEST(world.cloud.webhooks.empty());
    world.cloud.asked();
    world.pass();
    BOOST_TEST(world.cloud.asked().size() == 1U);
}

BOOST_AUTO_TEST_CASE(auto_needs_no_administrator_and_no_webhook_listeners) {
    World world;
    world.cloud.admin = false;
    BOOST_TEST(world.pass().as_configured.at(Intake::Webhooks));
    World other;
    other.cloud.disabled.insert("webhook_listeners");
    BOOST_TEST(other.pass().as_configured.at(Intake::Webhooks));
}

BOOST_AUTO_TEST_CASE(auto_sets_hooks_when_they_are_configured) {
    World world;
    world.source.hook_token = Secret("t0ken");
    world.source.schemas = {"zaak"};
    const auto report = world.pass();
    BOOST_TEST((report.state == RegistrarState::Ok), report.message);
    BOOST_TEST(world.cloud.engines.size() == 1U);
    BOOST_TEST(report.as_configured.at(Intake::Hooks));
}

BOOST_AUTO_TEST_CASE(a_way_given_up_is_taken_back_even_after_a_restart) {
    World world;
    world.source.hook_token = Secret("t0ken");
    world.source.schemas = {"zaak"};
    world.pass();
    world.source.intakes_wanted = {"hooks"};
    world.pass();
    BOOST_TEST(world.cloud.webhooks.empty());
    world.source.intakes_wanted = {"webhooks"};
    world.pass();
    BOOST_TEST(world.cloud.engines.empty());
    BOOST_TEST(world.cloud.schemas[27]["hooks"] == "[]");
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
}

BOOST_AUTO_TEST_CASE(off_touches_nothing) {
    World world;
    world.pass();
    world.source.intakes_wanted = {"off"};
    world.cloud.asked();
    BOOST_TEST((world.pass().state == RegistrarState::Ok));
    BOOST_TEST(world.cloud.asked().empty());
}

BOOST_AUTO_TEST_CASE(nothing_is_asked_without_credentials) {
    World world;
    world.source.password = Secret();
    BOOST_TEST((world.pass().state == RegistrarState::Ok));
    BOOST_TEST((world.registrar()->names().slugs.empty()));
    world.source.intakes_wanted = {"webhooks"};
    BOOST_TEST((world.pass().state == RegistrarState::Failed));
    BOOST_TEST(world.cloud.asked().empty());
}

BOOST_AUTO_TEST_CASE(unregistering_removes_whatever_was_registered) {
    World world;
    world.source.hook_token = Secret("t0ken");
    world.source.schemas = {"*"};
    world.pass();
    const auto report = world.registrar()->unregister({world.clock.time, true});
    BOOST_TEST(!report.trouble);
    BOOST_TEST(world.cloud.webhooks.empty());
    BOOST_TEST(world.cloud.engines.empty());
    BOOST_TEST(world.cloud.schemas[28]["hooks"] == "[]");
}

BOOST_AUTO_TEST_CASE(a_source_of_type_nextcloud_gets_listeners) {
    World world;
    world.source.type = "nextcloud";
    const auto report = world.pass();
    BOOST_TEST((report.state == RegistrarState::Ok), report.message);
    BOOST_TEST(world.cloud.listeners.size() == 2U);
    BOOST_TEST(world.cloud.webhooks.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(reconciler)

BOOST_AUTO_TEST_CASE(registrations_are_kept_right_at_the_set_interval) {
    World world;
    auto reconciler = world.reconciler();
    world.run(reconciler, milliseconds{1});
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
    world.cloud.webhooks.clear();
    world.run(reconciler, std::chrono::minutes{6});
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
    BOOST_TEST(world.lines_with("registration.changed") == 3U);  // created twice, listeners refused once
}

BOOST_AUTO_TEST_CASE(wrong_credentials_cost_exactly_one_request) {
    World world;
    world.cloud.password = "another";
    auto reconciler = world.reconciler();
    world.run(reconciler, std::chrono::hours{48});
    BOOST_TEST(world.cloud.requests.size() == 1U);
    const auto report = reconciler.reports().at(0);
    BOOST_TEST((report.state == RegistrarState::Stopped));
    BOOST_TEST(!report.next_try);
    world.cloud.password = "app-password";
    BOOST_TEST(reconciler.reconcile_soon(kCloud));
    world.run(reconciler, milliseconds{1});
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
    BOOST_TEST(!reconciler.reconcile_soon({"unknown"}));
}

BOOST_AUTO_TEST_CASE(a_daemon_restarted_over_and_over_stays_below_the_lockout) {
    World world;
    world.cloud.password = "another";
    for (int restart = 0; restart < 60; ++restart) {
        auto reconciler = world.reconciler();
        world.run(reconciler, seconds{30});
    }
    BOOST_TEST(world.cloud.failed_logins <= 7U);
    world.source.password = Secret("another");
    auto reconciler = world.reconciler();
    world.run(reconciler, milliseconds{1});
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
}

BOOST_AUTO_TEST_CASE(credentials_revoked_later_stop_the_names_as_well) {
    World world;
    auto reconciler = world.reconciler();
    world.run(reconciler, milliseconds{1});
    world.cloud.password = "another";
    world.run(reconciler, std::chrono::hours{5});
    BOOST_TEST(world.cloud.failed_logins == 1U);
    BOOST_TEST((reconciler.reports().at(0).state == RegistrarState::Stopped));
}

BOOST_AUTO_TEST_CASE(maintenance_is_waited_out_and_not_hammered) {
    World world;
    world.cloud.maintenance = true;
    auto reconciler = world.reconciler();
    world.run(reconciler, std::chrono::hours{1});
    BOOST_TEST(world.cloud.requests.size() <= 20U);
    world.cloud.maintenance = false;
    world.run(reconciler, std::chrono::minutes{20});
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
}

BOOST_AUTO_TEST_CASE(too_many_requests_are_answered_by_distance) {
    World world;
    world.cloud.throttled = true;
    world.cloud.headers["Retry-After"] = "1800";
    auto reconciler = world.reconciler();
    world.run(reconciler, std::chrono::minutes{29});
    BOOST_TEST(world.cloud.requests.size() == 1U);
}

BOOST_AUTO_TEST_CASE(backoff_doubles_up_to_a_quarter_of_an_hour) {
    const Trouble trouble{Trouble::Kind::Unreachable, "", {}};
    BOOST_TEST((reconcile_backoff(trouble, 1) == seconds{10}));
    BOOST_TEST((reconcile_backoff(trouble, 3) == seconds{40}));
    BOOST_TEST((reconcile_backoff(trouble, 1000) == std::chrono::minutes{15}));
    BOOST_TEST((reconcile_backoff({Trouble::Kind::Busy, "", std::chrono::hours{2}}, 1) == std::chrono::hours{2}));
    BOOST_TEST((reconcile_backoff({Trouble::Kind::Rights, "", {}}, 1) == std::chrono::minutes{5}));
}

BOOST_AUTO_TEST_CASE(names_are_readable_after_a_restart_while_nextcloud_is_down) {
    World world;
    {
        auto reconciler = world.reconciler();
        world.run(reconciler, milliseconds{1});
    }
    BOOST_TEST(world.names.slug(kCloud, "schema", "27").value() == "zaak");
    BOOST_TEST(world.names.slug(kCloud, "register", "5").value() == "zaken");
    world.names.replace(kCloud, "schema", {});
    world.cloud.down = true;
    auto reconciler = world.reconciler();
    BOOST_TEST(world.names.slug(kCloud, "schema", "27").value() == "zaak");
    world.run(reconciler, std::chrono::hours{1});
    BOOST_TEST(world.names.slug(kCloud, "schema", "27").value() == "zaak");
}

BOOST_AUTO_TEST_CASE(names_are_fetched_again_and_again) {
    World world;
    auto reconciler = world.reconciler();
    world.run(reconciler, milliseconds{1});
    world.cloud.schemas[27]["slug"] = R"("renamed")";
    world.run(reconciler, std::chrono::minutes{12});
    BOOST_TEST(world.names.slug(kCloud, "schema", "27").value() == "renamed");
}

BOOST_AUTO_TEST_CASE(unregistered_on_request_stays_so_until_asked) {
    World world;
    auto reconciler = world.reconciler();
    world.run(reconciler, milliseconds{1});
    reconciler.unregister_soon(kCloud);
    world.run(reconciler, std::chrono::hours{2});
    BOOST_TEST(world.cloud.webhooks.empty());
    BOOST_TEST((reconciler.reports().at(0).state == RegistrarState::Stopped));
    reconciler.reconcile_all_soon();
    world.run(reconciler, milliseconds{1});
    BOOST_TEST(world.cloud.webhooks.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_state_is_logged_when_it_changes_and_no_secret_ever) {
    World world;
    world.cloud.down = true;
    auto reconciler = world.reconciler();
    world.run(reconciler, std::chrono::hours{2});
    BOOST_TEST(world.lines_with("registrar.state") == 1U);
    world.cloud.down = false;
    world.run(reconciler, std::chrono::hours{1});
    BOOST_TEST(world.lines_with("registrar.state") == 2U);
    for (const auto* secret : {"app-password", "s3cret"}) BOOST_TEST(world.lines_with(secret) == 0U);
    for (const auto& [key, note] : world.store.notes) {
        BOOST_TEST(note.find("app-password") == std::string::npos);
        BOOST_TEST(note.find("s3cret") == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(nothing_is_changed_while_the_store_cannot_be_read) {
    World world;
    world.store.broken = true;
    auto reconciler = world.reconciler();
    world.run(reconciler, milliseconds{1});
    BOOST_TEST((reconciler.reports().at(0).state == RegistrarState::Failed));
    BOOST_TEST(world.cloud.webhooks.empty());
}

BOOST_AUTO_TEST_SUITE_END()
