#pragma once

#include <optional>
#include <string>

#include "bridge/core/json.h"
#include "bridge/deliver/dispatcher.h"
#include "bridge/record/health.h"
#include "bridge/store/store.h"

/// How targets and what holds them back look in the admin API.
namespace orbridge {

/// The members of one target, into an object that is open.
void write_target(JsonWriter& json, const TargetView& view, TimePoint now);
/// How it last went, and when it goes on, into an object that is open: `last_success`, `last_error`,
/// `consecutive_failures`, `next_run`.
void write_health(JsonWriter& json, const Health& health, const std::optional<TimePoint>& next_run);
/// When the next attempt starts. `due`: of the first that is pending. Nothing: none is waiting for its time, or only a
/// hand goes on.
std::optional<TimePoint> next_attempt(const TargetView& view, const std::optional<TimePoint>& due, TimePoint now);

/// What keeps a delivery that waits from starting, besides its own due time and order.
struct Deferral {
    std::string by;  ///< a Hold's, or `in_flight`, `not_configured`
    std::optional<TimePoint> until{};
    std::string reason{};
    std::string sentence;  ///< what follows "deferred by"
};
/// `view`: the target as it stands, if it is configured. Nothing: nothing keeps it.
std::optional<Deferral> deferral_of(const DeliveryRow& row, const std::optional<TargetView>& view, TimePoint now);
/// `{"by":…,"until":…,"reason":…}`
void write_deferral(JsonWriter& json, const Deferral& deferral);

}  // namespace orbridge
