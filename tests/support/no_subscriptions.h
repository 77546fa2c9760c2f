#pragma once

#include <string>
#include <vector>

#include "bridge/store/store.h"

namespace orbridge::testing {

/// A store, for fakes to derive from, that has no subscriptions, no tokens, no credentials, no audit, no runs and no
/// size.
class NoSubscriptions : public Store {
public:
    Result<std::vector<Subscription>> subscriptions() override { return std::vector<Subscription>{}; }
    Result<std::uint64_t> put_subscription(const Subscription&) override { return none(); }
    Status update_subscriptions(const std::vector<Subscription>&) override { return none(); }
    Status remove_subscriptions(const std::vector<std::uint64_t>&) override { return none(); }
    Result<std::vector<ApiToken>> api_tokens() override { return std::vector<ApiToken>{}; }
    Status put_api_token(const ApiToken&) override { return none(); }
    Status remove_api_token(const std::string&) override { return none(); }
    Result<std::vector<CredentialRow>> credentials() override { return std::vector<CredentialRow>{}; }
    Result<CredentialRow> put_credential(const CredentialRow&) override { return none(); }
    Status remove_credential(const std::string&) override { return none(); }
    Status add_audit(const AuditRow&) override { return Ok{}; }
    Result<std::vector<AuditRow>> audit(const AuditQuery&) override { return std::vector<AuditRow>{}; }
    Result<std::uint64_t> prune_audit(const AuditRetention&, TimePoint, int) override { return std::uint64_t{0}; }
    Status add_runs(const std::vector<RunRow>&) override { return Ok{}; }
    Result<std::vector<RunRow>> runs(const RunQuery&) override { return std::vector<RunRow>{}; }
    Result<std::optional<Snapshot>> snapshot(const SourceId&, const std::string&) override {
        return std::optional<Snapshot>{};
    }
    Result<std::vector<std::string>> live_subjects(const SourceId&, const std::string&, const std::string&,
                                                   int) override {
        return std::vector<std::string>{};
    }
    Result<std::vector<SnapshotRow>> snapshots(const SourceId&, const std::string&, int) override {
        return std::vector<SnapshotRow>{};
    }
    Status use_snapshot(const SourceId&, const std::string&, TimePoint) override { return none(); }
    Result<std::optional<Difference>> difference(const EventId&) override { return std::optional<Difference>{}; }
    Result<std::uint64_t> prune_snapshots(const SnapshotRetention&, TimePoint, int) override {
        return std::uint64_t{0};
    }
    Result<Erasure> erase(const ErasureOrder&, TimePoint) override { return none(); }
    Result<std::vector<UntoldSubject>> untold(const UntoldQuery&) override { return std::vector<UntoldSubject>{}; }
    Result<std::uint64_t> count_untold(const UntoldQuery&) override { return std::uint64_t{0}; }
    Result<std::uint64_t> mark_told(const SourceId&) override { return std::uint64_t{0}; }
    std::uint64_t pending() const override { return 0; }
    std::uint64_t pending_for(const TargetId&) const override { return 0; }
    Result<StoreSpace> space() override { return StoreSpace{}; }

private:
    static Error none() { return {Error::Kind::Internal, "this store has neither subscriptions nor credentials"}; }
};

}  // namespace orbridge::testing
