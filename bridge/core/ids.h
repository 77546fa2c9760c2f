#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "bridge/core/clock.h"
#include "bridge/core/random.h"

namespace orbridge {

/// An EventId is not a TargetId; both compare and sort.
template <class Tag>
struct Id {
    std::string value;
    friend auto operator<=>(const Id&, const Id&) = default;
};

using EventId = Id<struct EventIdTag>;        ///< UUIDv7, lower case with hyphens
using DeliveryId = Id<struct DeliveryIdTag>;  ///< UUIDv7; sent as `webhook-id` and as Windmill's `job_id`
using TargetId = Id<struct TargetIdTag>;      ///< the target's name in the configuration
using SourceId = Id<struct SourceIdTag>;      ///< the source's name in the configuration

bool is_uuid(std::string_view text);

/// The UUID of version 7 with this time that belongs to `of`: the same for the same text, and for no other.
DeliveryId derived_delivery_id(TimePoint time, std::string_view of);

/// Makes UUIDs of version 7 that grow strictly within one process, also within a millisecond and
/// when the clock steps back. Safe from any thread.
class IdMaker {
public:
    IdMaker(const Clock& clock, Random& random) : clock_(clock), random_(random) {}
    std::string uuid_v7();
    EventId event_id() { return {uuid_v7()}; }
    DeliveryId delivery_id() { return {uuid_v7()}; }

private:
    const Clock& clock_;
    Random& random_;
    std::mutex mutex_;
    std::int64_t last_ms_ = 0;
    std::uint32_t counter_ = 0;
};

}  // namespace orbridge

template <class Tag>
struct std::hash<orbridge::Id<Tag>> {
    std::size_t operator()(const orbridge::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.value); }
};
