#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/event.h"
#include "bridge/core/ids.h"
#include "bridge/record/breaker.h"
#include "bridge/store/store.h"

namespace orbridge {

/// What /metrics shows. Counting is safe from any thread and never blocks on I/O. Labels are names from
/// the configuration and fixed words only, so their number is bounded and nothing secret gets in.
class Metrics {
public:
    Metrics();
    ~Metrics();

    // ---- coming in
    enum class Received { Accepted, Duplicate, Unmapped };
    void received(const SourceId& source, Intake intake, Received what);
    /// An event that tells what was there before.
    void backfilled(const SourceId& source);
    /// How long ago what an intake has just told had happened.
    void lag(const SourceId& source, Intake intake, milliseconds lag);
    /// A request to a known source that was not accepted.
    void refused(const SourceId& source, int status);

    // ---- going out
    /// `outcome` is Attempt::outcome.
    void attempted(const TargetId& target, const std::string& outcome, milliseconds duration);
    /// A delivery that ended: delivered or dead.
    void ended(const TargetId& target, DeliveryState state);
    /// A delivery that was cut because the event looks like one our own script caused.
    void loop_cut(const TargetId& target);
    /// Texts of an event that an adapter changed so that the target does not act upon them.
    void changed(const TargetId& target, const std::string& what, int count);

    // ---- leased subscribers; `channel` from a bounded set
    void lease_request(const std::string& product, const std::string& action, const std::string& token, bool success);
    void callback(const std::string& product, const std::string& channel, const std::string& outcome);
    void subscription_expired(const std::string& product, const std::string& channel);

    // ---- told at each scrape
    struct Subscribed {
        std::string product, channel;
        std::size_t count = 0;
    };
    struct Registration {
        std::string source, kind;  ///< kind: listeners, webhooks, hooks
        bool ok = false;
    };
    struct Breaker {
        TargetId target;
        orbridge::Breaker::State state{};
        int in_flight = 0;
    };
    struct Poll {
        std::string source;
        std::optional<TimePoint> checked_at, fetched_at, next_poll;
        int failures = 0;  ///< in a row
        std::uint64_t recovered = 0, duplicates = 0, untold = 0;
        std::size_t cannot_tell = 0;  ///< sentences about it
        bool push_silent = false;
    };
    struct Health {
        std::string name;
        std::optional<TimePoint> last_success, last_error, next;
        int failures = 0;  ///< in a row
    };
    struct Scrape {
        TimePoint now;
        StoreCounts counts;
        std::vector<IntakeHeard> heard;
        std::vector<Registration> registrations;
        std::vector<Subscribed> subscriptions;
        std::vector<Breaker> breakers;
        std::vector<Poll> polls;
        std::vector<std::pair<std::string, double>> backlog;  ///< by limit; 1 is the limit
        std::vector<Health> target_health{}, source_health{};
    };
    /// The Prometheus text format.
    std::string render(const Scrape& scrape);

private:
    struct Families;
    std::unique_ptr<Families> families_;
};

}  // namespace orbridge
