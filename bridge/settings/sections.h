#pragma once

#include <string>
#include <vector>

#include "bridge/settings/settings.h"

/// The parts of read_settings(). Each takes the root, so that it can see keys its own depend on.
namespace orbridge {

std::vector<SourceSettings> read_sources(const ConfigNode& root, const std::optional<AppApiSettings>& exapp);
/// What only `type: push` has; the rest of `source` is set already.
void read_push_source(const ConfigNode& node, SourceSettings& source);
/// A request must be remembered for as long as it could come again.
void check_replay_memory(const std::vector<SourceSettings>& sources, milliseconds kept);
/// `exapp`: nothing unless we run as a Nextcloud ExApp. Changes `listen` to where AppAPI expects us, if not given.
std::optional<AppApiSettings> read_exapp(const ConfigNode& root, HttpSettings& http);
std::vector<TargetSettings> read_targets(const ConfigNode& root);
std::vector<RouteSettings> read_routes(const ConfigNode& root, const std::vector<SourceSettings>& sources,
                                       const std::vector<TargetSettings>& targets);

SubscriptionSettings read_subscriptions(const ConfigNode& root);
CredentialSettings read_credentials(const ConfigNode& root);

/// `10/1s`, or `{requests: 10, per: 1s}`; `otherwise` if absent.
RateLimit read_rate(const ConfigNode& node, RateLimit otherwise = {});

/// Complains unless `name`, the key or value at `node`, may be a name.
void check_name(const ConfigNode& node, const std::string& name);

}  // namespace orbridge
