#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "adapters/openregister/object_poller.h"
#include "tests/support/fake_openregister.h"

using namespace orbridge;
using namespace orbridge::openregister;
using orbridge::testing::FakeOpenRegister;
using namespace std::chrono_literals;

namespace {

class ManualClock final : public Clock {
public:
    TimePoint now() const override { return now_; }
    void pass(milliseconds time) { now_ += time; }

private:
    TimePoint now_{std::chrono::hours{500'000}};
};

ObjectState state(const std::string& text) { return ObjectState((*JsonDocument::parse(text))->root()); }

/// What a store remembers of the changes it was given.
class Memory {
public:
    KnownObjects known() {
        return {[this](const std::string& subject) {
                    const auto found = objects_.find(subject);
                    return found == objects_.end() ? Known{} : found->second;
                },
                [this](const std::string& beginning, const std::string& after, std::size_t limit) {
                    std::vector<std::string> found;
                    for (const auto& [subject, known] : objects_)
                        if (known.live && subject.starts_with(beginning) && subject > after && found.size() < limit)
                            found.push_back(subject);
                    return found;
                }};
    }
    void take(const ToldChange& change) {
        const bool live = change.kind == ToldChange::Kind::Created || change.kind == ToldChange::Kind::Updated;
        objects_[subject_of(change.register_id, change.schema_id, change.uuid)] = {true, live, true,
                                                                                   state(change.object)};
    }

private:
    std::map<std::string, Known> objects_;
};

std::string letter(ToldChange::Kind kind) {
    switch (kind) {
        case ToldChange::Kind::Created: return "C";
        case ToldChange::Kind::Updated: return "U";
        case ToldChange::Kind::SoftDeleted: return "D";
        case ToldChange::Kind::Gone: break;
    }
    return "G";
}

/// A poller that is asked again and again, as the runner does, and may be killed between two steps.
struct World {
    FakeOpenRegister remote{};
    ManualClock clock{};
    Memory memory{};
    ObjectPollerSettings settings{.log = {}, .limits = {.page_rows = 20, .tail_rows = 10}, .page_objects = 3};
    std::string cursor{};
    std::vector<ToldChange> told{};
    std::size_t existing = 0, collapsed = 0;
    std::unique_ptr<ObjectPoller> poller{};

    ObjectPoller& running() {
        if (!poller) poller = std::make_unique<ObjectPoller>(remote.client(), settings, memory.known(), clock);
        return *poller;
    }
    void kill() { poller.reset(); }

    /// One step whose outcome is stored. The trouble's message, if any.
    std::string step(bool& more) {
        auto step = running().step(cursor);
        more = step.more;
        if (step.trouble) return step.trouble->message;
        for (const auto& change : step.changes) {
            told.push_back(change);
            memory.take(change);
        }
        for (const auto& change : step.existing) memory.take(change);
        existing += step.existing.size();
        collapsed += step.collapsed;
        cursor = step.cursor;
        return {};
    }

    std::string poll() {
        bool more = true;
        for (int steps = 0; more && steps < 1'000; ++steps)
            if (auto trouble = step(more); !trouble.empty()) return trouble;
        return {};
    }

    std::string kinds() const {
        std::string all;
        for (const auto& change : told) all += letter(change.kind);
        return all;
    }
    bool asked(const std::string& part) const {
        return std::any_of(remote.requests.begin(), remote.requests.end(),
                           [&](const std::string& target) { return target.find(part) != std::string::npos; });
    }
};

std::string canonical(const std::string& text) { return canonical_json((*JsonDocument::parse(text))->root()); }

/// Random work, polled at random moments, with the poller killed now and then before its step is stored.
void work_a_while(World& world, unsigned seed, int changes, bool silent) {
    std::mt19937 random(seed);
    for (int n = 0; n < changes; ++n) {
        const auto live = world.remote.uuids(false);
        const auto dice = random() % 10;
        const auto title = "t" + std::to_string(random() % 6);
        if (live.size() < 3 || dice < 3) {
            world.remote.create("u" + std::to_string(seed) + "-" + std::to_string(n), title, silent && dice == 0);
        } else if (dice < 8) {
            world.remote.update(live[random() % live.size()], title, silent && dice == 7);
        } else {
            world.remote.soft_delete(live[random() % live.size()]);
        }
        if (random() % 4 != 0) continue;
        if (random() % 3 == 0) {
            world.running().step(world.cursor);  // read, and not stored
            world.kill();
        }
        BOOST_REQUIRE_EQUAL(world.poll(), "");
    }
    BOOST_REQUIRE_EQUAL(world.poll(), "");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(object_poller)

BOOST_AUTO_TEST_CASE(S8_the_audit_trail_tells_every_change_once_with_the_content_of_its_time) {
    for (unsigned seed = 1; seed <= 40; ++seed) {
        World world;
        BOOST_REQUIRE_EQUAL(world.poll(), "");
        world.remote.done.clear();
        work_a_while(world, seed, 80, false);
        BOOST_REQUIRE_EQUAL(world.told.size(), world.remote.done.size());
        for (std::size_t i = 0; i < world.told.size(); ++i) {
            const auto& done = world.remote.done[i];
            const auto& told = world.told[i];
            BOOST_TEST(told.uuid == done.uuid, "seed " << seed);
            if (done.live) BOOST_TEST(canonical(told.object) == canonical(done.text), "seed " << seed << ", " << i);
            BOOST_TEST(letter(told.kind) == (done.kind == "create" ? "C" : done.kind == "update" ? "U" : "D"));
        }
        BOOST_TEST(world.collapsed == 0u);
    }
}

BOOST_AUTO_TEST_CASE(S8_the_realtime_log_tells_the_last_state_of_every_object_that_changed) {
    for (unsigned seed = 1; seed <= 40; ++seed) {
        World world;
        world.remote.has_realtime = true;
        BOOST_REQUIRE_EQUAL(world.poll(), "");
        BOOST_TEST((world.running().log() == LogKind::Realtime));
        world.remote.done.clear();
        work_a_while(world, seed, 80, false);
        BOOST_TEST(world.told.size() + world.collapsed == world.remote.done.size(), "seed " << seed);
        for (const auto& uuid : world.remote.uuids(false)) {
            const auto last = std::find_if(world.told.rbegin(), world.told.rend(),
                                           [&](const ToldChange& change) { return change.uuid == uuid; });
            BOOST_REQUIRE(last != world.told.rend());
            BOOST_TEST(canonical(last->object) == canonical(world.remote.text_of(uuid)), "seed " << seed);
        }
    }
}

BOOST_AUTO_TEST_CASE(S8_what_was_read_but_not_stored_is_read_again) {
    World world;
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    world.remote.create("u1", "a");
    BOOST_TEST(world.running().step(world.cursor).changes.size() == 1u);
    world.kill();
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    BOOST_TEST(world.kinds() == "C");
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    BOOST_TEST(world.kinds() == "C");
}

BOOST_AUTO_TEST_CASE(S8_a_full_comparison_follows_when_rows_expired_unread) {
    World world;
    for (int i = 0; i < 7; ++i) world.remote.create("u" + std::to_string(i), "a");
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    BOOST_TEST(world.existing == 7u);
    world.kill();
    world.remote.update("u1", "b");
    world.remote.soft_delete("u2");
    world.remote.create("u8", "new");
    world.remote.expire_audit(1'000);
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    std::string kinds = world.kinds();
    std::sort(kinds.begin(), kinds.end());
    BOOST_TEST(kinds == "CGU");
    world.remote.update("u3", "c");
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    BOOST_TEST(world.kinds().back() == 'U');
    BOOST_TEST(world.told.size() == 4u);
}

BOOST_AUTO_TEST_CASE(S9_lists_alone_find_creations_changes_and_deletions) {
    World world;
    world.remote.has_audit = false;
    for (int i = 0; i < 8; ++i) world.remote.create("u" + std::to_string(i), "a");
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    BOOST_TEST((world.running().log() == LogKind::Lists));
    BOOST_TEST(world.told.empty());
    world.remote.update("u1", "b");
    world.remote.soft_delete("u2");
    world.remote.purge("u3");
    world.remote.create("u9", "c");
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    BOOST_TEST(world.told.empty());  // not due yet
    world.clock.pass(15min);
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    std::string kinds = world.kinds();
    std::sort(kinds.begin(), kinds.end());
    BOOST_TEST(kinds == "CGGU");
    world.clock.pass(15min);
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    BOOST_TEST(world.told.size() == 4u);
}

BOOST_AUTO_TEST_CASE(S9_a_list_that_failed_half_way_deletes_nothing) {
    World world;
    world.remote.has_audit = false;
    for (int i = 0; i < 8; ++i) world.remote.create("u" + std::to_string(i), "a");
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    world.remote.update("u1", "b");
    world.clock.pass(15min);
    world.remote.fails = [](const HttpRequest& request) { return query_value(request.url, "_offset") == "3"; };
    for (int tries = 0; tries < 2; ++tries) BOOST_TEST(world.poll() != "");
    BOOST_TEST(world.kinds() == "U");
    world.poll();  // the third failure: this list is left out
    BOOST_TEST(world.kinds() == "U");
    const auto sentences = world.running().cannot_tell();
    BOOST_TEST(std::any_of(sentences.begin(), sentences.end(), [](const std::string& sentence) {
        return sentence.find("could not be compared") != std::string::npos;
    }));
    world.remote.fails = [](const HttpRequest&) { return false; };
    world.remote.soft_delete("u7");
    world.clock.pass(15min);
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    BOOST_TEST(world.kinds() == "UG");
}

BOOST_AUTO_TEST_CASE(S10_a_list_made_without_our_filters_is_an_error) {
    World world;
    world.remote.has_audit = false;
    world.remote.create("u1", "a");
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    world.remote.ignored_filter = "limit";
    world.clock.pass(15min);
    BOOST_TEST(world.poll().find("without the filters limit") != std::string::npos);
    BOOST_TEST(world.told.empty());
}

BOOST_AUTO_TEST_CASE(silent_changes_are_found_by_comparing_beside_the_log) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        World world;
        BOOST_REQUIRE_EQUAL(world.poll(), "");
        work_a_while(world, seed, 60, true);
        world.clock.pass(6h);
        BOOST_REQUIRE_EQUAL(world.poll(), "");
        for (const auto& uuid : world.remote.uuids(false)) {
            const auto known = world.memory.known().of(subject_of("3", "12", uuid));
            BOOST_REQUIRE(known.live);
            BOOST_TEST(canonical(known.state->text()) == canonical(world.remote.text_of(uuid)), "seed " << seed);
        }
        const auto before = world.told.size();
        world.clock.pass(6h);
        BOOST_REQUIRE_EQUAL(world.poll(), "");
        BOOST_TEST(world.told.size() == before);
    }
}

BOOST_AUTO_TEST_CASE(a_restored_object_is_created_again) {
    World world;
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    world.remote.create("u1", "a");
    world.remote.soft_delete("u1");
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    world.remote.restore("u1");
    world.clock.pass(6h);
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    BOOST_TEST(world.kinds() == "CDC");
}

BOOST_AUTO_TEST_CASE(a_comparison_goes_on_where_it_was_when_the_program_ended) {
    World world;
    for (int i = 0; i < 10; ++i) world.remote.create("u" + std::to_string(i), "a");
    bool more = true;
    for (int i = 0; i < 3; ++i) BOOST_REQUIRE_EQUAL(world.step(more), "");
    world.kill();
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    BOOST_TEST(world.told.empty());
    for (int i = 0; i < 10; ++i)
        BOOST_TEST(world.memory.known().of(subject_of("3", "12", "u" + std::to_string(i))).live);
}

BOOST_AUTO_TEST_CASE(no_object_is_ever_read_by_the_call_that_writes_a_read_row) {
    World world;
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    work_a_while(world, 3, 40, true);
    world.clock.pass(6h);
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    BOOST_TEST(!world.asked("/api/objects/3/12/"));
    BOOST_TEST(world.asked("_empty=true"));
}

BOOST_AUTO_TEST_CASE(a_log_that_appears_later_is_used_after_a_comparison) {
    World world;
    world.remote.create("u1", "a");
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    world.kill();
    world.remote.has_realtime = true;
    world.remote.update("u1", "b");
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    BOOST_TEST(world.kinds() == "U");
    world.remote.update("u1", "c");
    BOOST_REQUIRE_EQUAL(world.poll(), "");
    BOOST_TEST(world.kinds() == "UU");
}

BOOST_AUTO_TEST_SUITE_END()
