#pragma once

#include <vector>

#include "bridge/core/json.h"
#include "bridge/route/router.h"
#include "bridge/store/store.h"

/// How the store's rows look in the admin API (docs/api.yaml has the schemas).
namespace orbridge {

inline constexpr const char* kDeliveryStates = "expected pending, delivered, dead, expired or cancelled";

void write_event(JsonWriter& json, const Event& event);
/// With its payload, what it changed, and what was kept of its request's headers.
void write_whole_event(JsonWriter& json, const Event& event, const Headers& kept,
                       const std::optional<Difference>& difference);
void write_delivery(JsonWriter& json, const DeliveryRow& row);
void write_attempt(JsonWriter& json, const Attempt& attempt);
void write_job(JsonWriter& json, const FollowedJob& job);
void write_run(JsonWriter& json, const RunRow& run);
void write_audit(JsonWriter& json, const AuditRow& row);
void write_counts(JsonWriter& json, const StoreCounts& counts);
void write_verdicts(JsonWriter& json, const std::vector<RouteVerdict>& verdicts);

}  // namespace orbridge
