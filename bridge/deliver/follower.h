#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "bridge/core/guarded.h"
#include "bridge/core/log.h"
#include "bridge/deliver/recipe.h"
#include "bridge/deliver/transport.h"
#include "bridge/store/store.h"

namespace orbridge {

struct FollowerSettings {
    milliseconds gap_least{1'000};      ///< between the first and the second check, doubled each time …
    milliseconds gap_most{5 * 60'000};  ///< … up to this
    milliseconds give_up_after{std::chrono::days{30}};
    int in_flight_max = 32;
    milliseconds store_pause{1'000};  ///< after the store has failed
};

/// Asks what became of the jobs that deliveries have started (`follow: true`), less and less often, until they
/// end or nobody can know any more. A job that fails is news about the script, never about the delivery.
///
/// step() from one thread, set_targets() from any; the when_… functions are set before. The transport must be
/// driven by another thread, and be stopped before this is gone.
class Follower {
public:
    Follower(Store& store, Transport& transport, const Clock& clock, Log& log, FollowerSettings settings = {});

    using Recipes = std::map<TargetId, std::shared_ptr<const Recipe>>;
    void set_targets(Recipes recipes);

    /// Takes what came and asks for what is due. How long it may sleep unless woken.
    milliseconds step();

    /// There is something for step() to do. Called from the transport's thread.
    void when_work(std::function<void()> wake) { wake_ = std::move(wake); }
    /// A job has ended, for metrics.
    void when_ended(std::function<void(const FollowedJob&)> tell) { ended_ = std::move(tell); }

private:
    struct Shared {
        Recipes recipes;
        std::vector<FollowedJob> checked;  ///< moved on by an answer, not yet stored
    };

    bool store_checked();
    bool ask_due(TimePoint now);
    void ask(FollowedJob job);
    void checked(FollowedJob job);
    void schedule(FollowedJob& job) const;
    milliseconds gap_after(int checks) const;
    milliseconds age_at(int checks) const;
    milliseconds pause(TimePoint now);

    Store& store_;
    Transport& transport_;
    const Clock& clock_;
    Log& log_;
    const FollowerSettings settings_;
    std::function<void()> wake_;
    std::function<void(const FollowedJob&)> ended_;
    Guarded<Shared> shared_;
    std::set<DeliveryId> in_flight_;  // of step() alone
};

}  // namespace orbridge
