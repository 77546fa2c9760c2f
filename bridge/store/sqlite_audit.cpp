#include <algorithm>

#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_store.h"

namespace orbridge {
namespace {

using rows::ms;

constexpr const char* kAdd = "INSERT INTO audit (at, who, what, subject, detail) VALUES (?, ?, ?, ?, ?)";
constexpr const char* kList =
    "SELECT number, at, who, what, subject, detail FROM audit WHERE number < ?1 AND (?2 = '' OR who = ?2)"
    " AND (?3 = '' OR what = ?3) AND (?4 = '' OR subject = ?4) AND at >= ?5 AND at < ?6 ORDER BY number DESC LIMIT ?7";
constexpr const char* kRemoveOld =
    "DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE at < ?1 ORDER BY at LIMIT ?2)";
constexpr const char* kRemoveAbove =
    "DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?1"
    " ORDER BY number LIMIT ?2)";

AuditRow read_audit(Statement& row) {
    return {static_cast<std::uint64_t>(row.integer(0)),
            rows::time(row.integer(1)),
            row.text(2),
            row.text(3),
            row.text(4),
            row.text(5)};
}

std::int64_t before(const AuditQuery& query) {
    return query.before_number == 0 ? std::numeric_limits<std::int64_t>::max()
                                    : static_cast<std::int64_t>(query.before_number);
}

}  // namespace

Status SqliteStore::add_audit(const AuditRow& row) {
    return writer_.write("record what was done", [&](Database& db) -> Status {
        db.exec(kAdd, ms(row.at), std::string_view(row.who), std::string_view(row.what), std::string_view(row.subject),
                std::string_view(row.detail));
        return Ok{};
    });
}

Result<std::vector<AuditRow>> SqliteStore::audit(const AuditQuery& query) {
    return attempt("list what was done", [&]() -> Result<std::vector<AuditRow>> {
        return readers_.with([&](Database& db) {
            std::vector<AuditRow> found;
            auto cursor = db.run(kList, before(query), std::string_view(query.who), std::string_view(query.what),
                                 std::string_view(query.subject), ms(query.since.value_or(TimePoint::min())),
                                 ms(query.until.value_or(TimePoint::max())), std::max(0, query.limit));
            while (cursor.next()) found.push_back(read_audit(cursor.row()));
            return found;
        });
    });
}

Result<std::uint64_t> SqliteStore::prune_audit(const AuditRetention& retention, TimePoint now, int limit) {
    int removed = 0;
    const auto written = writer_.write("remove old audit rows", [&](Database& db) -> Status {
        removed = db.exec(kRemoveOld, ms(now - retention.age), std::max(0, limit));
        if (removed < limit) removed += db.exec(kRemoveAbove, retention.rows_max, limit - removed);
        return Ok{};
    });
    if (!written) return written.error();
    return static_cast<std::uint64_t>(removed);
}

}  // namespace orbridge
