#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bridge/core/clock.h"

namespace orbridge {

/// One run of an adapter's task, or of one step of several (integrations.md T5). Rows are only added; the oldest go as
/// soon as all together are larger than StoreSettings::runs_bytes_max.
struct RunRow {
    std::uint64_t number = 0;  ///< given by the store, and higher than all before
    TimePoint at{};            ///< its begin
    milliseconds duration{0};
    std::string target{}, task{};
    std::string step{};      ///< which one of several it was; empty: it was the only one
    std::string who{};       ///< `delivery`, or who ran it by hand
    std::string delivery{};  ///< its id; empty: none, or it is gone
    std::string params{};    ///< JSON, what is secret masked; a long one is kept as a text that was cut
    bool success = false;
    std::string message{};
};

struct RunQuery {
    std::string target, task, delivery;     ///< empty: any
    std::optional<bool> success;            ///< nothing: any
    std::optional<TimePoint> since, until;  ///< from `since` on, before `until`
    std::uint64_t before_number = 0;        ///< page on: only older ones; 0 = from the newest
    int limit = 50;
};

/// What is kept of a row: long texts cut, `params` valid JSON all the same.
RunRow shortened(RunRow row, std::size_t params_bytes_max);
/// About what it takes in a store.
std::int64_t bytes_of(const RunRow& row);

}  // namespace orbridge
