#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bridge/core/http.h"
#include "bridge/core/json.h"
#include "bridge/core/log.h"
#include "bridge/core/secret.h"
#include "bridge/deliver/dispatcher.h"
#include "bridge/record/audit_trail.h"
#include "bridge/record/health.h"
#include "bridge/route/router.h"
#include "bridge/store/store.h"

namespace orbridge {

/// The admin API under /api/v1 (docs/api.yaml). Safe from any thread. Every handler wants the bearer
/// token; what changes something is logged as `admin.<what>` and kept in the audit.
class AdminApi {
public:
    struct Parts {
        Store& store;
        const Clock& clock;
        Log& log;
        AuditTrail& audit;
        Dispatcher& dispatcher;
        Secret token;
        std::function<std::shared_ptr<const Router>()> router;
        /// What leased subscribers say of an event: all that take it, or the one of this target.
        std::function<std::vector<RouteVerdict>(const Event&, const std::string& target)> subscribed;
        std::function<void(const std::vector<TargetId>&)> wake;
        std::function<std::map<std::string, Health>()> target_health;
        /// Writes the object that GET /api/v1/status answers.
        std::function<void(JsonWriter&)> write_status;
        /// Asks the reconciler to make a source's registrations right (empty: all sources), or to remove
        /// ours; GET status tells when it did. NotFound: no such source.
        std::function<Status(const std::string& source, bool remove)> ask_reconciler;
    };
    explicit AdminApi(Parts parts) : parts_(std::move(parts)) {}

    Answer status(const InboundRequest& request);
    Answer events(const InboundRequest& request);
    Answer event(const InboundRequest& request, const std::string& id);
    Answer deliveries(const InboundRequest& request);
    Answer delivery(const InboundRequest& request, const std::string& id);
    Answer explain(const InboundRequest& request, const std::string& event_id);
    Answer targets(const InboundRequest& request);
    Answer pause(const InboundRequest& request, const std::string& target);
    Answer resume(const InboundRequest& request, const std::string& target);
    Answer cancel(const InboundRequest& request);
    Answer registrations(const InboundRequest& request, bool remove);
    /// What adapters' tasks did, newest first.
    Answer runs(const InboundRequest& request);
    Answer audit(const InboundRequest& request);

    /// Nothing if the token is right, else the 401.
    std::optional<Answer> refuse(const InboundRequest& request) const;

private:
    void write_story(JsonWriter& json, const DeliveryRow& row);
    Parts parts_;
};

}  // namespace orbridge
