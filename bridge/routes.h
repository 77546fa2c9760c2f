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
#include "bridge/receive/ingest.h"
#include "bridge/receive/route_table.h"
#include "bridge/subscribers.h"

namespace orbridge {

/// Who answers. Must outlive the table.
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

/// Every path that is served, but the further ones of sources. docs/api.yaml says the same to users.
RouteTable make_routes(const Handlers& to);

}  // namespace orbridge
