#include "bridge/core/event.h"

#include <array>

#include "bridge/core/delivery.h"

namespace orbridge {
namespace {

constexpr std::array kIntakes = {"listeners", "webhooks", "hooks", "poll", "push", "record"};
constexpr std::array kStates = {"pending", "delivered", "dead", "expired", "cancelled"};

}  // namespace

const char* to_text(Intake intake) { return kIntakes.at(static_cast<std::size_t>(intake)); }

bool from_text(const std::string& text, Intake& intake) {
    for (std::size_t i = 0; i < kIntakes.size(); ++i) {
        if (text == kIntakes[i]) {
            intake = static_cast<Intake>(i);
            return true;
        }
    }
    return false;
}

const char* to_text(DeliveryState state) { return kStates.at(static_cast<std::size_t>(state)); }

std::optional<DeliveryState> delivery_state_from_text(const std::string& text) {
    for (std::size_t i = 0; i < kStates.size(); ++i)
        if (text == kStates[i]) return static_cast<DeliveryState>(i);
    return std::nullopt;
}

}  // namespace orbridge
