#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bridge/core/clock.h"

namespace orbridge {

/// Something that was done through one of the APIs. Rows are only added, until the retention removes them.
struct AuditRow {
    std::uint64_t number = 0;  ///< order of recording, given by the store
    TimePoint at{};
    std::string who;      ///< `admin`, or `token:<name>` of the lease API
    std::string what;     ///< `<thing>.<deed>`, e.g. `subscription.register`
    std::string subject;  ///< what it was done to: a hook, a target, a delivery …; may be empty
    std::string detail;   ///< a JSON object
};

struct AuditQuery {
    std::string who, what, subject;         ///< empty: any
    std::optional<TimePoint> since, until;  ///< from `since` on, before `until`
    std::uint64_t before_number = 0;        ///< page on: only older ones; 0 = from the newest
    int limit = 50;
};

struct AuditRetention {
    milliseconds age{std::chrono::days{365}};
    std::int64_t rows_max = 1'000'000;  ///< the oldest above that many go, however young
};

}  // namespace orbridge
