#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapters/subscriber/book.h"
#include "adapters/subscriber/catch_up.h"
#include "adapters/subscriber/recipe.h"
#include "bridge/core/guarded.h"
#include "bridge/core/ids.h"
#include "bridge/credentials/vault.h"
#include "bridge/deliver/dispatcher.h"
#include "bridge/deliver/transport.h"
#include "bridge/receive/lease_api.h"
#include "bridge/receive/lease_tokens.h"
#include "bridge/record/metrics.h"
#include "bridge/route/router.h"
#include "bridge/run/worker.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// Leased subscribers as one part of the daemon: their book, their tokens, the API they register at, and how
/// callbacks reach them. Safe from any thread. Everything given to it must outlive it.
class Subscribers {
public:
    struct Tools {
        Store& store;
        Transport& transport;
        IdMaker& ids;
        const Clock& clock;
        Random& random;
        Log& log;
        AuditTrail& audit;
        Metrics& metrics;
        const Vault& vault;  ///< keeps their secrets, if it is on
        /// Told which targets have something new.
        std::function<void(const std::vector<TargetId>&)> wake;
    };
    explicit Subscribers(Tools tools);

    /// What is wrong with the settings goes to their nodes' complaints; for `orbridge check` too.
    static void check(const SubscriptionSettings& settings);

    /// Takes over what the store has. Before the dispatcher's and the server's first work.
    Status load(const Settings& settings);
    void configure(const Settings& settings);
    /// Leases end from then on, until stop().
    void start();
    void stop() { worker_.reset(); }

    // ---- for the accept path
    std::vector<Match> match(const Event& event) const;
    Answer answer(const std::string& product, const std::string& action, const InboundRequest& request);
    Answer log_message(const std::string& product, const InboundRequest& request) {
        return api_.log_message(product, request);
    }
    std::optional<Answer> refused(const InboundRequest& head, int status, const std::string& why) const;

    // ---- for the dispatcher
    TargetFamily family(int in_flight_max);
    void recorded(const Settle& settle);
    bool callable(const TargetId& target) const;

    // ---- for `orbridge why`
    /// What the subscriptions of now say of it: the one of this target, or, with none named, those that take it.
    std::vector<RouteVerdict> explain(const Event& event, const std::string& target) const;

    // ---- for those who ask
    std::vector<Metrics::Subscribed> gauges() const;
    SubscriptionBook& book() { return book_; }
    LeaseTokens& tokens() { return tokens_; }
    milliseconds lease_max() const;

private:
    struct Rules {
        LeaseRules lease;
        CallbackRules callback;
        std::vector<milliseconds> retry_after;
        bool backfilled = true;
    };
    std::shared_ptr<const Rules> rules() const;
    std::shared_ptr<const Rules> make_rules(const SubscriptionSettings& settings);
    std::optional<DeliveryTarget> find(const TargetId& target) const;
    RouteVerdict verdict_of(const Subscription& one, const Event& event) const;
    void send_notice(const Subscription& to, const std::string& what, const std::string& payload);
    std::string channel_label(const std::string& channel) const;

    Tools tools_;
    Guarded<std::shared_ptr<const Rules>> rules_;
    LeaseTokens tokens_;
    SubscriptionBook book_;
    CatchUp catch_up_;
    std::shared_ptr<const SubscriberRecipe> recipe_;
    LeaseApi api_;
    mutable Guarded<std::set<std::string>> channels_;  ///< that have a label of their own
    std::optional<Worker> worker_;
};

/// All hooks counted as one target, `subscriptions`: there may be thousands.
StoreCounts with_hooks_together(StoreCounts counts);

}  // namespace orbridge
