#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "bridge/core/clock.h"

namespace orbridge {

/// Who holds which delivery. In memory: the process owns the file, so no claim can outlive it, and a
/// restart waits for no hold to run out. Not safe by itself: keep it in a Guarded.
class ClaimTable {
public:
    struct Hold {
        std::int64_t delivery = 0;
        std::uint64_t token = 0;
        TimePoint until{};
        std::optional<std::int64_t> order_key{};  ///< what waits behind it
        bool settling = false;                    ///< its end is being written: not to be handed out even after `until`
    };

    /// Until when somebody has it; nothing if it may be handed out.
    std::optional<TimePoint> held_until(std::int64_t delivery, TimePoint now) const;
    /// Hands it out under a new token. Whoever had it before has lost it.
    std::uint64_t hold(std::int64_t delivery, TimePoint until);
    /// The hold with this token, or nullptr if it was lost.
    Hold* find(std::uint64_t token);
    void drop_token(std::uint64_t token);
    void drop_delivery(std::int64_t delivery);
    /// Everybody has lost what he had. Tokens are not given again.
    void drop_all() {
        by_delivery_.clear();
        by_token_.clear();
    }
    bool holds(std::int64_t delivery) const { return by_delivery_.count(delivery) != 0; }

private:
    std::unordered_map<std::int64_t, Hold> by_delivery_;
    std::unordered_map<std::uint64_t, std::int64_t> by_token_;
    std::uint64_t last_token_ = 0;
};

}  // namespace orbridge
