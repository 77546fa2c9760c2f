#include "adapters/registry.h"

#include <map>
#include <utility>

#include "adapters/chain/recipe.h"
#include "adapters/http/recipe.h"
#include "adapters/postgresql/tasks.h"
#include "adapters/smtp/tasks.h"
#include "adapters/windmill/arguments.h"
#include "adapters/windmill/recipe.h"
#include "adapters/windmill/settings.h"
#include "bridge/adapt/native.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace {

using Factory = std::unique_ptr<Recipe> (*)(const TargetSettings&, const std::vector<RouteSettings>&,
                                            const AdapterHooks&);

std::unique_ptr<Recipe> make_windmill(const TargetSettings& target, const std::vector<RouteSettings>& routes,
                                      const AdapterHooks& hooks) {
    windmill::Counted counted;
    if (hooks.changed) {
        counted = [changed = hooks.changed, id = target.id](std::string_view what, int count) {
            changed(id, what, count);
        };
    }
    return std::make_unique<windmill::WindmillRecipe>(windmill::read_settings(target, routes), std::move(counted));
}

constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

std::unique_ptr<const NativeTasks> postgresql_tasks(const AdapterBox& box, const AdapterHooks&) {
    const auto lookup = [names = box.names](const std::string& host, std::chrono::steady_clock::time_point until,
                                            const std::stop_token& stop) { return names->find(host, until, stop); };
    return std::make_unique<postgresql::PostgresqlTasks>(postgresql::TasksParts{
        lookup, box.policy, box.ca_file.empty() ? std::string(kSystemAuthorities) : box.ca_file});
}

std::unique_ptr<const NativeTasks> smtp_tasks(const AdapterBox& box, const AdapterHooks& hooks) {
    auto now = hooks.now ? hooks.now : [] { return SystemClock().now(); };
    return std::make_unique<smtp::SmtpTasks>(smtp::TasksParts{box.policy, box.ca_file, std::move(now)});
}

struct NativeKind {
    std::unique_ptr<const NativeTasks> (*make)(const AdapterBox&, const AdapterHooks&);
    std::string (*config_fault)(const Json& config);  ///< what the fields' types cannot tell; empty: nothing
};

/// By the names of kNativeKinds.
const std::map<std::string, NativeKind, std::less<>>& natives() {
    static const std::map<std::string, NativeKind, std::less<>> kNatives = {
        {"postgresql", {postgresql_tasks, postgresql::statements_fault}},
        {"smtp", {smtp_tasks, smtp::sender_fault}},
    };
    return kNatives;
}

std::unique_ptr<Recipe> make_native(const TargetSettings& target, AdapterUse use, const AdapterBox& box,
                                    const AdapterHooks& hooks) {
    NativeLimits limits{.connect_timeout = target.connect_timeout, .stopping = hooks.stopping};
    if (target.node["timeout"].present()) limits.timeout = target.timeout;
    if (target.node["answer_bytes_max"].present()) limits.answer_bytes_max = target.answer_bytes_max;
    const auto& native = natives().at(use.adapter().kind);
    if (const auto config = JsonDocument::parse(use.config())) {
        const auto fault = native.config_fault((*config)->root());
        if (!fault.empty()) target.node["config"].complain(fault);
    }
    return std::make_unique<NativeRecipe>(std::move(use), std::move(limits), native.make(box, hooks));
}

/// Windmill reads `$var:…` in a text as a reference (windmill.md §2.4).
Result<std::string> guard_windmill(const std::string& json, bool is_payload) {
    auto arguments = windmill::disarm(json, windmill::Interpolation::Neutralise, is_payload);
    if (!arguments) return arguments.error();
    return std::move(arguments->json);
}

