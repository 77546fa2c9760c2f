#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bridge/core/random.h"
#include "bridge/deliver/dispatcher.h"
#include "bridge/normalize/mapping.h"
#include "bridge/receive/ingest.h"
#include "bridge/store/subscription.h"
#include "tests/sim/faults.h"
#include "tests/sim/ledger.h"
#include "tests/sim/mutants.h"
#include "tests/sim/sim_transport.h"
#include "tests/sim/trace.h"
#include "tests/sim/virtual_time.h"

namespace orbridge::sim {

inline const std::string kToken = "wm-secret-4711";

struct TargetConfig {
    TargetId id;
    OtherSide::Kind kind = OtherSide::Kind::Windmill;
    int in_flight_max = 3;
    RetryPolicy retry = default_retry_policy();
    Manner manner{};
    bool steady = false;
    std::optional<milliseconds> lease{};  ///< a subscriber's, from the start on; it is not configured
    std::optional<BreakerPolicy> breaker{};
    RateLimit rate{};
    bool latest_only = false;  ///< `coalesce: latest`
    int loop_limit = 0;        ///< in a minute
};

/// What the bridge is configured with. `order: none` is the plain target's.
struct Config {
    std::vector<TargetConfig> targets;
    int in_flight_max = 10;
    std::int64_t backlog_max = 0;  ///< deliveries; 0: as many as there are
};

/// Everything outside the bridge's process: time, chance, the store's content, the other sides.
struct World {
    World(std::uint64_t seed, const Config& with, Bug planted_bug, Trace::Kind tracing)
        : config(with),
          bug(planted_bug),
          random(seed),
          trace(clock, tracing),
          ledger(clock, trace, with.in_flight_max),
          faults(random),
          store(clock, faults, ledger, planted_bug),
          transport(clock, agenda, random, ledger, trace) {}

    milliseconds some(int least, int most) {
        return milliseconds{least + static_cast<int>(random.bits() % static_cast<std::uint64_t>(most - least + 1))};
    }
    /// Whether a subscriber may be called now.
    bool lease_runs(const TargetConfig& target) const {
        return bug == Bug::IgnoreLease || clock.now() < VirtualClock::kStart + *target.lease;
    }
    bool chance(int percent) { return static_cast<int>(random.bits() % 100) < percent; }

    Config config;
    Bug bug;
    VirtualClock clock;
    Agenda agenda{clock};
    SeededRandom random;
    Trace trace;
    Ledger ledger;
    Faults faults;
    PlantedStore store;
    SimTransport transport;
};

/// Which targets get an event with such a name, if these are configured: the routes once more, in other words.
std::set<TargetId> expected_targets(const World& world, const std::set<TargetId>& configured, const std::string& verb);
std::shared_ptr<const IngestPlan> make_ingest_plan(const World& world, const std::set<TargetId>& configured,
                                                   std::shared_ptr<const MappingSet> mappings);
/// The subscribers whose lease runs.
std::vector<Match> make_matches(const World& world);
TargetFamily make_family(const World& world);
std::vector<DeliveryTarget> make_delivery_targets(const World& world, const std::set<TargetId>& configured);

}  // namespace orbridge::sim
