#include "tests/sim/world.h"

#include <algorithm>

#include "adapters/windmill/recipe.h"
#include "bridge/verify/schemes.h"
#include "tests/support/delivery_fakes.h"

namespace orbridge::sim {
namespace {

/// The steady and the plain target take all, the others only what is made or changed.
bool takes_all(const TargetConfig& target) { return target.steady || target.kind == OtherSide::Kind::Plain; }

/// As a subscription's: nothing is written once its lease has ended.
class LeasedRecipe final : public test::PlainRecipe {
public:
    LeasedRecipe(const World& world, const TargetConfig& target) : world_(world), target_(target) {}
    Result<HttpRequest> request_for(const Delivery& delivery, const std::string& route) const override {
        if (!world_.lease_runs(target_)) return Error{Error::Kind::Conflict, "the lease has ended"};
        return PlainRecipe::request_for(delivery, route);
    }

private:
    const World& world_;
    const TargetConfig& target_;
};

std::shared_ptr<const Recipe> recipe_for(const TargetConfig& target) {
    if (target.kind == OtherSide::Kind::Plain) return std::make_shared<test::PlainRecipe>();
    windmill::WindmillSettings settings;
    settings.runnable =
        windmill::parse_run_url("http://" + target.id.value + "/api/w/main/jobs/run/p/f/sim/on_event").value();
    settings.token = Secret(kToken);
    return std::make_shared<windmill::WindmillRecipe>(std::move(settings));
}

RouteSettings route_to(const TargetConfig& target, Bug bug) {
    RouteSettings route;
    route.name = "to-" + target.id.value;
    route.channel = "Object";
    if (!takes_all(target)) route.event_name = "(created|updated):.*";
    route.to = {target.id};
    route.ordered = target.kind != OtherSide::Kind::Plain;
    route.latest_only = target.latest_only;
    route.loop.limit =
        bug == Bug::NeverCut ? 0 : target.loop_limit;  // mostly 0: one object that changes often is what is played here
    return route;
}

}  // namespace

std::set<TargetId> expected_targets(const World& world, const std::set<TargetId>& configured, const std::string& verb) {
    std::set<TargetId> targets;
    for (const auto& match : make_matches(world)) targets.insert(match.target);
    for (const auto& target : world.config.targets)
        if (configured.count(target.id) != 0 && (takes_all(target) || verb != "Deleted")) targets.insert(target.id);
    return targets;
}

std::shared_ptr<const IngestPlan> make_ingest_plan(const World& world, const std::set<TargetId>& configured,
                                                   std::shared_ptr<const MappingSet> mappings) {
    std::vector<RouteSettings> routes;
    for (const auto& target : world.config.targets)
        if (configured.count(target.id) != 0) routes.push_back(route_to(target, world.bug));
    std::map<std::string, SourcePlan> sources;
    sources["cloud"] = {{"cloud"}, "openregister", "openregister", accept_unverified(), accept_unverified()};
    return std::make_shared<const IngestPlan>(
        IngestPlan{std::move(sources), Normalizer(std::move(mappings)), Router(routes)});
}

std::vector<DeliveryTarget> make_delivery_targets(const World& world, const std::set<TargetId>& configured) {
    std::vector<DeliveryTarget> targets;
    for (const auto& target : world.config.targets) {
        if (configured.count(target.id) == 0) continue;
        DeliveryTarget made;
        made.id = target.id;
        made.recipe = planted(recipe_for(target), world.bug, kToken);
        made.in_flight_max = target.in_flight_max;
        made.retry = target.retry;
        if (target.latest_only && world.bug != Bug::RetrySuperseded)
            made.latest_only = {route_to(target, world.bug).name};
        if (world.bug != Bug::IgnoreBreaker) made.breaker = target.breaker;
        if (world.bug != Bug::IgnoreRate) made.rate = target.rate;
        targets.push_back(std::move(made));
    }
    return targets;
}

std::vector<Match> make_matches(const World& world) {
    std::vector<Match> matches;
    for (const auto& target : world.config.targets)
        if (target.lease && world.lease_runs(target)) matches.push_back({target.id, "subscription", true});
    return matches;
}

TargetFamily make_family(const World& world) {
    TargetFamily family;
    family.prefix = kHookPrefix;
    family.find = [&world](const TargetId& id) -> std::optional<DeliveryTarget> {
        for (const auto& target : world.config.targets)
            if (target.id == id && world.lease_runs(target))
                return DeliveryTarget{id, std::make_shared<LeasedRecipe>(world, target), target.in_flight_max,
                                      target.retry};
        return std::nullopt;
    };
    return family;
}

}  // namespace orbridge::sim
