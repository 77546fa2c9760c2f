// What every store promises about forgetting a subject.
#include <boost/mpl/list.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bridge/store/sqlite.h"
#include "tests/conformance/store_world.h"

namespace orbridge::testing {
namespace {

using Stores = boost::mpl::list<InMemory, InSqlite>;

const std::string kSubject = "object:3/12/7f2c";
const std::string kPlanted = "Vera Verboven, Kerkstraat 7";

/// An event about the subject, full of what must not be left.
template <class W>
NewEvent personal(W& world, const std::string& dedup, const std::string& subject = kSubject) {
    auto event = world.event_with({world.delivery_to("t", subject)}, dedup);
    event.event.intake = Intake::Push;
    event.event.subject = subject;
    event.event.event_name = "updated:people:person:7f2c " + kPlanted;
    event.event.payload = R"({"object":{"name":")" + kPlanted + dedup + R"("}})";
    event.leaves = SubjectState{R"({"name":")" + kPlanted + dedup + R"("})", false, {}, {}};
    event.deliveries.back().mark = "by " + kPlanted;
    return event;
}

template <class W>
Settle failing(W& world, const Claim& claim, Settlement settlement) {
    auto settle = world.end_of(claim, std::move(settlement));
    settle.attempt.answer = "no such person: " + kPlanted;
    settle.attempt.reason = "refused " + kPlanted;
    settle.reference = "job-1";
    return settle;
}

bool holds(const std::filesystem::path& file, const std::string& text) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    return bytes.find(text) != std::string::npos;
}

/// Two events, one delivered with a followed job and one that waits for a retry, a third that waits its turn; a row
/// in the audit; and an event about another subject.
template <class Place>
struct Kept : World<Place> {
    Accepted first, second, third, other;

