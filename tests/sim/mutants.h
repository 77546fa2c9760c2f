#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bridge/deliver/recipe.h"
#include "tests/sim/faulty_store.h"

namespace orbridge::sim {

/// A bug that is planted to see whether the checkers notice.
enum class Bug {
    None,
    AcceptWithoutStoring,
    ForgetDelivery,
    NoDuplicateCheck,
    OvertakeOnRetry,
    IgnoreOrder,
    TwoHolders,
    EarlyClaim,
    LeakClaim,
    MoreThanAsked,
    ForgetTheRest,
    ForgetAtRestart,
    LoseSettle,
    SettleTwice,
    SettleLostClaim,
    IgnoreRetryAfter,
    LoseUnclear,
    NeverGiveUp,
    FailureIsSuccess,
    ForgetWake,
    NewIdOnRetry,
    OneAtATime,
    SecretInLog,
    IgnoreLease,
    IgnoreBreaker,
    IgnoreRate,
    IgnorePause,
    ForgetGate,
    NeverCut,
    KeepSuperseded,
    SupersedeAll,
    IgnoreBacklog,
    ReplayTwice,
    ReplayOld,
    RetrySuperseded,
};

struct Mutant {
    Bug bug;
    const char* name;
    const char* what;
};

const std::vector<Mutant>& mutants();
const Mutant* find_mutant(const std::string& name);

/// The store as the bridge sees it: with the planted bug, if any. It tells the ledger what is handed out.
class PlantedStore final : public FaultyStore {
public:
    PlantedStore(VirtualClock& clock, Faults& faults, Ledger& ledger, Bug bug)
        : FaultyStore(clock, faults, ledger), ledger_(ledger), bug_(bug) {}

    using Store::accept;
    Result<std::vector<Accepted>> accept(const Arrival& arrival) override;
    Status add_deliveries(const EventId& id, const std::vector<NewDelivery>& deliveries) override;
    Result<ClaimBatch> claim(const TargetId& target, TimePoint now, milliseconds hold, int limit) override;
    Result<std::vector<bool>> settle(const std::vector<Settle>& settles, TimePoint now) override;
    Status set_note(const std::string& key, const std::string& value) override;
    void restarted();

private:
    bool every(int n) { return ++calls_ % n == 0; }
    NewEvent spoiled(NewEvent event);
    Result<ClaimBatch> spoiled_claim(const TargetId& target, TimePoint now, milliseconds hold, int limit);
    void spoil(Settle& settle, TimePoint now) const;
    void settle_again(const Settle& settle, TimePoint now);
    void note_retry(const Settle& settle);

    Ledger& ledger_;
    const Bug bug_;
    int calls_ = 0;
    std::map<TargetId, Claim> last_;
    std::set<TargetId> asked_since_start_;
    std::set<std::pair<TargetId, std::string>> retrying_;
};

/// The recipe, with the planted bug if it is one of those.
std::shared_ptr<const Recipe> planted(std::shared_ptr<const Recipe> recipe, Bug bug, std::string secret);

}  // namespace orbridge::sim
