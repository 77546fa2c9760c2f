#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/http_json/settings.h"
#include "adapters/registry.h"
#include "bridge/deliver/dispatcher.h"
#include "bridge/deliver/recipe.h"
#include "bridge/receive/ingest.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// What a configuration turned into. Immutable: a reload makes a new one. Building it does no I/O besides
/// reading the files it names, so `orbridge check` builds it too.
struct Plan {
    Settings settings;
    IngestPlan ingest;
    std::map<TargetId, std::shared_ptr<const Recipe>> recipes;
    std::map<SourceId, http_json::JsonPollSettings> json_polls;  ///< of the sources of type http
    AdapterBox adapters;
    std::vector<std::string> adapter_faults{};     ///< of files that were left out; one line each
    std::map<std::string, std::string> source_at;  ///< further paths that mean /ingest/<id>
};

/// Gives the one of now. Safe from any thread.
using PlanNow = std::function<std::shared_ptr<const Plan>()>;

/// What the dispatcher has to know. Those whose attempts take threads share these evenly, so that none can keep another
/// from its own.
std::vector<DeliveryTarget> delivery_targets(const Plan& plan, int threads);
SnapshotRetention snapshot_retention(const Settings& settings);

/// Everything wrong goes to `complaints`, but what is wrong with adapters' files: those are left out, and the plan
/// holds the reasons. The plan is only to be used if there is nothing.
std::shared_ptr<const Plan> make_plan(Settings settings, const AdapterHooks& hooks, Complaints& complaints);

}  // namespace orbridge