    Kept() {
        first = this->accept(personal(*this, "1"));
        second = this->accept(personal(*this, "2"));
        third = this->accept(personal(*this, "3"));
        other = this->accept(personal(*this, "4", "object:3/12/other"));
        auto claims = this->claim("t", 1).claims;
        auto delivered = failing(*this, claims.at(0), Finished{});
        delivered.follow_job = true;
        BOOST_REQUIRE(this->store->settle({delivered}, this->clock.time).has_value());
        FollowedJob job{claims.at(0).delivery.id, {"t"}, "job-1", "running", kPlanted, 1, this->clock.time};
        BOOST_REQUIRE(this->store->record_job(job).has_value());
        claims = this->claim("t", 1).claims;
        const RetryAt later{this->clock.time + std::chrono::hours{1}};
        BOOST_REQUIRE(this->store->settle({failing(*this, claims.at(0), later)}, this->clock.time).has_value());
        BOOST_REQUIRE(this->store->add_audit({0, this->clock.time, "admin", "event.replay", kSubject, R"({"count":1})"})
                          .has_value());
        BOOST_REQUIRE(this->store
                          ->add_audit({0, this->clock.time, "admin", "replay.start", "r1",
                                       R"({"subject":")" + kSubject + R"("})"})
                          .has_value());
    }
    Erasure erase(bool dry_run = false) {
        const auto erased = this->store->erase({kSubject, "", dry_run}, this->clock.time);
        BOOST_REQUIRE_MESSAGE(erased.has_value(), message_of(erased));
        return *erased;
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(erasure_in_store)

BOOST_AUTO_TEST_CASE_TEMPLATE(a_dry_run_counts_what_would_go_and_changes_nothing, Place, Stores) {
    Kept<Place> world;
    const auto counted = world.erase(true);
    BOOST_TEST(counted.events == 3u);
    BOOST_TEST(counted.deliveries == 2u);
    BOOST_TEST(counted.attempts == 2u);
    BOOST_TEST(counted.jobs == 1u);
    BOOST_TEST(counted.snapshots == 1u);
    BOOST_TEST(counted.audit == 2u);
    BOOST_TEST(world.store->event(world.first.id).value().subject == kSubject);
    BOOST_TEST(world.store->pending() == 3u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_subject_is_forgotten_everywhere_and_its_events_stay_as_tombstones, Place, Stores) {
    Kept<Place> world;
    const auto erased = world.erase();
    BOOST_TEST(erased.events == 3u);
    BOOST_TEST(erased.deliveries == 2u);
    BOOST_TEST(erased.attempts == 2u);
    BOOST_TEST(erased.jobs == 1u);
    BOOST_TEST(erased.snapshots == 1u);
    BOOST_TEST(erased.audit == 2u);
    BOOST_TEST(erased.flushed);
    world.restart();
    for (const auto& id : {world.first.id, world.second.id, world.third.id}) {
        const auto event = world.store->event(id).value();
        BOOST_TEST((event.state == EventState::Erased));
        BOOST_TEST(event.payload.empty());
        BOOST_TEST(event.event_name == "updated");
        BOOST_TEST(event.subject == erased.name);
        BOOST_TEST(event.channel == "Object");
        BOOST_TEST(!world.store->difference(id).value().has_value());
        DeliveryQuery query;
        query.event = id.value;
        const auto rows = world.store->deliveries(query).value();
        for (const auto& row : rows) {
            BOOST_TEST(row.reason.find(kPlanted) == std::string::npos);
            BOOST_TEST((row.state != DeliveryState::Pending));
            const auto attempts = world.store->attempts(row.id).value();
            for (const auto& attempt : attempts)
                BOOST_TEST((attempt.answer.empty() && attempt.reason.empty() && attempt.outcome == "delivered"));
            if (const auto job = world.store->job_of(row.id).value()) {
                BOOST_TEST(job->result.empty());
                BOOST_TEST(job->state == "lost");
            }
        }
    }
    BOOST_TEST(!world.store->snapshot({"cloud"}, kSubject).value().has_value());
    BOOST_TEST(!world.store->next_job_check().value().has_value());
    const auto audit = world.store->audit({}).value();
    for (const auto& row : audit) {
        BOOST_TEST(row.subject.find(kSubject) == std::string::npos);
        BOOST_TEST(row.detail.find(kSubject) == std::string::npos);
    }
    const auto counts = world.store->counts().value();
    BOOST_TEST(counts.events == 4u);
    BOOST_TEST(counts.targets.at({"t"}).delivered == 1u);
    BOOST_TEST(counts.targets.at({"t"}).cancelled == 2u);
    BOOST_TEST(counts.targets.at({"t"}).pending == 1u);
}

namespace {

template <class W>
NewEvent without_subject(W& world, const std::string& dedup, const std::string& payload, EventState state) {
    auto event = personal(world, dedup, "");
    event.leaves.reset();
    event.event.payload = payload;
    event.event.state = state;
    if (state == EventState::Unmapped) event.headers = {{"X-Person", kPlanted}};
    return event;
}

}  // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(events_without_a_subject_that_name_it_are_erased_too, Place, Stores) {
    const std::string subject = "object:3/12/7f2c0a11";
    const std::string named = R"({"who":{"id":"7f2c0a11"},"name":")" + kPlanted + R"("})";
    World<Place> world;
    const auto unmapped = world.accept(without_subject(world, "1", named, EventState::Unmapped));
    const auto mapped = world.accept(without_subject(world, "2", named, EventState::Mapped));
    const auto other = world.accept(without_subject(world, "3", R"({"id":"7f2c0a12"})", EventState::Unmapped));
    const auto about_other = world.accept(personal(world, "4", "object:3/12/about another"));
    const auto counted = world.store->erase({.subject = subject, .dry_run = true}, world.clock.time).value();
    BOOST_TEST(counted.events == 2u);
    BOOST_TEST(counted.without_subject == 2u);
    BOOST_TEST(counted.searched);
    const auto erased = world.store->erase({.subject = subject}, world.clock.time).value();
    BOOST_TEST(erased.events == 2u);
    BOOST_TEST(erased.without_subject == 2u);
    BOOST_TEST(erased.searched);
    BOOST_TEST(world.store->counts().value().unmapped == 1u);
    for (const auto& id : {unmapped.id, mapped.id}) {
        BOOST_TEST((world.store->event(id).value().state == EventState::Erased));
        BOOST_TEST(world.store->event(id).value().subject == erased.name);
        BOOST_TEST(world.store->event(id).value().payload.empty());
    }
    BOOST_TEST(world.store->kept_headers(unmapped.id).value().empty());
    BOOST_TEST((world.store->event(other.id).value().state == EventState::Unmapped));
    BOOST_TEST((world.store->event(about_other.id).value().state == EventState::Mapped));
    world.restart();
    BOOST_TEST(world.store->counts().value().unmapped == 1u);
    const auto again = world.accept(without_subject(world, "2", named, EventState::Mapped));
    BOOST_TEST(again.duplicate);
    BOOST_TEST(again.id.value == mapped.id.value);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_name_that_is_too_short_is_searched_for_only_if_it_is_given, Place, Stores) {
    World<Place> world;
    const auto event = world.accept(without_subject(world, "1", R"({"say \"x\"":1,"id":"7"})", EventState::Mapped));
    const auto short_ = world.store->erase({.subject = "item:7"}, world.clock.time).value();
    BOOST_TEST(!short_.searched);
    BOOST_TEST(short_.events == 0u);
    const auto given = world.store->erase({.subject = "item:7", .text = R"("x")"}, world.clock.time).value();
    BOOST_TEST(given.searched);
    BOOST_TEST(given.without_subject == 1u);
    BOOST_TEST((world.store->event(event.id).value().state == EventState::Erased));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(others_are_left_alone_when_a_subject_is_forgotten, Place, Stores) {
    Kept<Place> world;
    world.erase();
    const auto event = world.store->event(world.other.id).value();
    BOOST_TEST(event.payload.find(kPlanted) != std::string::npos);
    BOOST_TEST(world.store->snapshot({"cloud"}, "object:3/12/other").value().has_value());
    const auto claims = world.claim("t").claims;
    BOOST_REQUIRE(claims.size() == 1u);
    BOOST_TEST((claims[0].delivery.event.id == world.other.id));
    BOOST_TEST(world.store->erase({kSubject, "elsewhere"}, world.clock.time).value().events == 0u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_told_again_of_an_erased_subject_is_a_duplicate_and_brings_nothing_back, Place,
                              Stores) {
    Kept<Place> world;
    const auto version = world.store->snapshot({"cloud"}, kSubject).value()->version;
    world.erase();
    const auto again = world.accept(personal(world, "3"));
    BOOST_TEST(again.duplicate);
    BOOST_TEST(again.id.value == world.third.id.value);
    BOOST_TEST(!world.store->snapshot({"cloud"}, kSubject).value().has_value());
    world.restart();
    BOOST_TEST(world.accept(personal(world, "3")).id.value == world.third.id.value);
    BOOST_TEST(!world.accept(personal(world, "5")).duplicate);  // a change since then is another matter
    BOOST_TEST(world.store->snapshot({"cloud"}, kSubject).value()->version > version);
    BOOST_TEST(world.erase().events == 1u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_attempt_under_way_leaves_nothing_of_an_erased_subject, Place, Stores) {
    World<Place> world;
    const auto event = world.accept(personal(world, "1"));
    const auto claim = world.claim("t").claims.at(0);
    BOOST_REQUIRE(world.store->erase({kSubject}, world.clock.time).has_value());
    const auto recorded = world.store->settle({failing(world, claim, Finished{})}, world.clock.time);
    BOOST_TEST(!recorded.value().front());
    BOOST_TEST(world.store->attempts(claim.delivery.id).value().empty());
    const FollowedJob late{claim.delivery.id, {"t"}, "job-1", "running", kPlanted, 1, world.clock.time};
    BOOST_REQUIRE(world.store->record_job(late).has_value());
    BOOST_TEST(world.store->job_of(claim.delivery.id).value()->result.empty());
    BOOST_TEST(!world.store->next_job_check().value().has_value());
    const auto added = world.store->add_deliveries(event.id, {world.delivery_to("t")});
    BOOST_REQUIRE(!added.has_value());
    BOOST_TEST((added.error().kind == Error::Kind::NotFound));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_mapped_to_an_erased_event_brings_nothing_back, Place, Stores) {
    World<Place> world;
    const auto told = world.accept(personal(world, "1"));
    const auto unmapped = world.accept(without_subject(world, "raw", "{}", EventState::Unmapped));
    BOOST_TEST(world.store->erase({.subject = kSubject}, world.clock.time).value().events == 1u);
    const auto mapped = world.store->remap(unmapped.id, personal(world, "1"));
    BOOST_TEST((!mapped && mapped.error().kind == Error::Kind::Conflict));
    BOOST_TEST((world.store->event(unmapped.id).value().state == EventState::Unmapped));
    BOOST_TEST((world.store->event(told.id).value().state == EventState::Erased));
    BOOST_TEST(!world.store->snapshot({"cloud"}, kSubject).value().has_value());
}

BOOST_AUTO_TEST_CASE(keys_go_with_what_they_stand_for) {
    World<InSqlite> world;
    const auto count = [&] {
        Database db(world.place.settings().path, Database::Mode::ReadOnly);
        auto keys = db.run("SELECT count(*) FROM keys");
        return keys.next() ? keys->integer(0) : -1;
    };
    auto with_twin = personal(world, "1");
    with_twin.twin_key = "t";
    world.accept(with_twin);
    BOOST_TEST(count() == 3);  // and its snapshot
    world.accept(personal(world, "2"));
    world.accept(without_subject(world, "3", "{\"who\":\"" + kSubject + "\"}", EventState::Unmapped));
    const auto unmapped = world.accept(without_subject(world, "4", "{}", EventState::Unmapped));
    BOOST_TEST(count() == 6);
    auto mapped = personal(world, "4b");
    mapped.event.sequence = 1;
    BOOST_TEST(world.store->remap(unmapped.id, mapped).has_value());
    BOOST_TEST(count() == 6);
    BOOST_TEST(world.store->erase({.subject = kSubject, .text = kSubject}, world.clock.time).value().events == 4u);
    BOOST_TEST(count() == 5);
    BOOST_TEST(world.store->cancel(TargetId{"t"}, {}, "", world.clock.time).has_value());
    world.clock.time += std::chrono::days{100};
    BOOST_TEST(world.store->prune({}, world.clock.time, 100).value() == 4u);
    BOOST_TEST(count() == 0);
}

BOOST_AUTO_TEST_CASE(nothing_of_an_erased_subject_is_left_in_the_files) {
    Kept<InSqlite> world;
    BOOST_REQUIRE(world.store->erase({"object:3/12/other"}, world.clock.time).has_value());
    const auto path = world.place.folder.path / "store.db";
    BOOST_TEST((holds(path, kPlanted) || holds(path.string() + "-wal", kPlanted)));
    BOOST_TEST(world.erase().flushed);
    BOOST_TEST(!holds(path, kPlanted));
    BOOST_TEST(!holds(path.string() + "-wal", kPlanted));
    BOOST_TEST(!holds(path, kSubject));
    BOOST_TEST(!holds(path.string() + "-wal", kSubject));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge::testing
