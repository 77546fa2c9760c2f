#include "bridge/store/claim_table.h"

namespace orbridge {

std::optional<TimePoint> ClaimTable::held_until(std::int64_t delivery, TimePoint now) const {
    const auto found = by_delivery_.find(delivery);
    if (found == by_delivery_.end()) return std::nullopt;
    const auto& hold = found->second;
    if (hold.until <= now && !hold.settling) return std::nullopt;
    return hold.until;
}

std::uint64_t ClaimTable::hold(std::int64_t delivery, TimePoint until) {
    drop_delivery(delivery);
    const auto token = ++last_token_;
    by_delivery_[delivery] = Hold{delivery, token, until};
    by_token_[token] = delivery;
    return token;
}

ClaimTable::Hold* ClaimTable::find(std::uint64_t token) {
    const auto known = by_token_.find(token);
    return known == by_token_.end() ? nullptr : &by_delivery_.at(known->second);
}

void ClaimTable::drop_token(std::uint64_t token) {
    const auto known = by_token_.find(token);
    if (known == by_token_.end()) return;
    by_delivery_.erase(known->second);
    by_token_.erase(known);
}

void ClaimTable::drop_delivery(std::int64_t delivery) {
    const auto found = by_delivery_.find(delivery);
    if (found == by_delivery_.end()) return;
    by_token_.erase(found->second.token);
    by_delivery_.erase(found);
}

}  // namespace orbridge
