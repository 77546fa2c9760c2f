#pragma once

#include <map>
#include <string>
#include <vector>

#include "adapters/windmill/runnable.h"
#include "bridge/core/secret.h"
#include "bridge/settings/settings.h"

namespace orbridge::windmill {

/// What of an event becomes an argument of the script.
enum class Wrap {
    Body,     ///< one argument `body` with the whole record: the documented `def main(body)`
    Payload,  ///< the payload's own keys, e.g. Nextcloud's `event`, `user`, `time`
    None,     ///< the record's keys: `event`, `id`, `channel`, `eventName`, `timestamp`, `source`, `data`
};

/// What to do with texts in an event that Windmill would replace (windmill.md §2.4).
enum class Interpolation { Neutralise, Refuse, Pass };

struct WindmillSettings {
    Runnable runnable;
    Secret token;
    Wrap wrap = Wrap::Body;
    bool follow = false;  ///< ask for the job's result afterwards
    Interpolation interpolation = Interpolation::Neutralise;
    std::map<std::string, Interpolation> by_route{};  ///< routes that say otherwise
    milliseconds connect_timeout{5'000};
    milliseconds timeout{20'000};
    std::size_t answer_bytes_max = 20'000;
};

/// Reads the adapter's keys of the target; what is wrong goes to the node's complaints.
WindmillSettings read_settings(const TargetSettings& target, const std::vector<RouteSettings>& routes);

}  // namespace orbridge::windmill
