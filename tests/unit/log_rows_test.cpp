#include <boost/test/unit_test.hpp>
#include <set>

#include "adapters/openregister/log_rows.h"

using namespace orbridge;
using namespace orbridge::openregister;

namespace {

/// Rows as an answer holds them, with the documents they stand in.
struct Rows {
    std::vector<JsonPtr> documents;
    std::vector<LogRow> rows;

    Rows& audit(const std::string& text) { return add(text, audit_row); }
    Rows& realtime(const std::string& text) { return add(text, realtime_row); }

private:
    template <class Read>
    Rows& add(const std::string& text, Read read) {
        auto document = JsonDocument::parse(text);
        BOOST_REQUIRE_MESSAGE(document.has_value(), text);
        documents.push_back(*document);
        const auto row = read(documents.back()->root());
        BOOST_REQUIRE_MESSAGE(row.has_value(), text);
        rows.push_back(*row);
        return *this;
    }
};

std::string audit(int id, const std::string& action, const std::string& changed, const std::string& uuid = "u1") {
    return R"({"id":)" + std::to_string(id) + R"(,"action":")" + action + R"(","objectUuid":")" + uuid +
           R"(","register":3,"schema":12,"user":"ada","created":"2026-03-02T13:05:09+00:00","changed":)" + changed +
           "}";
}

std::string realtime(int id, const std::string& type, const std::string& uuid = "u1") {
    return R"({"_cursor":)" + std::to_string(id) + R"(,"type":"or.object.)" + type +
           R"(","time":"2026-03-02T13:05:09+00:00","data":{"register":3,"schema":12,"uuid":")" + uuid +
           R"(","actor":"ada","organisation":null}})";
}

ObjectState state(const std::string& text) { return ObjectState((*JsonDocument::parse(text))->root()); }

KnownOf nothing_known() {
    return [](const LogRow&) { return Known{}; };
}

KnownOf live(const std::string& text) {
    return [text](const LogRow&) { return Known{true, true, false, state(text)}; };
}

