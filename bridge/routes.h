#pragma once

#include <functional>

#include "bridge/api/adapters_api.h"
#include "bridge/api/admin_api.h"
#include "bridge/api/credentials_api.h"
#include "bridge/api/erase_api.h"
#include "bridge/api/exapp_api.h"
#include "bridge/api/replays_api.h"
#include "bridge/api/snapshots_api.h"
#include "bridge/api/subscriptions_api.h"
#include "bridge/plan.h"
#include "bridge/receive/http_server.h"
#include "bridge/receive/ingest.h"
#include "bridge/receive/route_table.h"
#include "bridge/subscribers.h"

namespace orbridge {

/// Who answers. Must outlive the handler.
struct Handlers {
    Ingest& ingest;
    Subscribers& subscribers;
    AdminApi& admin;
    ReplaysApi& replays;
    EraseApi& erase;
    SnapshotsApi& snapshots;
    SubscriptionsApi& subscriptions;
    AdaptersApi& adapters;
    CredentialsApi& credentials;
    ExAppApi* exapp = nullptr;  ///< nothing where no Nextcloud runs us
    std::function<Answer()> readiness;
    std::function<Answer()> metrics;
};

/// Every path that is served: the further ones of the plan's sources come first, then the table. docs/api.yaml says the
/// same to users.
LaterHandler make_handler(const Handlers& to, PlanNow plan);
/// The lease API's clients read its own shape of answer only, also for what never reaches a handler.
/// `subscribers` must outlive them.
HttpOptions http_options(const Subscribers& subscribers, const PlanNow& plan);

}  // namespace orbridge
