#include "bridge/record/health.h"

#include <boost/test/unit_test.hpp>
#include <utility>
#include <vector>

#include "bridge/record/metrics.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{std::chrono::hours{500'000}};

struct Kept {
    std::map<std::string, std::string> notes;
    std::vector<std::string> written;
    HealthBook book{"health.target:", [this](const std::string& key, std::string value) {
                        written.push_back(key);
                        notes[key] = std::move(value);
                    }};
    void name(const std::set<std::string>& names) {
        book.set_names(names, [this](const std::string& key) -> std::optional<std::string> {
            const auto found = notes.find(key);
            return found == notes.end() ? std::nullopt : std::optional(found->second);
        });
    }
    Health of(const std::string& name) const { return book.all().at(name); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(health)

BOOST_FIXTURE_TEST_CASE(T6_failures_are_counted_until_a_success, Kept) {
    name({"a", "b"});
    book.failed("a", kNow, "HTTP 500");
    book.failed("a", kNow + 1s, "HTTP 503");
    BOOST_TEST((of("a").failures == 2 && of("a").error == "HTTP 503" && of("a").last_error == kNow + 1s));
    BOOST_TEST(!of("a").last_success.has_value());
    book.succeeded("a", kNow + 2s);
    BOOST_TEST((of("a").failures == 0 && of("a").last_success == kNow + 2s));
    BOOST_TEST((of("a").error == "HTTP 503" && of("a").last_error == kNow + 1s));  // the last one stays known
    BOOST_TEST((of("b").failures == 0 && !of("b").last_error));
}

BOOST_FIXTURE_TEST_CASE(T6_a_success_that_others_know_of_ends_a_row_of_failures, Kept) {
    name({"a"});
    book.failed("a", kNow, "HTTP 401");
    book.failed("a", kNow + 1s, "HTTP 401", kNow - 1s);
    BOOST_TEST(of("a").failures == 2);
    book.failed("a", kNow + 3s, "HTTP 401", kNow + 2s);
    BOOST_TEST(of("a").failures == 1);
}

BOOST_FIXTURE_TEST_CASE(T6_health_survives_a_restart, Kept) {
    name({"a"});
    book.succeeded("a", kNow);
    book.failed("a", kNow + 1s, "HTTP 500 \"x\"");
    HealthBook next("health.target:", [](const std::string&, const std::string&) {});
    next.set_names({"a"}, [this](const std::string& key) { return std::optional(notes.at(key)); });
    const auto health = next.all().at("a");
    BOOST_TEST((health.failures == 1 && health.error == "HTTP 500 \"x\"" && health.last_success == kNow));
    BOOST_TEST((health_from("no JSON").failures == 0 && !health_from("no JSON").last_success));
}

BOOST_FIXTURE_TEST_CASE(T6_a_busy_target_is_not_written_down_at_each_success, Kept) {
    name({"a"});
    for (int i = 0; i < 25; ++i) book.succeeded("a", kNow + i * 1s);
    BOOST_TEST(written.size() == 3U);  // the first, and one each ten seconds
    book.keep_all();
    BOOST_TEST(written.size() == 4U);
    book.keep_all();
    BOOST_TEST(written.size() == 4U);
    BOOST_TEST((health_from(notes.at("health.target:a")).last_success == kNow + 24s));
}

BOOST_FIXTURE_TEST_CASE(T6_what_is_not_configured_is_forgotten, Kept) {
    name({"a", "b"});
    book.failed("a", kNow, "x");
    name({"b"});
    BOOST_TEST(!book.all().contains("a"));
    book.failed("a", kNow, "x");
    BOOST_TEST(!book.all().contains("a"));
}

BOOST_AUTO_TEST_CASE(T6_health_is_shown_as_metrics) {
    Metrics metrics;
    Metrics::Scrape scrape{};
    scrape.target_health = {{"chat", kNow, kNow + 1s, kNow + 90s, 3}, {"fresh", {}, {}, {}, 0}};
    scrape.source_health = {{"cloud", kNow, {}, {}, 0}};
    const auto text = metrics.render(scrape);
    const auto shows = [&](const std::string& line) { return text.find(line + '\n') != std::string::npos; };
    BOOST_TEST(shows("orbridge_target_last_success_timestamp_seconds{target=\"chat\"} 1800000000"));
    BOOST_TEST(shows("orbridge_target_last_error_timestamp_seconds{target=\"chat\"} 1800000001"));
    BOOST_TEST(shows("orbridge_target_next_attempt_timestamp_seconds{target=\"chat\"} 1800000090"));
    BOOST_TEST(shows("orbridge_target_failures_in_a_row{target=\"chat\"} 3"));
    BOOST_TEST(shows("orbridge_target_failures_in_a_row{target=\"fresh\"} 0"));
    BOOST_TEST(!shows("orbridge_target_last_error_timestamp_seconds{target=\"fresh\"} 0"));
    BOOST_TEST(shows("orbridge_source_last_success_timestamp_seconds{source=\"cloud\"} 1800000000"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
