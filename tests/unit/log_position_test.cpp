#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <random>
#include <set>

#include "adapters/openregister/log_position.h"

using namespace orbridge::openregister;

namespace {

std::vector<RowId> page_of(const std::vector<RowId>& log, std::size_t offset, std::size_t limit) {
    if (offset >= log.size()) return {};
    const auto end = std::min(log.size(), offset + limit);
    return {log.begin() + static_cast<std::ptrdiff_t>(offset), log.begin() + static_cast<std::ptrdiff_t>(end)};
}

std::size_t first_above(const std::vector<RowId>& log, RowId floor) {
    return static_cast<std::size_t>(std::upper_bound(log.begin(), log.end(), floor) - log.begin());
}

struct Sought {
    std::size_t offset = 0;
    int requests = 0;
};

Sought seek(const std::vector<RowId>& log, RowId floor, std::size_t hint, std::size_t limit) {
    OffsetSearch search(floor, hint);
    Sought sought;
    while (!search.found()) {
        BOOST_REQUIRE_LT(++sought.requests, 200);
        search.see(page_of(log, search.next(), limit), limit);
    }
    sought.offset = *search.found();
    return sought;
}

std::vector<RowId> random_log(std::mt19937& random, std::size_t rows) {
    std::vector<RowId> log;
    RowId id = 0;
    for (std::size_t i = 0; i < rows; ++i) log.push_back(id += 1 + static_cast<RowId>(random() % 5));
    return log;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(log_position)

BOOST_AUTO_TEST_CASE(one_request_is_enough_where_nothing_expired) {
    std::mt19937 random(1);
    const auto log = random_log(random, 10'000);
    const auto sought = seek(log, log[7'000], 7'001, 200);
    BOOST_TEST(sought.offset == 7'001u);
    BOOST_TEST(sought.requests == 1);
}

BOOST_AUTO_TEST_CASE(any_floor_is_found_from_any_hint_in_any_log) {
    for (unsigned seed = 1; seed <= 2'000; ++seed) {
        std::mt19937 random(seed);
        const auto log = random_log(random, random() % 3'000);
        const auto floor = static_cast<RowId>(random() % (log.empty() ? 10u : static_cast<unsigned>(log.back()) + 10u));
        const std::size_t limit = 1 + random() % 200;
        const auto sought = seek(log, floor, random() % 5'000, limit);
        BOOST_TEST(sought.offset == first_above(log, floor), "seed " << seed);
        BOOST_TEST(sought.requests < 40, "seed " << seed << ": " << sought.requests << " requests");
    }
}

BOOST_AUTO_TEST_CASE(a_hundred_thousand_rows_take_few_requests_after_half_of_them_expired) {
    std::mt19937 random(7);
    auto log = random_log(random, 100'000);
    const auto floor = log[80'000];
    log.erase(log.begin(), log.begin() + 50'000);
    const auto sought = seek(log, floor, 80'001, 200);
    BOOST_TEST(sought.offset == 30'001u);
    BOOST_TEST(sought.requests <= 20);
}

BOOST_AUTO_TEST_CASE(rows_that_commit_late_are_read_once_each) {
    // A writer hands out ids in order but commits some late, a reader polls in between; nothing is missed or doubled
    // as long as no row is later than the tail is long.
    constexpr std::size_t kTail = 20;
    for (unsigned seed = 1; seed <= 500; ++seed) {
        std::mt19937 random(seed);
        std::vector<RowId> visible;
        std::vector<std::pair<int, RowId>> late;
        std::set<RowId> read;
        LogPosition position;
        for (int id = 1; id <= 400; ++id) {
            if (random() % 4 == 0) {
                late.emplace_back(id + static_cast<int>(random() % 15), id);
            } else {
                visible.push_back(id);
            }
            for (const auto& [at, row] : late)
                if (at == id) visible.insert(std::upper_bound(visible.begin(), visible.end(), row), row);
            if (random() % 3 != 0 && id != 400) continue;
            if (id == 400)
                for (const auto& [at, row] : late)
                    if (at > id) visible.insert(std::upper_bound(visible.begin(), visible.end(), row), row);
            std::vector<RowId> fresh;
            for (const auto row : visible)
                if (position.is_new(row)) fresh.push_back(row);
            for (const auto row : fresh)
                BOOST_TEST(read.insert(row).second, "seed " << seed << ": " << row << " twice");
            position = advanced(std::move(position), fresh, kTail);
            BOOST_TEST(position.seen.size() <= kTail);
        }
        BOOST_TEST(read.size() == visible.size(), "seed " << seed);
        BOOST_TEST(visible.size() == 400u);
    }
}

BOOST_AUTO_TEST_CASE(a_log_without_any_row_seen_last_is_lost) {
    LogPosition position{.floor = 10, .seen = {11, 12, 13}, .offset = 4};
    BOOST_TEST(!is_lost(position, {13, 20}));
    BOOST_TEST(is_lost(position, {20, 21}));
    BOOST_TEST(is_lost(position, {}));
    BOOST_TEST(!is_lost({.floor = 0, .seen = {}, .offset = 0}, {1, 2}));
    BOOST_TEST(!is_lost({.floor = 10, .seen = {}, .offset = 0}, {11}));
    BOOST_TEST(is_lost({.floor = 10, .seen = {}, .offset = 0}, {1, 2}));  // the app was set up anew
}

BOOST_AUTO_TEST_SUITE_END()
