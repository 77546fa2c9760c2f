#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "bridge/core/event.h"
#include "bridge/core/ids.h"
#include "bridge/core/result.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// One target an event goes to, and the rule that says so.
struct Match {
    TargetId target;
    std::string route;
    bool ordered = true;
    bool latest_only = false;
    const LoopSettings* loop = nullptr;  ///< lives as long as the router
};

/// Why a route did or did not take an event: for `orbridge map` and `orbridge why`.
struct RouteVerdict {
    std::string route;
    TargetId target;
    bool matched = false;
    std::string reason;
};

/// Pure: event × routes → targets, each target once (the first route that names it wins). Safe from any thread.
class Router {
public:
    explicit Router(const std::vector<RouteSettings>& routes);
    ~Router();
    Router(Router&&) noexcept;

    std::vector<Match> match(const Event& event) const;
    std::vector<RouteVerdict> explain(const Event& event) const;

    /// How the deliveries of a route go, whatever it takes.
    struct Manner {
        bool ordered = true;
        bool latest_only = false;
    };
    /// Nothing: there is no route of this name.
    std::optional<Manner> manner_of(const std::string& route) const;

private:
    struct Compiled;
    /// Those that may take an event of this channel, in the order written.
    const std::vector<const Compiled*>& candidates(const std::string& channel) const;

    std::vector<std::unique_ptr<const Compiled>> routes_;
    std::unordered_map<std::string, std::vector<const Compiled*>> by_channel_;
    std::vector<const Compiled*> any_channel_;
};

}  // namespace orbridge
