#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "bridge/api/adapters_api.h"
#include "bridge/api/admin_api.h"
#include "bridge/api/credentials_api.h"
#include "bridge/api/erase_api.h"
#include "bridge/api/exapp_api.h"
#include "bridge/api/replays_api.h"
#include "bridge/api/snapshots_api.h"
#include "bridge/api/subscriptions_api.h"
#include "bridge/app.h"
#include "bridge/core/guarded.h"
#include "bridge/credentials/book.h"
#include "bridge/credentials/vault.h"
#include "bridge/deliver/curl_transport.h"
#include "bridge/deliver/dispatcher.h"
#include "bridge/deliver/follower.h"
#include "bridge/deliver/rated_transport.h"
#include "bridge/deliver/recorder.h"
#include "bridge/healths.h"
#include "bridge/lent.h"
#include "bridge/overview.h"
#include "bridge/plan.h"
#include "bridge/receive/handler_pool.h"
#include "bridge/receive/http_server.h"
#include "bridge/receive/ingest.h"
#include "bridge/record/audit_trail.h"
#include "bridge/record/metrics.h"
#include "bridge/run/housekeeper.h"
#include "bridge/run/worker.h"
#include "bridge/sources.h"
#include "bridge/store/backlog.h"
#include "bridge/subscribers.h"

namespace orbridge {

/// Members stand in the order in which they are built; what a member uses stands above it, so that destruction in
/// reverse is always safe. Threads are last. What they are built with stands in app_parts.cpp, when they start and stop
/// in app.cpp.
class App::Parts {
public:
    Parts(std::unique_ptr<Metrics> counted, std::shared_ptr<const Plan> first, Tools given,
          std::unique_ptr<Store> opened, Secret admin_token, LentPtr lent_to_recipes);
    ~Parts();
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;

    Status start();
    /// Reverse of start(). May be repeated. The dispatcher stops the transport with it, so that whoever waits for
    /// an exchange, as the registrars do, is let go.
    void stop();
    void reload(Settings settings, Complaints& complaints);
    int port() const { return server->port(); }
    bool alive();

private:
    // ---- what the configuration says now
    std::shared_ptr<const Plan> now() const;
    std::shared_ptr<const IngestPlan> ingest_plan() const;
    std::shared_ptr<const Router> router() const;
    std::shared_ptr<const Recipe> recipe_of(const TargetId& id) const;
    bool can_deliver_to(const TargetId& id) const;

    // ---- what parts are built with
    DispatcherSettings dispatcher_settings() const;
    CurlSettings curl_settings() const;
    AdaptersApi::Parts adapters_parts();
    AdminApi::Parts admin_parts(Secret token);
    ExApp::Calls exapp_calls();
    void make_exapp();
    LaterHandler handler();
    HttpOptions server_options();

    // ---- steps of starting
    /// Tells parts of each other that could not be told when they were built.
    void connect();
    /// Made with the store: versions of another one say nothing about those of this one.
    Status know_incarnation();
    void aim(const Plan& current);
    /// `existing: backfill`, once for each source.
    void backfill_existing(const Plan& current);

    // ---- the parts
    Tools tools;
    std::unique_ptr<Metrics> metrics_owned;
    Metrics& metrics;
    Guarded<std::shared_ptr<const Plan>> plan;
    Names names;
    std::unique_ptr<Store> store;
    Backlog backlog;
    IdMaker ids;
    Vault vault;
    CredentialBook credentials;
    LentPtr lent;
    CurlTransport transport;
    RatedTransport rated;  ///< the same, at the rates of sources
    AuditTrail audit;
    Subscribers subscribers;
    Recorder recorder;
    Healths healths;
    Dispatcher dispatcher;
    const int threads;         ///< for attempts that block
    HandlerPool attempt_pool;  ///< stopped by the dispatcher
    Follower follower;
    Ingest ingest;
    std::unique_ptr<ExApp> exapp;  ///< only where Nextcloud runs us
    Sources sources;
    Overview overview;
    Replay replay;
    ReplayJobs replay_jobs;
    AdminApi admin;
    ReplaysApi replays_api;
    EraseApi erase_api;
    std::string incarnation;  ///< of the store, as readers of snapshots see it
    SnapshotWaiters waiters;
    SnapshotsApi snapshots_api;
    SubscriptionsApi subscriptions_api;
    AdaptersApi adapters_api;
    CredentialsApi credentials_api;
    Housekeeper housekeeper;
    std::unique_ptr<ExAppApi> exapp_api;
    std::unique_ptr<HttpServer> server;
    Guarded<std::optional<Worker>> exapp_worker;
    std::optional<Worker> recorder_worker;
    std::optional<Worker> follower_worker;
    std::optional<Worker> waiters_worker;
    std::optional<Worker> housekeeper_worker;
    std::optional<Worker> replay_worker;
    std::jthread dispatcher_thread;
};

}  // namespace orbridge
