#pragma once

#include <map>
#include <string>

#include "bridge/store/store.h"
#include "tests/support/no_subscriptions.h"

namespace orbridge::testing {

/// A store that only keeps notes: all that registrars use. Copy the notes to play a restart, clear them to
/// play a lost store.
class NotesStore : public NoSubscriptions {
public:
    std::map<std::string, std::string> notes;
    bool broken = false;

    Result<std::optional<std::string>> note(const std::string& key) override {
        if (broken) return no();
        const auto found = notes.find(key);
        return found == notes.end() ? std::optional<std::string>() : std::optional(found->second);
    }
    Status set_note(const std::string& key, const std::string& value) override {
        if (broken) return no();
        notes[key] = value;
        return Ok{};
    }

    using Store::accept;
    using Store::remap;
    Result<std::vector<Accepted>> accept(const Arrival&) override { return no(); }
    Status remap(const EventId&, const std::vector<NewEvent>&) override { return no(); }
    Result<Headers> kept_headers(const EventId&) override { return no(); }
    Status add_deliveries(const EventId&, const std::vector<NewDelivery>&) override { return no(); }
    Result<ClaimBatch> claim(const TargetId&, TimePoint, milliseconds, int) override { return no(); }
    Result<std::vector<bool>> settle(const std::vector<Settle>&, TimePoint) override { return no(); }
    void release(const std::vector<Claim>&) override {}
    Result<std::vector<std::pair<TargetId, TimePoint>>> pending_targets() override { return no(); }
    Result<std::uint64_t> end_pending(const std::optional<TargetId>&, const std::optional<DeliveryId>&, DeliveryState,
                                      const std::string&, TimePoint) override {
        return no();
    }
    Result<std::vector<FollowedJob>> jobs_due(TimePoint, int) override { return no(); }
    Result<std::optional<TimePoint>> next_job_check() override { return no(); }
    Status record_job(const FollowedJob&) override { return no(); }
    Result<std::optional<FollowedJob>> job_of(const DeliveryId&) override { return no(); }
    Result<Event> event(const EventId&) override { return no(); }
    Result<std::vector<Event>> events(const EventQuery&) override { return no(); }
    Result<DeliveryRow> delivery(const DeliveryId&) override { return no(); }
    Result<std::vector<DeliveryRow>> deliveries(const DeliveryQuery&) override { return no(); }
    Result<std::vector<Attempt>> attempts(const DeliveryId&) override { return no(); }
    Result<StoreCounts> counts() override { return no(); }
    Result<std::vector<IntakeHeard>> intakes_heard() override { return no(); }
    Result<std::uint64_t> prune(const RetentionPolicy&, TimePoint, int) override { return no(); }
    Status probe() override { return no(); }

private:
    static Error no() { return {Error::Kind::Unavailable, "this store only keeps notes"}; }
};

}  // namespace orbridge::testing
