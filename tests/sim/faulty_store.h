#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "bridge/store/memory_store.h"
#include "tests/sim/faults.h"
#include "tests/sim/ledger.h"

namespace orbridge::sim {

/// A store whose calls fail, before or after they took effect, take long, or are the last thing their process
/// does. It tells the ledger what has truly happened.
class FaultyStore : public MemoryStore {
public:
    FaultyStore(VirtualClock& clock, Faults& faults, Ledger& ledger)
        : clock_(clock), faults_(faults), ledger_(ledger) {}

    using Store::accept;
    Result<std::vector<Accepted>> accept(const Arrival& arrival) override;
    Status add_deliveries(const EventId& id, const std::vector<NewDelivery>& deliveries) override;
    Result<ClaimBatch> claim(const TargetId& target, TimePoint now, milliseconds hold, int limit) override;
    Result<std::vector<bool>> settle(const std::vector<Settle>& settles, TimePoint now) override;
    void release(const std::vector<Claim>& claims) override;
    Result<std::vector<std::pair<TargetId, TimePoint>>> pending_targets() override;
    Result<std::uint64_t> end_pending(const std::optional<TargetId>& target, const std::optional<DeliveryId>& delivery,
                                      DeliveryState as, const std::string& reason, TimePoint now) override;
    Result<Event> event(const EventId& id) override;
    Result<std::vector<DeliveryRow>> deliveries(const DeliveryQuery& query) override;
    Result<std::optional<std::string>> note(const std::string& key) override;
    Status set_note(const std::string& key, const std::string& value) override;

protected:
    VirtualClock& clock_;

private:
    template <class R, class Work>
    R call(std::string_view method, Work&& work);
    bool is_cancelled(const DeliveryId& id);
    void tell_superseded(const std::vector<NewDelivery>& added);
    void tell_end(const Settle& settle);

    Faults& faults_;
    Ledger& ledger_;
};

}  // namespace orbridge::sim
