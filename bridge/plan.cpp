#include "bridge/plan.h"

#include "bridge/normalize/mapping_loader.h"
#include "bridge/subscribers.h"
#include "bridge/verify/schemes.h"

namespace orbridge {
namespace {

std::shared_ptr<const Verifier> verifier_of(const SourceSettings& source, Intake intake, Complaints& complaints) {
    auto verifier = verifier_for(source.type, intake, {source.secrets, {source.hook_token}});
    if (verifier) return std::move(*verifier);
    if (source.node) {
        source.node->complain(verifier.error().message);
    } else {
        complaints.add("", "sources." + source.id.value, verifier.error().message);
    }
    return nullptr;
}

SourcePlan source_plan(const SourceSettings& source, Complaints& complaints) {
    SourcePlan plan{source.id, source.type, nullptr, nullptr};
    plan.push = source.unverified ? accept_unverified() : verifier_of(source, Intake::Push, complaints);
    if (!source.hook_token.empty()) plan.hooks = verifier_of(source, Intake::Hooks, complaints);
    return plan;
}

}  // namespace

std::shared_ptr<const Plan> make_plan(Settings settings, const AdapterHooks& hooks, Complaints& complaints) {
    std::map<std::string, SourcePlan> sources;
    std::map<std::string, std::string> source_at;
    for (const auto& source : settings.sources) {
        sources.emplace(source.id.value, source_plan(source, complaints));
        for (const auto& path : source.paths) source_at[path] = source.id.value;
    }
    std::map<TargetId, std::shared_ptr<const Recipe>> recipes;
    for (const auto& target : settings.targets) recipes[target.id] = make_recipe(target, settings.routes, hooks);
    Subscribers::check(settings.subscriptions);
    auto mappings = load_mappings(settings.mappings, complaints);
    Router router(settings.routes);
    return std::make_shared<const Plan>(Plan{std::move(settings),
                                             {std::move(sources), Normalizer(std::move(mappings)), std::move(router)},
                                             std::move(recipes),
                                             std::move(source_at)});
}

}  // namespace orbridge
