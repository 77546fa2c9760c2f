#include "bridge/app_parts.h"

#include <utility>
#include <variant>

#include "bridge/catalogue.h"
#include "bridge/routes.h"

// The wiring: what each part is given of the others.

namespace orbridge {
namespace {

constexpr milliseconds kIdleThread{10'000};

void count_attempt(Metrics& metrics, const Settle& settle) {
    const auto& target = settle.claim.delivery.target;
    if (is_hook(target)) return;  // the subscribers count their own
    metrics.attempted(target, settle.attempt.outcome, settle.attempt.duration);
    if (std::holds_alternative<Finished>(settle.settlement)) metrics.ended(target, DeliveryState::Delivered);
    if (std::holds_alternative<Dead>(settle.settlement)) metrics.ended(target, DeliveryState::Dead);
}

}  // namespace

App::Parts::Parts(std::unique_ptr<Metrics> counted, std::shared_ptr<const Plan> first, Tools given,
                  std::unique_ptr<Store> opened, Secret admin_token, LentPtr lent_to_recipes)
    : tools(given),
      metrics_owned(std::move(counted)),
      metrics(*metrics_owned),
      plan(std::move(first)),
      store(std::move(opened)),
      backlog(*store, given.clock, given.log, now()->settings.backlog),
      ids(given.clock, given.random),
      vault(now()->settings.credentials.keys, given.random),
      credentials(*store, vault, given.clock, ids, given.log),
      lent(std::move(lent_to_recipes)),
      transport(curl_settings()),
      rated(transport, [this](const HttpRequest& request) { return sources.gate_for(request); }),
      audit(*store, given.clock, given.log),
      subscribers({*store, transport, ids, given.clock, given.random, given.log, audit, metrics, vault,
                   [this](const std::vector<TargetId>& targets) { dispatcher.wake(targets); }}),
      recorder(*store, given.clock, given.log),
      healths(*store, recorder, given.clock),
      dispatcher(*store, rated, recorder, given.clock, given.random, given.log, dispatcher_settings()),
      threads(now()->settings.threads_max),
      attempt_pool(threads, threads, kIdleThread),
      follower(*store, rated, given.clock, given.log),
      ingest([this] { return ingest_plan(); }, *store, names, ids, given.clock, metrics, given.log,
             [this](const std::vector<TargetId>& targets) { dispatcher.wake(targets); },
             [this](const Event& event) { return subscribers.match(event); }),
      sources({*store, transport, ingest, credentials, names, given.clock, given.random, given.log,
               [this] { return now(); }, [this] { return exapp && exapp->is_enabled(); },
               [this](const SourceId& source, const std::string& error) { healths.polled(source, error); }}),
      overview({*store, metrics, recorder, backlog, subscribers, dispatcher, ingest, sources, healths, given.clock,
                [this] { return now(); }}),
      replay(
          *store, [this](const Event& event) { return ingest.remap(event); }, [this] { return router(); },
          [this](const TargetId& id) { return can_deliver_to(id); },
          [this](const std::vector<TargetId>& targets) { dispatcher.wake(targets); }, sources.backfilling()),
      replay_jobs(replay, *store, ids, given.clock, given.log),
      admin(admin_parts(std::move(admin_token))),
      replays_api({replay, replay_jobs, dispatcher, given.clock, audit,
                   [this](const InboundRequest& request) { return admin.refuse(request); }}),
      erase_api({*store, given.clock, given.log, audit, replay_jobs,
                 [this](const std::vector<TargetId>& targets) { dispatcher.wake(targets); },
                 [this](const InboundRequest& request) { return admin.refuse(request); }}),
      waiters([this] { return now()->settings.http.waiters_max; }),
      snapshots_api(
          {*store, given.clock, ids, waiters, [this](const InboundRequest& request) { return admin.refuse(request); },
           [this](const std::string& token) { return subscribers.tokens().readable_with(token); },
           [this] { return sources.snapshots(); }, [this](const SourceId& source) { return sources.refresh(source); },
           [this] { return now()->settings.http.wait_max; }, [this] { return incarnation; }}),
      subscriptions_api({subscribers.book(), subscribers.tokens(), given.clock, given.random, given.log, audit,
                         [this](const InboundRequest& request) { return admin.refuse(request); },
                         [this] { return subscribers.lease_max(); }}),
      adapters_api(adapters_parts()),
      credentials_api({credentials, adapter_catalogue(adapters_api, sources), given.log, audit,
                       [this](const InboundRequest& request) { return admin.refuse(request); }}),
      housekeeper(*store, given.clock, given.log,
                  {now()->settings.store.retention_finished, now()->settings.store.retention_dead},
                  {now()->settings.store.retention_audit, now()->settings.store.audit_rows_max},
                  [this] { return snapshot_retention(now()->settings); }) {}

App::Parts::~Parts() {
    lent->book.with([](CredentialBook*& book) { book = nullptr; });
}

std::shared_ptr<const Plan> App::Parts::now() const {
    return plan.with([](const auto& current) { return current; });
}

std::shared_ptr<const IngestPlan> App::Parts::ingest_plan() const {
    auto current = now();
    return {current, &current->ingest};
}

std::shared_ptr<const Router> App::Parts::router() const {
    auto current = now();
    return {current, &current->ingest.router};
}

std::shared_ptr<const Recipe> App::Parts::recipe_of(const TargetId& id) const {
    const auto current = now();
    const auto found = current->recipes.find(id);
    return found == current->recipes.end() ? nullptr : found->second;
}

bool App::Parts::can_deliver_to(const TargetId& id) const {
    return is_hook(id) ? subscribers.callable(id) : recipe_of(id) != nullptr;
}

DispatcherSettings App::Parts::dispatcher_settings() const {
    DispatcherSettings settings;
    settings.in_flight_max = now()->settings.in_flight_max;
    settings.stop_timeout = now()->settings.stop_timeout;
    return settings;
}

CurlSettings App::Parts::curl_settings() const {
    CurlSettings settings;
    settings.names.threads_max = now()->settings.lookups_max;
    settings.ca_file = now()->settings.ca_file;
    return settings;
}

void App::Parts::connect() {
    credentials.when_changed([this](const CredentialName& which) { sources.credentials_changed(which); });
    credentials.set_rows_max(now()->settings.credentials.rows_max);
    make_exapp();
    ingest.refuse_new_when([this] { return backlog.full(); });
    ingest.when_refused([this](const SourceId& source, const std::string& reason) { healths.refused(source, reason); });
    ingest.when_changed(
        [this](const SourceId& source, const std::string& subject) { waiters.changed(source, subject); });
    waiters.when_work([this] {
        if (waiters_worker) waiters_worker->wake();
    });
    follower.when_work([this] {
        if (follower_worker) follower_worker->wake();
    });
    recorder.when_work([this] {
        if (recorder_worker) recorder_worker->wake();
    });
    recorder.when_recorded([this](const Settle& settle) {
        count_attempt(metrics, settle);
        healths.recorded(settle);
        if (is_hook(settle.claim.delivery.target)) subscribers.recorded(settle);
        if (!settle.follow_job) return;
        follower_worker->wake();
    });
}

AdaptersApi::Parts App::Parts::adapters_parts() {
    return {.adapters =
                [this] {
                    auto current = now();
                    return std::shared_ptr<const AdapterBox>(current, &current->adapters);
                },
            .faults = [this] { return now()->adapter_faults; },
            .recipes =
                [this] {
                    auto current = now();
                    return std::shared_ptr<const Recipes>(current, &current->recipes);
                },
            .kept = [this](const std::string& adapter) { return kept_for(credentials, adapter); },
            .transport = rated,
            .store = *store,
            .clock = tools.clock,
            .audit = audit,
            .refuse = [this](const InboundRequest& request) { return admin.refuse(request); }};
}

ExApp::Calls App::Parts::exapp_calls() {
    return {.fault =
                [this] {
                    const auto writable = store->probe();
                    return writable ? std::string() : writable.error().message;
                },
            .enabled = [this] { sources.register_app(); },
            .disabled = [this] { return sources.unregister_app(); }};
}

void App::Parts::make_exapp() {
    const auto& settings = now()->settings.exapp;
    if (!settings) return;
    exapp = std::make_unique<ExApp>(
        *settings, [this](HttpRequest request) { return exchange(transport, std::move(request)); }, exapp_calls(),
        tools.clock, tools.log);
    exapp_api = std::make_unique<ExAppApi>(*settings, *exapp, tools.clock);
    exapp->when_work([this] {
        exapp_worker.with([](auto& worker) {
            if (worker) worker->wake();
        });
    });
}

AdminApi::Parts App::Parts::admin_parts(Secret token) {
    return {.store = *store,
            .clock = tools.clock,
            .log = tools.log,
            .audit = audit,
            .dispatcher = dispatcher,
            .token = std::move(token),
            .router = [this] { return router(); },
            .subscribed = [this](const Event& event,
                                 const std::string& target) { return subscribers.explain(event, target); },
            .wake = [this](const std::vector<TargetId>& targets) { dispatcher.wake(targets); },
            .target_health = [this] { return healths.targets(); },
            .write_status = [this](JsonWriter& json) { overview.write_status(json); },
            .ask_reconciler = [this](const std::string& source,
                                     bool remove) { return sources.ask_to_register(source, remove); }};
}

LaterHandler App::Parts::handler() {
    const Handlers handlers{ingest,
                            subscribers,
                            admin,
                            replays_api,
                            erase_api,
                            snapshots_api,
                            subscriptions_api,
                            adapters_api,
                            credentials_api,
                            exapp_api.get(),
                            [this] { return overview.readiness(); },
                            [this] { return overview.scrape(); }};
    return make_handler(handlers, [this] { return now(); });
}

HttpOptions App::Parts::server_options() {
    auto options = http_options(subscribers, [this] { return now(); });
    options.inherited_socket = tools.inherited_socket;
    options.socket_outlives = tools.socket_outlives;
    return options;
}

}  // namespace orbridge
