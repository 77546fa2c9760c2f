#pragma once

#include <optional>

#include "bridge/core/json.h"
#include "bridge/deliver/dispatcher.h"
#include "bridge/store/store.h"

/// How targets and what holds them back look in the admin API.
namespace orbridge {

/// The members of one target, into an object that is open.
void write_target(JsonWriter& json, const TargetView& view, TimePoint now);
/// `{"by":…,"until":…,"reason":…}`
void write_hold(JsonWriter& json, const Hold& hold);

/// What keeps a delivery that waits from starting besides its own due time and order. Nothing: nothing does.
std::optional<Hold> hold_of(const DeliveryRow& row, const std::optional<TargetView>& view, TimePoint now);

}  // namespace orbridge
