#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <random>
#include <set>

#include "adapters/openregister/change_logs.h"
#include "bridge/core/http.h"

using namespace orbridge;
using namespace orbridge::openregister;

namespace {

/// A log table: ids in order, some rows visible later than younger ones, the oldest expiring.
class Table {
public:
    explicit Table(unsigned seed) : random_(seed) {}

    void add(int late_by_most) {
        ++last_;
        if (late_by_most > 0 && random_() % 5 == 0) {
            late_.emplace_back(last_ + 1 + static_cast<RowId>(random_()) % late_by_most, last_);
        } else {
            rows_.push_back(last_);
        }
        settle(last_);
    }
    void settle(RowId up_to) {
        for (auto& [at, row] : late_) {
            if (row == 0 || at > up_to) continue;
            rows_.insert(std::upper_bound(rows_.begin(), rows_.end(), row), row);
            row = 0;
        }
    }
    void expire(std::size_t count) {
        rows_.erase(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(std::min(count, rows_.size())));
    }
    const std::vector<RowId>& rows() const { return rows_; }
    std::mt19937& random() { return random_; }

private:
    std::mt19937 random_;
    std::vector<RowId> rows_;
    std::vector<std::pair<RowId, RowId>> late_;
    RowId last_ = 0;
};

void write_row(JsonWriter& json, RowId id) {
    json.object().member("id", id).member("action", "update").member("objectUuid", "u" + std::to_string(id));
    json.member("register", 3).member("schema", 12).member("created", "2026-03-02T13:05:09+00:00").end();
}

void write_event(JsonWriter& json, RowId id) {
    json.object().member("_cursor", id).member("type", "or.object.updated").key("data").object();
    json.member("uuid", "u" + std::to_string(id)).member("register", 3).member("schema", 12).end().end();
}

/// Answers as the two endpoints do; `between` is called after each answer.
struct Api {
    Table& table;
    std::size_t answer_bytes_max = 8 << 20;
    bool total_of_page = false;
    int requests = 0;
    std::function<void()> between = [] {};

