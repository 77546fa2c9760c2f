#include <algorithm>
#include <limits>

#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_store.h"

namespace orbridge {
namespace {

using rows::ms;

constexpr const char* kLast = "SELECT coalesce(max(number), 0) FROM runs";
constexpr const char* kAdd =
    "INSERT INTO runs (number, at, duration, target, task, step, who, delivery, params, success, message)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, 0), ?9, ?10, ?11)";
constexpr const char* kRemoveOldest = "DELETE FROM runs WHERE number <= ?";
constexpr const char* kList =
    "SELECT r.number, r.at, r.duration, r.target, r.task, r.step, r.who, d.id, r.params, r.success, r.message"
    " FROM runs r LEFT JOIN deliveries d ON d.seq = r.delivery WHERE r.number < ?1 AND (?2 = '' OR r.target = ?2)"
    " AND (?3 = '' OR r.task = ?3) AND (?4 < 0 OR r.success = ?4) AND r.at >= ?5 AND r.at < ?6"
    " AND (?7 = x'' OR r.delivery = (SELECT seq FROM deliveries WHERE id = ?7)) ORDER BY r.number DESC LIMIT ?8";

RunRow read_run(Statement& row) {
    RunRow run;
    run.number = static_cast<std::uint64_t>(row.integer(0));
    run.at = rows::time(row.integer(1));
    run.duration = milliseconds{row.integer(2)};
    run.target = row.text(3);
    run.task = row.text(4);
    run.step = row.text(5);
    run.who = row.text(6);
    if (!row.is_null(7)) run.delivery = unpack_uuid(row.view(7));
    run.params = row.text(8);
    run.success = row.small(9) != 0;
    run.message = row.text(10);
    return run;
}

std::int64_t before(const RunQuery& query) {
    return query.before_number == 0 ? std::numeric_limits<std::int64_t>::max()
                                    : static_cast<std::int64_t>(query.before_number);
}

}  // namespace

void rows::keep_run(Database& db, const RunRow& given, std::int64_t delivery, const RunLimits& limits) {
    if (limits.bytes_max == 0) return;
    const auto row = shortened(given, limits.params_bytes_max);
    std::int64_t last = 0;
    if (auto cursor = db.run(kLast); cursor.next()) last = cursor->integer(0);
    const auto number = last + bytes_of(row);
    db.exec(kAdd, number, ms(row.at), std::int64_t{row.duration.count()}, std::string_view(row.target),
            std::string_view(row.task), std::string_view(row.step), std::string_view(row.who), delivery,
            std::string_view(row.params), row.success, std::string_view(row.message));
    db.exec(kRemoveOldest, number - static_cast<std::int64_t>(limits.bytes_max));
}

Status SqliteStore::add_runs(const std::vector<RunRow>& rows) {
    return writer_.write("record runs", [&](Database& db) -> Status {
        for (const auto& row : rows) rows::keep_run(db, row, 0, run_limits_);
        return Ok{};
    });
}

Result<std::vector<RunRow>> SqliteStore::runs(const RunQuery& query) {
    return attempt("list runs", [&]() -> Result<std::vector<RunRow>> {
        const auto key = pack_uuid(query.delivery);
        if (!query.delivery.empty() && !key) return std::vector<RunRow>{};
        return readers_.with([&](Database& db) {
            std::vector<RunRow> found;
            auto cursor = db.run(kList, before(query), std::string_view(query.target), std::string_view(query.task),
                                 query.success ? static_cast<int>(*query.success) : -1,
                                 ms(query.since.value_or(TimePoint::min())), ms(query.until.value_or(TimePoint::max())),
                                 Blob{key ? key->view() : std::string_view()}, std::max(0, query.limit));
            while (cursor.next()) found.push_back(read_run(cursor.row()));
            return found;
        });
    });
}

}  // namespace orbridge
