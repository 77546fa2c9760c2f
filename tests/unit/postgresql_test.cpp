#include <boost/test/unit_test.hpp>

#include "adapters/postgresql/sql.h"
#include "adapters/postgresql/sqlstate.h"
#include "adapters/postgresql/tasks.h"
#include "adapters/postgresql/values.h"

namespace orbridge::postgresql {
namespace {

using Is = NativeEnd::Is;

constexpr unsigned kBool = 16, kInt4 = 23, kText = 25, kJsonb = 3802, kTextArray = 1009, kNumeric = 1700, kDate = 1082;

JsonPtr json(const std::string& text) {
    auto document = JsonDocument::parse(text);
    BOOST_REQUIRE_MESSAGE(document, text);
    return *document;
}

/// As the library does it, for names that need nothing else.
Result<std::string> quote(std::string_view name) {
    if (name.empty()) return Error{Error::Kind::Invalid, "an empty name"};
    std::string quoted = "\"";
    for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + '"';
}

std::string texts(const Sql& sql) {
    std::string all;
    for (const auto& value : sql.values) all.append(value.raw()).append(1, '|');
    return all;
}

std::string upserted(const std::string& key, const std::string& values, const std::string& initial) {
    const auto k = json(key), v = json(values), i = json(initial);
    const auto sql = upsert("t", k->root(), v->root(), i->root(), quote);
    return sql ? sql->text + " <- " + texts(*sql) : "! " + sql.error().message;
}

std::string bound_to(const std::string& value, unsigned oid) {
    const auto document = json(value);
    return bound(document->root(), oid).value_or("NULL!");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(postgresql)

BOOST_AUTO_TEST_CASE(I6_an_upsert_binds_its_values_and_quotes_its_names) {
    BOOST_TEST(
        upserted(R"({"uuid":"a'); DROP TABLE t; --"})", R"({"na\"me":1,"x":null})", R"({"made":true})") ==
        R"(INSERT INTO "t" ("uuid", "na""me", "x", "made") VALUES ($1, $2, $3, $4) ON CONFLICT ("uuid") )"
        R"(DO UPDATE SET "na""me" = EXCLUDED."na""me", "x" = EXCLUDED."x" <- "a'); DROP TABLE t; --"|1|null|true|)");
    BOOST_TEST(upserted(R"({"a":1,"b":2})", "{}", "{}") ==
               R"(INSERT INTO "t" ("a", "b") VALUES ($1, $2) ON CONFLICT ("a", "b") DO NOTHING <- 1|2|)");
}

BOOST_AUTO_TEST_CASE(I5_rows_without_a_whole_key_are_not_written) {
    BOOST_TEST(upserted("{}", R"({"a":1})", "{}") == "! key: expected the columns that name the row");
    BOOST_TEST(upserted(R"({"a":null})", "{}", "{}") == R"(! key: "a" is null, which names no row)");
    BOOST_TEST(upserted(R"({"a":1})", R"({"a":2})", "{}") == R"(! column "a" is given twice)");
    BOOST_TEST(upserted(R"({"a":1})", R"({"b":2})", R"({"b":3})") == R"(! column "b" is given twice)");
    BOOST_TEST(upserted(R"({"":1})", "{}", "{}") == "! key: an empty name");
}

BOOST_AUTO_TEST_CASE(I6_a_removal_binds_its_key) {
    const auto key = json(R"({"a":"x","b":2})");
    const auto sql = remove("s.t", key->root(), quote);
    BOOST_REQUIRE(sql);
    BOOST_TEST(sql->text == R"(DELETE FROM "s"."t" WHERE "a" = $1 AND "b" = $2)");
    BOOST_TEST(texts(*sql) == R"("x"|2|)");
    BOOST_TEST(!remove("a.b.c", key->root(), quote));
    BOOST_TEST(!remove("s.", key->root(), quote));
    const auto none = json("{}");
    BOOST_TEST(!remove("t", none->root(), quote));
}

BOOST_AUTO_TEST_CASE(I6_I7_values_are_bound_as_the_column_wants_them) {
    BOOST_TEST(bound_to("\"caf\\u00e9\"", kText) == "café");
    BOOST_TEST(bound_to("12.50", kNumeric) == "12.50");
    BOOST_TEST(bound_to("true", kBool) == "true");
    BOOST_TEST(bound_to("null", kText) == "NULL!");
    BOOST_TEST(bound_to("null", kJsonb) == "NULL!");
    BOOST_TEST(bound_to("\"text\"", kJsonb) == "\"text\"");
    BOOST_TEST(bound_to(R"({"a": [1, "é"]})", kJsonb) == R"({"a": [1, "é"]})");
    BOOST_TEST(bound_to(R"({"a": 1})", kText) == R"({"a": 1})");
    BOOST_TEST(bound_to(R"(["a","b \"c\\",null,[1,2.0]])", kTextArray) == R"({"a","b \"c\\",NULL,{"1","2.0"}})");
    BOOST_TEST(bound_to("[]", kTextArray) == "{}");
    BOOST_TEST(bound_to("[1]", kJsonb) == "[1]");
}

BOOST_AUTO_TEST_CASE(values_of_rows_become_json) {
    BOOST_TEST(to_json("t", kBool) == "true");
    BOOST_TEST(to_json("f", kBool) == "false");
    BOOST_TEST(to_json("42", kInt4) == "42");
    BOOST_TEST(to_json("NaN", kNumeric) == "\"NaN\"");
    BOOST_TEST(to_json("{\"a\": 1}", kJsonb) == "{\"a\": 1}");
    BOOST_TEST(to_json("2026-01-01", kDate) == "\"2026-01-01\"");
    BOOST_TEST(to_json("a\"b", kText) == "\"a\\\"b\"");
}

BOOST_AUTO_TEST_CASE(T4_an_sqlstate_says_whether_to_try_again) {
    const std::pair<const char*, Is> rows[] = {{"", Is::Trouble},
                                               {"08006", Is::Trouble},
                                               {"40001", Is::Trouble},
                                               {"40P01", Is::Trouble},
                                               {"53300", Is::Trouble},
                                               {"55P03", Is::Trouble},
                                               {"57P01", Is::Trouble},
                                               {"57P03", Is::Trouble},
                                               {"57014", Is::Timeout},
                                               {"58030", Is::Trouble},
                                               {"XX000", Is::Trouble},
                                               {"28P01", Is::Unauthorized},
                                               {"28000", Is::Unauthorized},
                                               {"3D000", Is::Misconfigured},
                                               {"42P01", Is::Misconfigured},
                                               {"42501", Is::Misconfigured},
                                               {"57P04", Is::Misconfigured},
                                               {"23505", Is::Rejected},
                                               {"23502", Is::Rejected},
                                               {"22P02", Is::Rejected},
                                               {"42703", Is::Rejected},
                                               {"42601", Is::Rejected},
                                               {"0A000", Is::Rejected},
                                               {"25006", Is::Trouble}};
    for (const auto& [state, is] : rows) BOOST_CHECK_MESSAGE(class_of(state, false) == is, state);
    BOOST_CHECK(class_of("25006", true) == Is::Rejected);
}

BOOST_AUTO_TEST_CASE(the_sqlstate_of_a_refused_connection_is_in_what_libpq_says) {
    BOOST_TEST(sqlstate_in("connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: password "
                           "authentication failed for user \"x\"\nLOCATION:  auth_failed, auth.c:326\n") == "28P01");
    BOOST_TEST(sqlstate_in("… failed: FATAL:  3D000: …") == "3D000");
    BOOST_TEST(sqlstate_in("connection to server at \"a\", port 1 failed: Connection refused\n\tIs the …") == "");
    BOOST_TEST(sqlstate_in("FATAL:  the database system is starting up") == "");
    BOOST_TEST(sqlstate_in("") == "");
    BOOST_TEST(sqlstate_in("FATAL:  28P") == "");
}

BOOST_AUTO_TEST_CASE(statements_are_texts) {
    const auto good = json(R"({"statements":{"a":"SELECT 1"}})");
    BOOST_TEST(statements_fault(good->root()) == "");
    const auto bad = json(R"({"statements":{"a":"SELECT 1","b":5}})");
    BOOST_TEST(statements_fault(bad->root()) == "statements.b: expected a statement");
    const auto none = json("{}");
    BOOST_TEST(statements_fault(none->root()) == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge::postgresql
