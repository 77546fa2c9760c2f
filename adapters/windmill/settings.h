#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/result.h"
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

/// Which runnable of which workspace, taken from a run URL.
struct Runnable {
    std::string api;        ///< `https://host[/prefix]/api`
    std::string workspace;  ///< `main`
    std::string kind;       ///< p, f, h, fv
    std::string path;       ///< `f/nextcloud/on_object`, a hash or a version
    std::string query;      ///< as given, e.g. `tag=heavy`

    bool is_flow() const { return kind == "f" || kind == "fv"; }
    bool by_path() const { return kind == "p" || kind == "f"; }
    std::string workspace_url() const { return api + "/w/" + workspace; }
    std::string run_url() const { return workspace_url() + "/jobs/run/" + kind + "/" + path; }
};

/// From `https://host/api/w/<workspace>/jobs/run/<p|f|h|fv>/<path>[?query]`. The message says what to change.
Result<Runnable> parse_run_url(std::string_view url);
/// From its parts; `url` is the server's address with or without `/api`.
Result<Runnable> runnable_of(std::string_view url, std::string workspace, std::string kind, std::string path);

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