/// A target of an adapter that is declared in a file.
std::unique_ptr<Recipe> make_declared(const TargetSettings& target, const std::vector<RouteSettings>& routes,
                                      const std::shared_ptr<const Adapter>& adapter, const AdapterBox& box,
                                      const AdapterHooks& hooks) {
    AdapterUse use(target, routes, adapter, hooks.credentials);
    if (adapter->guard == "windmill") use.set_guard(guard_windmill);
    if (adapter->is_native()) return make_native(target, std::move(use), box, hooks);
    http_tasks::TaskLimits limits{.connect_timeout = target.connect_timeout,
                                  .progress_bytes_max = box.progress_bytes_max};
    if (target.node["timeout"].present()) limits.timeout = target.timeout;
    if (target.node["answer_bytes_max"].present()) limits.answer_bytes_max = target.answer_bytes_max;
    auto now = hooks.now ? hooks.now : [] { return SystemClock().now(); };
    return std::make_unique<http_tasks::TaskRecipe>(std::move(use), limits, box.policy, std::move(now));
}

// What speaks HTTP needs no code: a file in adapters/, see docs/integrations.md.
// To add a native adapter that has neither tasks nor stored credentials:
//   1. a folder adapters/<name>/ with settings (its keys, read from TargetSettings::node, then node.done())
//      and recipe (bridge/deliver/recipe.h: how a request is written, what an answer means);
//   2. a table of answers and their meaning in tests/unit/<name>_recipe_test.cpp;
//   3. a line here, and its keys in config/orbridge.yaml.
const std::map<std::string, Factory, std::less<>>& factories() {
    static const std::map<std::string, Factory, std::less<>> kFactories = {
        {"windmill", make_windmill},
    };
    return kFactories;
}

constexpr const char* kChain = "chain";

}  // namespace

bool is_chain(const TargetSettings& target) { return target.adapter == kChain; }

std::unique_ptr<Recipe> make_chain(const TargetSettings& target, const std::vector<RouteSettings>& routes,
                                   const AdapterBox& box,
                                   const std::function<std::shared_ptr<const Recipe>(const TargetId&)>& find) {
    auto settings = chain::read_settings(target, routes, find);
    settings.progress_bytes_max = box.progress_bytes_max;
    return std::make_unique<chain::ChainRecipe>(std::move(settings));
}

std::unique_ptr<Recipe> make_recipe(const TargetSettings& target, const std::vector<RouteSettings>& routes,
                                    const AdapterBox& box, const AdapterHooks& hooks) {
    const auto found = factories().find(target.adapter);
    const auto declared = box.declared.find(target.adapter);
    // Of the same name a target means the declared one by the `config` that only that has.
    const bool is_declared = declared != box.declared.end() && target.node["config"].present();
    if (found != factories().end() && !is_declared) return found->second(target, routes, hooks);
    if (declared != box.declared.end()) return make_declared(target, routes, declared->second, box, hooks);
    target.node["adapter"].complain("unknown adapter " + target.adapter + ": there is " +
                                    join(adapter_names(box.declared), ", "));
    return nullptr;
}

Result<std::unique_ptr<TaskRunner>> make_trial(const std::shared_ptr<const Adapter>& adapter, const Json& config,
                                               const AdapterBox& box) {
    auto use = AdapterUse::trial(adapter, config);
    if (!use) return use.error();
    if (adapter->is_native()) {
        return std::unique_ptr<TaskRunner>(
            std::make_unique<NativeRecipe>(std::move(*use), NativeLimits{.stopping = box.stopping},
                                           natives().at(adapter->kind).make(box, AdapterHooks{})));
    }
    return std::unique_ptr<TaskRunner>(std::make_unique<http_tasks::TaskRecipe>(
        std::move(*use), http_tasks::TaskLimits{}, box.policy, [] { return SystemClock().now(); }));
}

std::vector<std::string> adapter_names(const Adapters& declared) {
    std::vector<std::string> names{kChain};
    for (const auto& [name, factory] : factories()) names.push_back(name);
    for (const auto& [name, adapter] : declared)
        if (!factories().contains(name)) names.push_back(name);
    return names;
}

}  // namespace orbridge
