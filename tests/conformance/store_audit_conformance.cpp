// What every store promises about the audit.
#include <boost/mpl/list.hpp>

#include "tests/conformance/store_world.h"

namespace orbridge::testing {
namespace {

using namespace std::chrono_literals;
using Stores = boost::mpl::list<InMemory, InSqlite>;
using Numbers = std::vector<std::uint64_t>;

Numbers numbers(const Result<std::vector<AuditRow>>& rows) {
    BOOST_REQUIRE_MESSAGE(rows.has_value(), message_of(rows));
    Numbers found;
    found.reserve(rows->size());
    for (const auto& row : *rows) found.push_back(row.number);
    return found;
}

template <class Place>
struct Audited : World<Place> {
    void add(const std::string& who, const std::string& what, const std::string& subject) {
        BOOST_REQUIRE(this->store->add_audit({0, this->clock.time, who, what, subject, R"({"n":1})"}).has_value());
    }
    void add(int count) {
        for (int i = 0; i < count; ++i) add("admin", "replay", "");
    }
    Numbers all() { return numbers(this->store->audit({})); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(audit_in_store)

BOOST_AUTO_TEST_CASE_TEMPLATE(a_row_comes_back_as_it_was_added_with_a_number, Place, Stores) {
    Audited<Place> world;
    world.add("token:billing", "subscription.register", "hook/1");
    const auto rows = world.store->audit({}).value();
    BOOST_TEST_REQUIRE(rows.size() == 1U);
    BOOST_TEST((rows[0].number == 1U && rows[0].at == world.clock.time && rows[0].who == "token:billing"));
    BOOST_TEST((rows[0].what == "subscription.register" && rows[0].subject == "hook/1"));
    BOOST_TEST(rows[0].detail == R"({"n":1})");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(audit_rows_are_listed_newest_first_page_by_page_and_filtered, Place, Stores) {
    Audited<Place> world;
    world.add("admin", "target.pause", "a");
    world.clock.time += 2h;
    world.add("admin", "target.resume", "a");
    world.add("token:x", "target.pause", "b");
    AuditQuery query;
    query.limit = 2;
    BOOST_TEST((numbers(world.store->audit(query)) == Numbers{3, 2}));
    query.before_number = 2;
    BOOST_TEST((numbers(world.store->audit(query)) == Numbers{1}));
    const auto found = [&](auto filter) {
        AuditQuery filtered;
        filter(filtered);
        return numbers(world.store->audit(filtered));
    };
    BOOST_TEST((found([](AuditQuery& only) { only.who = "token:x"; }) == Numbers{3}));
    BOOST_TEST((found([](AuditQuery& only) { only.what = "target.pause"; }) == Numbers{3, 1}));
    BOOST_TEST((found([](AuditQuery& only) { only.subject = "a"; }) == Numbers{2, 1}));
    BOOST_TEST((found([&](AuditQuery& only) { only.since = world.clock.time; }) == Numbers{3, 2}));
    BOOST_TEST((found([&](AuditQuery& only) { only.until = world.clock.time; }) == Numbers{1}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(old_audit_rows_go_a_batch_at_a_time_oldest_first, Place, Stores) {
    Audited<Place> world;
    world.add(3);
    world.clock.time += 48h;
    world.add(1);
    const AuditRetention retention{std::chrono::hours{24}, 100};
    BOOST_TEST(world.store->prune_audit(retention, world.clock.time, 2).value() == 2U);
    BOOST_TEST((world.all() == Numbers{4, 3}));
    BOOST_TEST(world.store->prune_audit(retention, world.clock.time, 2).value() == 1U);
    BOOST_TEST(world.store->prune_audit(retention, world.clock.time, 2).value() == 0U);
    BOOST_TEST((world.all() == Numbers{4}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(audit_rows_above_the_limit_go_however_young, Place, Stores) {
    Audited<Place> world;
    world.add(5);
    const AuditRetention retention{std::chrono::hours{24}, 3};
    BOOST_TEST(world.store->prune_audit(retention, world.clock.time, 10).value() == 2U);
    BOOST_TEST((world.all() == Numbers{5, 4, 3}));
    world.add(1);
    BOOST_TEST((world.all() == Numbers{6, 5, 4, 3}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge::testing