std::string kinds(const Told& told) {
    std::string text;
    for (const auto& change : told.changes) {
        switch (change.kind) {
            case ToldChange::Kind::Created: text += "C"; break;
            case ToldChange::Kind::Updated: text += "U"; break;
            case ToldChange::Kind::SoftDeleted: text += "D"; break;
            case ToldChange::Kind::Gone: text += "G"; break;
        }
    }
    return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(log_rows)

BOOST_AUTO_TEST_CASE(an_audit_trail_tells_every_state_without_looking_anything_up) {
    Rows log;
    log.audit(audit(1, "create", R"({"titel":{"old":null,"new":"a"},"@self":{"old":null,"new":{"updated":"1"}}})"))
        .audit(audit(2, "update",
                     R"({"titel":{"old":"a","new":"b"},"@self":{"old":{"updated":"1"},"new":{"updated":"2"}}})"))
        .audit(audit(3, "delete", "[]"));
    BOOST_TEST(to_look_up(log.rows, nothing_known()).empty());
    const auto told = tell(log.rows, nothing_known(), {});
    BOOST_TEST(kinds(told) == "CUD");
    BOOST_TEST(told.changes[1].object == R"({"titel":"b","@self":{"updated":"2"}})");
    BOOST_TEST(
        told.changes[2].object ==
        R"({"titel":"b","@self":{"updated":"2","deleted":{"deletedBy":"ada","deletedAt":"2026-03-02T13:05:09+00:00",)"
        R"("objectId":"u1","organisation":null}}})");
    BOOST_TEST(told.collapsed == 0u);
}

BOOST_AUTO_TEST_CASE(what_nobody_can_tell_is_counted_and_the_last_state_is_told) {
    Rows log;
    log.realtime(realtime(1, "updated")).realtime(realtime(2, "updated")).realtime(realtime(3, "updated"));
    BOOST_REQUIRE_EQUAL(to_look_up(log.rows, nothing_known()).size(), 1u);
    const auto told = tell(log.rows, live(R"({"titel":"a"})"), {{"u1", state(R"({"titel":"d"})")}});
    BOOST_TEST(kinds(told) == "U");
    BOOST_TEST(told.changes[0].object == R"({"titel":"d"})");
    BOOST_TEST(told.collapsed == 2u);
}

BOOST_AUTO_TEST_CASE(an_object_nobody_knew_is_created_whatever_the_log_calls_it) {
    Rows log;
    log.realtime(realtime(1, "created")).realtime(realtime(2, "updated"));
    BOOST_TEST(kinds(tell(log.rows, nothing_known(), {{"u1", state("{}")}})) == "C");
}

BOOST_AUTO_TEST_CASE(an_update_in_the_realtime_log_of_an_object_that_is_gone_is_its_soft_delete) {
    Rows log;
    log.realtime(realtime(1, "updated"));
    const auto told = tell(log.rows, live(R"({"titel":"a","@self":{"id":"u1"}})"), {{"u1", std::nullopt}});
    BOOST_TEST(kinds(told) == "D");
    BOOST_TEST(
        told.changes[0].object ==
        R"({"titel":"a","@self":{"id":"u1","deleted":{"deletedBy":"ada","deletedAt":"2026-03-02T13:05:09+00:00",)"
        R"("objectId":"u1","organisation":null}}})");
}

BOOST_AUTO_TEST_CASE(an_update_in_the_audit_trail_of_an_object_that_is_gone_waits_for_the_row_of_its_end) {
    Rows log;
    log.audit(audit(5, "update", R"({"titel":{"old":"x","new":"y"}})"));
    const auto told = tell(log.rows, nothing_known(), {{"u1", std::nullopt}});
    BOOST_TEST(told.changes.empty());
    BOOST_TEST(told.collapsed == 1u);
}

BOOST_AUTO_TEST_CASE(a_purge_after_a_delete_is_no_second_end) {
    Rows log;
    log.realtime(realtime(1, "deleted"));
    BOOST_TEST(kinds(tell(log.rows, nothing_known(), {})) == "");
    BOOST_TEST(kinds(tell(log.rows, live("{}"), {})) == "G");
}

BOOST_AUTO_TEST_CASE(rows_about_references_are_read_by_what_they_did) {
    Rows log;
    log.audit(audit(1, "referential_integrity.cascade_delete", R"({"deletedBecause":"cascade"})", "u1"))
        .audit(audit(2, "referential_integrity.set_null", R"({"property":"a","previousValue":"b"})", "u2"));
    BOOST_TEST(to_look_up(log.rows, live("{}")).size() == 1u);
    const auto told = tell(log.rows, live(R"({"a":"b"})"), {{"u2", state(R"({"a":null})")}});
    BOOST_TEST(kinds(told) == "DU");
}

BOOST_AUTO_TEST_CASE(reads_and_locks_are_not_asked_for) {
    const auto actions = "," + audit_actions() + ",";
    for (const auto* never : {"read", "lock", "unlock"})
        BOOST_TEST(actions.find("," + std::string(never) + ",") == std::string::npos);
    const auto document = JsonDocument::parse(audit(1, "read", "[]"));
    BOOST_TEST(!audit_row((*document)->root()).has_value());
}

BOOST_AUTO_TEST_CASE(changes_of_several_objects_keep_the_order_of_the_log) {
    Rows log;
    for (int i = 1; i <= 6; ++i)
        log.audit(audit(i, "create", R"({"n":{"old":null,"new":)" + std::to_string(i) + "}}",
                        "u" + std::to_string(i % 2) + std::to_string(i)));
    const auto told = tell(log.rows, nothing_known(), {});
    BOOST_REQUIRE_EQUAL(told.changes.size(), 6u);
    for (std::size_t i = 0; i < 6; ++i) BOOST_TEST(told.changes[i].object == "{\"n\":" + std::to_string(i + 1) + "}");
}

BOOST_AUTO_TEST_SUITE_END()