    Exchange operator()(const HttpRequest& request) {
        ++requests;
        const auto query = request.url.substr(request.url.find('?') + 1);
        const auto number = [&](const char* name) { return std::stoll("0" + query_value(query, name)); };
        JsonWriter json;
        if (request.url.find("/audit-trails?") != std::string::npos) {
            audit(json, static_cast<std::size_t>(number("offset")), static_cast<std::size_t>(number("limit")));
        } else if (request.url.find("/realtime/events?") != std::string::npos) {
            realtime(json, number("since"), static_cast<std::size_t>(number("limit")));
        } else {
            json.object().member("cursor", table.rows().empty() ? RowId{0} : table.rows().back()).end();
        }
        HttpResponse response{.status = 200, .body = json.text()};
        response.body_cut = response.body.size() > answer_bytes_max;
        if (response.body_cut) response.body.resize(answer_bytes_max);
        between();
        return response;
    }

private:
    void audit(JsonWriter& json, std::size_t offset, std::size_t limit) {
        const auto& rows = table.rows();
        std::size_t given = 0;
        json.object().key("results").array();
        for (auto i = offset; i < std::min(rows.size(), offset + limit); ++i, ++given) write_row(json, rows[i]);
        json.end().member("total", static_cast<std::uint64_t>(total_of_page ? given : rows.size())).end();
    }
    void realtime(JsonWriter& json, RowId since, std::size_t limit) {
        const auto& rows = table.rows();
        auto at = std::upper_bound(rows.begin(), rows.end(), since);
        json.object().key("events").array();
        for (std::size_t n = 0; at != rows.end() && n < limit; ++at, ++n) write_event(json, *at);
        json.end().member("hasMore", at != rows.end()).end();
    }
};

ApiClient client_of(Api& api) {
    SourceAccess access;
    access.base = "http://nextcloud.test";
    return {access, [&api](const HttpRequest& request) { return api(request); }};
}

using Make = std::unique_ptr<ChangeLog> (*)(const ApiClient&, LogLimits);

/// Everything behind the position, as a poller would read it. Fails on a row that comes twice.
LogPosition drain(ChangeLog& log, LogPosition position, std::set<RowId>& read) {
    for (bool more = true; more;) {
        auto step = log.after(position);
        BOOST_REQUIRE_MESSAGE(!step.trouble, step.trouble->message);
        for (const auto& row : step.rows) BOOST_TEST(read.insert(row.id).second, row.id << " twice");
        position = std::move(step.position);
        more = step.more;
    }
    return position;
}

void read_while_rows_come_late_and_go(Make make, unsigned seed) {
    Table table(seed);
    Api api{.table = table};
    api.total_of_page = seed % 2 == 0;
    const auto client = client_of(api);
    auto& random = table.random();
    const auto log = make(client, {.page_rows = 4 + random() % 60, .tail_rows = 30});
    std::set<RowId> read;
    LogPosition position;
    for (int round = 0; round < 40; ++round) {
        for (auto n = random() % 40; n > 0; --n) table.add(8);
        position = drain(*log, std::move(position), read);
        // Only rows that were read long ago expire, and some of them in the midst of a reading.
        const auto old = table.rows().size() > 60 ? table.rows().size() - 60 : 0;
        table.expire(old / 2);
        api.between = [&table, left = old / 2]() mutable {
            if (left > 0) table.expire(std::min<std::size_t>(left, 3));
            left -= std::min<std::size_t>(left, 3);
        };
    }
    table.settle(1'000'000);
    api.between = [] {};
    drain(*log, std::move(position), read);
    for (const auto row : table.rows()) BOOST_TEST(read.contains(row), "seed " << seed << ": " << row << " was missed");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(change_logs)

BOOST_AUTO_TEST_CASE(S8_no_row_of_the_audit_trail_is_missed_or_read_twice) {
    for (unsigned seed = 1; seed <= 60; ++seed) read_while_rows_come_late_and_go(make_audit_trail, seed);
}

BOOST_AUTO_TEST_CASE(S8_no_row_of_the_realtime_log_is_missed_or_read_twice) {
    for (unsigned seed = 1; seed <= 60; ++seed) read_while_rows_come_late_and_go(make_realtime_log, seed);
}

BOOST_AUTO_TEST_CASE(S8_45_rows_at_limit_20) {
    Table table(1);
    Api api{.table = table};
    const auto client = client_of(api);
    for (int i = 0; i < 45; ++i) table.add(0);
    const auto log = make_audit_trail(client, {.page_rows = 20, .tail_rows = 5});
    std::set<RowId> read;
    const auto position = drain(*log, {}, read);
    BOOST_TEST(read.size() == 45u);
    BOOST_TEST(position.seen.size() == 5u);
    BOOST_TEST(position.floor == 40);
    BOOST_TEST(api.requests == 3);
}

BOOST_AUTO_TEST_CASE(S8_rows_that_expired_unread_are_noticed) {
    for (const auto make : {make_audit_trail, make_realtime_log}) {
        Table table(1);
        Api api{.table = table};
        const auto client = client_of(api);
        const auto log = make(client, {.page_rows = 50, .tail_rows = 20});
        for (int i = 0; i < 100; ++i) table.add(0);
        std::set<RowId> read;
        const auto position = drain(*log, {}, read);
        BOOST_TEST(!log->after(position).lost);
        table.expire(90);
        BOOST_TEST(!log->after(position).lost);
        for (int i = 0; i < 30; ++i) table.add(0);
        table.expire(25);  // of which 15 nobody read
        BOOST_TEST(log->after(position).lost);
        table.expire(1'000);
        BOOST_TEST(log->after(position).lost);
    }
}

BOOST_AUTO_TEST_CASE(a_start_at_the_end_tells_nothing_of_what_was_before) {
    for (const auto make : {make_audit_trail, make_realtime_log}) {
        Table table(3);
        Api api{.table = table};
        api.total_of_page = true;
        const auto client = client_of(api);
        const auto log = make(client, {.page_rows = 50, .tail_rows = 20});
        BOOST_TEST(log->end().position.last() == 0);
        for (int i = 0; i < 1'000; ++i) table.add(0);
        const auto end = log->end();
        BOOST_REQUIRE(!end.trouble);
        BOOST_TEST(end.position.last() == 1'000);
        BOOST_TEST(log->after(end.position).rows.empty());
        table.add(0);
        BOOST_TEST(log->after(end.position).rows.size() == 1u);
    }
}

BOOST_AUTO_TEST_CASE(answers_that_are_too_large_are_asked_for_in_smaller_pieces) {
    Table table(1);
    Api api{.table = table, .answer_bytes_max = 2'000};
    const auto client = client_of(api);
    for (int i = 0; i < 300; ++i) table.add(0);
    for (const auto make : {make_audit_trail, make_realtime_log}) {
        std::set<RowId> read;
        drain(*make(client, {.page_rows = 500, .tail_rows = 10}), {}, read);
        BOOST_TEST(read.size() == 300u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
