#include "bridge/record/audit_trail.h"

#include <boost/test/unit_test.hpp>

#include "bridge/core/json.h"
#include "bridge/run/housekeeper.h"
#include "bridge/store/memory_store.h"
#include "tests/support/delivery_fakes.h"

using namespace orbridge;

namespace {

struct Broken final : MemoryStore {
    Status add_audit(const AuditRow&) override { return Error{Error::Kind::Unavailable, "the disk is full"}; }
};

struct World {
    orbridge::test::ManualClock clock;
    std::string logged;
    Log log{clock, Log::Level::Info, [this](const std::string& line) { logged += line + '\n'; }};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(audit_trail)

BOOST_FIXTURE_TEST_CASE(a_row_tells_who_did_what_when_with_typed_details, World) {
    MemoryStore store;
    AuditTrail(store, clock, log)
        .note(kAdmin, "replay", "e1", {{"matched", 3}, {"unmapped", false}, {"state", "de\"ad"}});
    const auto row = store.audit({}).value().at(0);
    BOOST_TEST((row.at == clock.now() && row.who == "admin" && row.what == "replay" && row.subject == "e1"));
    BOOST_TEST(row.detail == R"({"matched":3,"unmapped":false,"state":"de\"ad"})");
    BOOST_TEST(logged.empty());
}

BOOST_FIXTURE_TEST_CASE(long_texts_are_cut_between_characters, World) {
    MemoryStore store;
    std::string text = "x";
    for (int i = 0; i < 600; ++i) text += "é";
    AuditTrail(store, clock, log).note(kAdmin, "replay", text, {{"t", text}});
    const auto row = store.audit({}).value().at(0);
    BOOST_TEST(row.subject.size() == 511U);
    const auto detail = JsonDocument::parse(row.detail);
    BOOST_TEST_REQUIRE(detail.has_value());
    BOOST_TEST((*detail)->root()["t"].string().value() == row.subject);
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_stored_is_in_the_log_whole, World) {
    Broken store;
    AuditTrail(store, clock, log).note(holder_of("billing"), "subscription.renew", "h", {{"lease_end", "then"}});
    for (const auto* part : {"audit.not_stored", "token:billing", "subscription.renew", "then", "the disk is full"})
        BOOST_TEST(logged.find(part) != std::string::npos, part);
}

BOOST_FIXTURE_TEST_CASE(the_housekeeper_removes_old_rows_in_batches, World) {
    MemoryStore store;
    for (int i = 0; i < 1'500; ++i)
        BOOST_REQUIRE(store.add_audit({0, clock.now(), "admin", "x", "", "{}"}).has_value());
    Housekeeper keeper(store, clock, log, RetentionPolicy{}, {std::chrono::hours{1}, 1'000'000},
                       [] { return SnapshotRetention{}; });
    BOOST_TEST((keeper.step() > seconds{60}));
    clock.advance(std::chrono::hours{2});
    BOOST_TEST((keeper.step() < seconds{1}));
    BOOST_TEST((keeper.step() > seconds{60}));
    BOOST_TEST(store.audit({}).value().empty());
}

BOOST_AUTO_TEST_SUITE_END()
