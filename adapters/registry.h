#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/adapt/adapter.h"
#include "bridge/adapt/use.h"
#include "bridge/core/clock.h"
#include "bridge/deliver/outbound_policy.h"
#include "bridge/deliver/recipe.h"
#include "bridge/deliver/waiting_resolver.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// What adapters tell while they work; any may be empty. Called from any thread.
struct AdapterHooks {
    /// Texts of an event that were changed so that the target does not act upon them: `reference`, `mended`.
    std::function<void(const TargetId& target, std::string_view what, int count)> changed{};
    CredentialAccess credentials{};
    std::stop_token stopping{};        ///< then what is run by hand has to end soon
    std::function<TimePoint()> now{};  ///< empty: the system's clock
};

/// What there is to make targets of: native adapters are code, the others were declared in files.
struct AdapterBox {
    Adapters declared;
    std::shared_ptr<const OutboundPolicy> policy;  ///< for addresses that are not from the configuration
    std::shared_ptr<WaitingResolver> names{};      ///< for native adapters
    std::string ca_file{};                         ///< authorities to trust besides the system's; empty: none
    std::stop_token stopping{};                    ///< as in the hooks, for trials
    std::size_t progress_bytes_max = 256 << 10;    ///< of what the steps of one delivery bring
};

/// The recipe of one target. Reads the adapter's keys and does no I/O besides secrets' files; an unknown
/// adapter and wrong keys are complained about at the target's place in the file. The result is only to be used
/// if there are no complaints; it is never empty unless there are.
std::unique_ptr<Recipe> make_recipe(const TargetSettings& target, const std::vector<RouteSettings>& routes,
                                    const AdapterBox& box, const AdapterHooks& hooks = {});

/// Does a target need the recipes of others, and is made after them?
bool is_chain(const TargetSettings& target);
/// The same for such a target. `find`: the recipe of a target that is made; nothing: there is none.
std::unique_ptr<Recipe> make_chain(const TargetSettings& target, const std::vector<RouteSettings>& routes,
                                   const AdapterBox& box,
                                   const std::function<std::shared_ptr<const Recipe>(const TargetId&)>& find);

/// For trying credentials of an adapter out before any target uses them. Invalid: `config`, or the adapter's kind is
/// not built in.
Result<std::unique_ptr<TaskRunner>> make_trial(const std::shared_ptr<const Adapter>& adapter, const Json& config,
                                               const AdapterBox& box);

/// The names that `adapter:` may have.
std::vector<std::string> adapter_names(const Adapters& declared);

}  // namespace orbridge
