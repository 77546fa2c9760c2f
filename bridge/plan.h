#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "adapters/http_json/settings.h"
#include "adapters/registry.h"
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

/// Those with attempts that need a thread.
std::set<TargetId> blocking_targets(const Plan& plan);

/// Everything wrong goes to `complaints`, but what is wrong with adapters' files: those are left out, and the plan
/// holds the reasons. The plan is only to be used if there is nothing.
std::shared_ptr<const Plan> make_plan(Settings settings, const AdapterHooks& hooks, Complaints& complaints);

}  // namespace orbridge
