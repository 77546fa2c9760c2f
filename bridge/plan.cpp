#include "bridge/plan.h"

#include <algorithm>
#include <set>

#include "bridge/adapt/loader.h"
#include "bridge/normalize/mapping.h"
#include "bridge/normalize/mapping_loader.h"
#include "bridge/settings/values.h"
#include "bridge/subscribers.h"
#include "bridge/verify/push_schemes.h"
#include "bridge/verify/schemes.h"

namespace orbridge {
namespace {

std::shared_ptr<const Verifier> verifier_of(const SourceSettings& source, Intake intake, Complaints& complaints) {
    Credentials credentials{source.secrets, {source.hook_token}};
    if (source.app_api) {
        credentials.app_id = source.app_api->id;
        credentials.app_secret = source.app_api->secret;
    }
    auto verifier = verifier_for(source.type, intake, credentials);
    if (verifier) return std::move(*verifier);
    if (source.node) {
        source.node->complain(verifier.error().message);
    } else {
        complaints.add("", "sources." + source.id.value, verifier.error().message);
    }
    return nullptr;
}

SourcePlan push_plan(const SourceSettings& source) {
    SourcePlan plan;
    plan.id = source.id;
    plan.type = source.type;
    plan.mapping = source.mapping;
    plan.enabled = source.push.enabled;
    plan.limit = source.limit;
    plan.snapshots = source.snapshots;
    if (const auto* scheme = find_push_scheme(source.push.proof.scheme)) plan.accepted_status = scheme->accepted_status;
    if (auto verifier = verifier_for(source.push.proof)) plan.push = std::move(*verifier);  // else: complained about
    return plan;
}

SourcePlan source_plan(const SourceSettings& source, Complaints& complaints) {
    if (source.type == "push") return push_plan(source);
    SourcePlan plan;
    plan.id = source.id;
    plan.type = source.type;
    plan.mapping = source.mapping;
    plan.limit = source.limit;
    plan.snapshots = source.snapshots;
    if (source.type == "http") return plan;  // nobody pushes to it
    plan.push = source.unverified ? accept_unverified() : verifier_of(source, Intake::Push, complaints);
    if (!source.hook_token.empty()) plan.hooks = verifier_of(source, Intake::Hooks, complaints);
    return plan;
}

/// A push or http source names whose rules read it: a word nobody serves is a slip, which only the events would show.
void check_mapping(const SourceSettings& source, const MappingSet& mappings) {
    const bool chooses = source.type == "push" || source.type == "http";
    if (!chooses || !source.node || source.mapping.empty() || source.mapping == "record") return;
    if (!mappings.serving(source.mapping).empty()) return;
    (*source.node)["mapping"].complain("no file of `mappings` has `" + source.mapping + "` among its `sources`" +
                                       suggestion(source.mapping, mappings.source_types()));
}

std::shared_ptr<const OutboundPolicy> policy_of(const AdapterSettings& settings, Complaints& complaints) {
    auto policy = OutboundPolicy::make(settings.allow);
    if (policy) return std::make_shared<const OutboundPolicy>(std::move(*policy));
    complaints.add("", "adapters.allow", policy.error().message);
    return nullptr;
}

using Recipes = std::map<TargetId, std::shared_ptr<const Recipe>>;

std::set<TargetId> blocking(const Recipes& recipes, const std::vector<RouteSettings>& routes) {
    std::set<TargetId> ids;
    for (const auto& route : routes) {
        for (const auto& id : route.to) {
            const auto recipe = recipes.find(id);
            if (recipe != recipes.end() && recipe->second && recipe->second->blocks(route.name)) ids.insert(id);
        }
    }
    return ids;
}

/// Each has one at least, whatever the others do.
void check_threads(const std::set<TargetId>& targets, int threads, Complaints& complaints) {
    if (static_cast<int>(targets.size()) <= threads) return;
    complaints.add(
        "", "deliver.threads_max",
        std::to_string(targets.size()) + " targets need a thread each, and there are " + std::to_string(threads));
}

std::shared_ptr<WaitingResolver> names_of(const Settings& settings) {
    return std::make_shared<WaitingResolver>(&resolve_by_system, ResolverSettings{.threads_max = settings.lookups_max});
}

/// Only chains read the steps of a route.
void check_steps(const RouteSettings& route, const std::vector<TargetSettings>& targets) {
    if (!route.node || !(*route.node)["steps"].present()) return;
    const auto is_for = [&](const TargetSettings& target) {
        return is_chain(target) && std::find(route.to.begin(), route.to.end(), target.id) != route.to.end();
    };
    if (std::none_of(targets.begin(), targets.end(), is_for))
        (*route.node)["steps"].complain("none of its targets has `adapter: chain`");
}

/// Chains last: their steps are tasks of the others.
Recipes make_recipes(const Settings& settings, const AdapterBox& box, const AdapterHooks& hooks) {
    Recipes recipes;
    for (const auto& target : settings.targets)
        if (!is_chain(target)) recipes[target.id] = make_recipe(target, settings.routes, box, hooks);
    const auto find = [others = recipes](const TargetId& id) {
        const auto found = others.find(id);
        return found == others.end() ? nullptr : found->second;
    };
    for (const auto& target : settings.targets)
        if (is_chain(target)) recipes[target.id] = make_chain(target, settings.routes, box, find);
    for (const auto& route : settings.routes) check_steps(route, settings.targets);
    return recipes;
}

}  // namespace

std::vector<DeliveryTarget> delivery_targets(const Plan& plan, int threads) {
    const auto in_threads = blocking(plan.recipes, plan.settings.routes);
    const int share = std::max(1, threads / std::max(1, static_cast<int>(in_threads.size())));
    std::set<std::string> latest_only;
    for (const auto& route : plan.settings.routes)
        if (route.latest_only) latest_only.insert(route.name);
    std::vector<DeliveryTarget> targets;
    for (const auto& target : plan.settings.targets) {
        const int room = in_threads.contains(target.id) ? std::min(target.in_flight_max, share) : target.in_flight_max;
        targets.push_back(
            {target.id, plan.recipes.at(target.id), room, target.retry, target.rate, target.breaker, latest_only});
    }
    return targets;
}

SnapshotRetention snapshot_retention(const Settings& settings) {
    SnapshotRetention retention{
        .unused = settings.store.retention_snapshots, .rows_max = settings.store.snapshots_max, .polled = {}};
    for (const auto& source : settings.sources)
        if (source.poll) retention.polled.insert(source.id);
    return retention;
}

std::shared_ptr<const Plan> make_plan(Settings settings, const AdapterHooks& hooks, Complaints& complaints) {
    std::map<std::string, SourcePlan> sources;
    std::map<std::string, std::string> source_at;
    std::map<SourceId, http_json::JsonPollSettings> json_polls;
    for (const auto& source : settings.sources) {
        sources.emplace(source.id.value, source_plan(source, complaints));
        for (const auto& path : source.paths) source_at[path] = source.id.value;
        if (source.type == "http" && source.node)
            json_polls[source.id] = http_json::read_json_poll((*source.node)["poll"], source);
    }
    Complaints left_out;
    AdapterBox box{load_adapters(settings.adapters.folders, left_out),
                   policy_of(settings.adapters, complaints),
                   names_of(settings),
                   settings.ca_file,
                   hooks.stopping,
                   settings.adapters.step_data_bytes_max};
    auto recipes = make_recipes(settings, box, hooks);
    check_threads(blocking(recipes, settings.routes), settings.threads_max, complaints);
    Subscribers::check(settings.subscriptions);
    auto mappings = load_mappings(settings.mappings, complaints);
    for (const auto& source : settings.sources) check_mapping(source, *mappings);
    Router router(settings.routes);
    return std::make_shared<const Plan>(Plan{std::move(settings),
                                             {std::move(sources), Normalizer(std::move(mappings)), std::move(router)},
                                             std::move(recipes),
                                             std::move(json_polls),
                                             std::move(box),
                                             left_out.lines(),
                                             std::move(source_at)});
}

}  // namespace orbridge
