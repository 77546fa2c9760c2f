#pragma once

#include <optional>
#include <string>

#include "bridge/store/store.h"

namespace orbridge {

/// From `since` on, before `until`.
inline bool within(TimePoint time, const std::optional<TimePoint>& since, const std::optional<TimePoint>& until) {
    return (!since || time >= *since) && (!until || time < *until);
}

/// Empty: any will do.
inline bool wants(const std::string& wanted, const std::string& value) { return wanted.empty() || wanted == value; }

inline Error no_event(const EventId& id) { return {Error::Kind::NotFound, "there is no event " + id.value}; }
inline Error no_delivery(const DeliveryId& id) { return {Error::Kind::NotFound, "there is no delivery " + id.value}; }

inline bool job_ended(const FollowedJob& job) { return job.state != "waiting" && job.state != "running"; }

}  // namespace orbridge
