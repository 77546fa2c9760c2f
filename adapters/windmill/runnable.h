#pragma once

#include <string>
#include <string_view>

#include "bridge/core/result.h"

namespace orbridge::windmill {

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

}  // namespace orbridge::windmill
