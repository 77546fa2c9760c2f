// What every store promises about credentials.
#include <boost/mpl/list.hpp>

#include "tests/conformance/store_world.h"

namespace orbridge::testing {
namespace {

using Stores = boost::mpl::list<InMemory, InSqlite>;

CredentialRow credential(const std::string& id, const std::string& name, const std::string& scope = "global") {
    CredentialRow row;
    row.id = id;
    row.adapter = "github";
    row.name = name;
    row.scope = scope;
    row.sealed = std::string("\x01\0\xff sealed", 10);
    row.key_id = "0011223344556677";
    row.version = 1;
    row.created_at = row.updated_at = TimePoint{milliseconds{5'000}};
    return row;
}

std::vector<std::string> names(Store& store) {
    std::vector<std::string> all;
    const auto rows = store.credentials();
    BOOST_REQUIRE(rows.has_value());
    for (const auto& row : *rows) all.push_back(row.adapter + '/' + row.name + '/' + row.scope);
    return all;
}

Error::Kind kind_of(const Result<CredentialRow>& result) {
    BOOST_REQUIRE(!result.has_value());
    return result.error().kind;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(credentials_in_store)

BOOST_AUTO_TEST_CASE_TEMPLATE(credentials_come_back_as_they_were_stored_also_after_a_restart, Place, Stores) {
    World<Place> world;
    auto given = credential("a", "main");
    given.verdict = CredentialRow::Verdict::Refused;
    given.checked_at = TimePoint{milliseconds{7'000}};
    given.message = "HTTP 401";
    const auto stored = world.store->put_credential(given).value();
    BOOST_TEST(stored.revision == 1U);
    world.restart();
    const auto row = world.store->credentials().value().at(0);
    BOOST_TEST((row.id == given.id && row.adapter == given.adapter && row.name == given.name));
    BOOST_TEST((row.scope == given.scope && row.sealed == given.sealed && row.key_id == given.key_id));
    BOOST_TEST((row.version == 1U && row.revision == 1U && row.verdict == given.verdict));
    BOOST_TEST((row.checked_at == given.checked_at && row.message == given.message));
    BOOST_TEST((row.created_at == given.created_at && row.updated_at == given.updated_at));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(there_is_one_of_each_adapter_name_and_scope_and_they_are_sorted, Place, Stores) {
    World<Place> world;
    for (const auto& row : {credential("1", "b"), credential("2", "a", "register:3"), credential("3", "a")})
        BOOST_TEST(world.store->put_credential(row).has_value());
    BOOST_CHECK(kind_of(world.store->put_credential(credential("4", "a"))) == Error::Kind::Conflict);
    BOOST_CHECK(kind_of(world.store->put_credential(credential("3", "c"))) == Error::Kind::Conflict);
    BOOST_TEST(
        (names(*world.store) == std::vector<std::string>{"github/a/global", "github/a/register:3", "github/b/global"}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(whoever_read_an_older_revision_changes_nothing, Place, Stores) {
    World<Place> world;
    const auto first = world.store->put_credential(credential("a", "main")).value();
    auto second = first;
    second.sealed = "other";
    second.version = 2;
    second.updated_at = TimePoint{milliseconds{9'000}};
    const auto stored = world.store->put_credential(second).value();
    BOOST_TEST(stored.revision == 2U);
    BOOST_CHECK(kind_of(world.store->put_credential(first)) == Error::Kind::Conflict);
    const auto row = world.store->credentials().value().at(0);
    BOOST_TEST((row.sealed == "other" && row.version == 2U && row.revision == 2U));
    BOOST_TEST((row.created_at == first.created_at && row.updated_at == second.updated_at));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_row_is_not_renamed_and_what_is_gone_is_not_written, Place, Stores) {
    World<Place> world;
    auto moved = world.store->put_credential(credential("a", "main")).value();
    moved.scope = "register:3";
    BOOST_CHECK(kind_of(world.store->put_credential(moved)) == Error::Kind::Conflict);
    BOOST_TEST(world.store->remove_credential("a").has_value());
    BOOST_CHECK(world.store->remove_credential("a").error().kind == Error::Kind::NotFound);
    moved.scope = "global";
    BOOST_CHECK(kind_of(world.store->put_credential(moved)) == Error::Kind::Conflict);
    BOOST_TEST(names(*world.store).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge::testing
