#include "bridge/app.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <stop_token>
#include <thread>

#include "bridge/api/adapters_api.h"
#include "bridge/api/admin_api.h"
#include "bridge/api/credentials_api.h"
#include "bridge/api/erase_api.h"
#include "bridge/api/exapp_api.h"
#include "bridge/api/replays_api.h"
#include "bridge/api/snapshots_api.h"
#include "bridge/api/status.h"
#include "bridge/api/subscriptions_api.h"
#include "bridge/api/token_file.h"
#include "bridge/core/guarded.h"
#include "bridge/credentials/book.h"
#include "bridge/credentials/oauth2.h"
#include "bridge/credentials/vault.h"
#include "bridge/deliver/curl_transport.h"
#include "bridge/deliver/dispatcher.h"
#include "bridge/deliver/follower.h"
#include "bridge/deliver/rated_transport.h"
#include "bridge/deliver/recorder.h"
#include "bridge/plan.h"
#include "bridge/receive/error_answer.h"
#include "bridge/receive/handler_pool.h"
#include "bridge/receive/http_server.h"
#include "bridge/receive/ingest.h"
#include "bridge/record/audit_trail.h"
#include "bridge/record/health.h"
#include "bridge/record/metrics.h"
#include "bridge/routes.h"
#include "bridge/run/housekeeper.h"
#include "bridge/run/worker.h"
#include "bridge/sources.h"
#include "bridge/store/backlog.h"
#include "bridge/store/open.h"
#include "bridge/subscribers.h"

namespace orbridge {
namespace {

constexpr milliseconds kAliveWithin{10'000};
constexpr milliseconds kIdleThread{10'000};

/// Those whose attempts take threads share these evenly, so that none can keep another from its own.
std::vector<DeliveryTarget> delivery_targets(const Plan& plan, int threads) {
    const auto blocking = blocking_targets(plan);
    const int share = std::max(1, threads / std::max(1, static_cast<int>(blocking.size())));
    std::set<std::string> latest_only;
    for (const auto& route : plan.settings.routes)
        if (route.latest_only) latest_only.insert(route.name);
    std::vector<DeliveryTarget> targets;
    for (const auto& target : plan.settings.targets) {
        const int room = blocking.contains(target.id) ? std::min(target.in_flight_max, share) : target.in_flight_max;
        targets.push_back(
            {target.id, plan.recipes.at(target.id), room, target.retry, target.rate, target.breaker, latest_only});
    }
    return targets;
}

/// For recipes, which are made before the book of credentials and may be asked after it has gone.
struct Lent {
    Guarded<CredentialBook*> book{nullptr};
    std::stop_source stopping;  ///< safe from any thread
};
using LentPtr = std::shared_ptr<Lent>;

CredentialAccess access_to(const LentPtr& lent) {
    CredentialAccess access;
    access.values = [lent](const CredentialName& which) {
        return lent->book.with([&](CredentialBook* book) -> Result<HeldCredential> {
            if (book == nullptr) return Error{Error::Kind::Unavailable, "the store is closed"};
            return book->values(which);
        });
    };
    access.report = [lent](const HeldCredential& held, bool valid, const std::string& message) {
        lent->book.with([&](CredentialBook* book) {
            if (book != nullptr) book->report(held, valid, message);
        });
    };
    return access;
}

AdapterHooks adapter_hooks(Metrics& metrics, const LentPtr& lent) {
    return {.changed = [&metrics](const TargetId& target, std::string_view what,
                                  int count) { metrics.changed(target, std::string(what), count); },
            .credentials = access_to(lent),
            .stopping = lent->stopping.get_token(),
            .now = {}};
}

/// Each as `credentials main@global`. What cannot be read may be one.
std::vector<std::string> kept_for(const CredentialBook& book, const std::string& adapter) {
    const auto rows = book.all();
    if (!rows) return {"credentials in the store, " + rows.error().message};
    std::vector<std::string> names;
    for (const auto& row : *rows)
        if (row.adapter == adapter) names.push_back("credentials " + row.name + '@' + row.scope);
    return names;
}

template <class Thing>
std::set<std::string> names_of(const std::vector<Thing>& things) {
    std::set<std::string> names;
    for (const auto& thing : things) names.insert(thing.id.value);
    return names;
}

void tell_faults(Log& log, const Plan& plan) {
    for (const auto& line : plan.adapter_faults) log.warn("adapter.left_out", {{"reason", line}});
}

void note_health(HealthBook& book, const Settle& settle, TimePoint now) {
    const auto& attempt = settle.attempt;
    const auto& target = settle.claim.delivery.target.value;
    if (attempt.outcome == "retry" || attempt.outcome == "rejected") {
        book.failed(target, now, attempt.reason);
    } else {
        book.succeeded(target, now);
    }
}

void count_attempt(Metrics& metrics, const Settle& settle) {
    const auto& target = settle.claim.delivery.target;
    if (is_hook(target)) return;  // the subscribers count their own
    metrics.attempted(target, settle.attempt.outcome, settle.attempt.duration);
    if (std::holds_alternative<Finished>(settle.settlement)) metrics.ended(target, DeliveryState::Delivered);
    if (std::holds_alternative<Dead>(settle.settlement)) metrics.ended(target, DeliveryState::Dead);
}

}  // namespace

// Members stand in the order in which they are built; what a member uses stands above it, so that
// destruction in reverse is always safe. Threads are last.
class App::Parts {
public:
    Parts(std::unique_ptr<Metrics> counted, std::shared_ptr<const Plan> first, Tools given,
          std::unique_ptr<Store> opened, Secret admin_token, LentPtr lent_to_recipes)
        : tools(given),
          metrics_owned(std::move(counted)),
          metrics(*metrics_owned),
          plan(std::move(first)),
          started_at(given.clock.now()),
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
          target_health("health.target:",
                        [this](const std::string& key, std::string value) { recorder.keep(key, std::move(value)); }),
          source_health("health.source:",
                        [this](const std::string& key, std::string value) { recorder.keep(key, std::move(value)); }),
          dispatcher(*store, rated, recorder, given.clock, given.random, given.log, dispatcher_settings()),
          threads(now()->settings.threads_max),
          attempt_pool(threads, threads, kIdleThread),
          follower(*store, rated, given.clock, given.log),
          ingest([this] { return ingest_plan(); }, *store, names, ids, given.clock, metrics, given.log,
                 [this](const std::vector<TargetId>& targets) { dispatcher.wake(targets); },
                 [this](const Event& event) { return subscribers.match(event); }),
          sources({*store, transport, ingest, credentials, names, given.clock, given.random, given.log,
                   [this] { return now(); }, [this] { return exapp && exapp->is_enabled(); },
                   [this](const SourceId& source, const std::string& error) { polled(source, error); }}),
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
          snapshots_api({*store, given.clock, ids, waiters,
                         [this](const InboundRequest& request) { return admin.refuse(request); },
                         [this](const std::string& token) { return subscribers.tokens().readable_with(token); },
                         [this] { return sources.snapshots(); },
                         [this](const SourceId& source) { return sources.refresh(source); },
                         [this] { return now()->settings.http.wait_max; }, [this] { return incarnation; }}),
          subscriptions_api({subscribers.book(), subscribers.tokens(), given.clock, given.random, given.log, audit,
                             [this](const InboundRequest& request) { return admin.refuse(request); },
                             [this] { return subscribers.lease_max(); }}),
          adapters_api(adapters_parts()),
          credentials_api({credentials, adapter_catalogue(), given.log, audit,
                           [this](const InboundRequest& request) { return admin.refuse(request); }}),
          housekeeper(*store, given.clock, given.log,
                      {now()->settings.store.retention_finished, now()->settings.store.retention_dead},
                      {now()->settings.store.retention_audit, now()->settings.store.audit_rows_max},
                      [this] { return snapshot_retention(); }) {}

    ~Parts() {
        lent->book.with([](CredentialBook*& book) { book = nullptr; });
    }
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;

    Status start() {
        lent->book.with([this](CredentialBook*& book) { book = &credentials; });
        tell_faults(tools.log, *now());
        connect();
        if (auto known = know_incarnation(); !known) return known;
        if (auto loaded = subscribers.load(now()->settings); !loaded) return loaded;
        replay_jobs.set_limits(now()->settings.replay);
        replay_jobs.when_work([this] {
            if (replay_worker) replay_worker->wake();
        });
        if (auto loaded = replay_jobs.load(); !loaded) return loaded;
        dispatcher.set_family(subscribers.family(now()->settings.subscriptions.in_flight_max));
        dispatcher.set_threads(
            {.run = [this](std::function<void()> job) { return attempt_pool.submit(std::move(job)); },
             .stop = [this] { attempt_pool.stop(); }});
        aim(*now());
        recorder_worker.emplace([this] { return recorder.step(); });
        follower_worker.emplace([this] { return follower.step(); });
        waiters_worker.emplace([this] { return waiters.step(); });
        dispatcher_thread = std::jthread([this](const std::stop_token& stop) { dispatcher.run(stop); });
        subscribers.start();
        auto listening = HttpServer::start(now()->settings.http, handler(), tools.log, http_options());
        if (!listening) return listening.error();
        server = std::move(*listening);
        tools.log.info("bridge.listening", {{"address", server->address()}, {"version", ORBRIDGE_VERSION}});
        sources.start(*now());
        if (exapp) exapp_worker.with([this](auto& worker) { worker.emplace([this] { return exapp->step(); }); });
        housekeeper_worker.emplace([this] { return housekeeper.step(); });
        replay_worker.emplace([this] { return replay_jobs.step(); });
        backfill_existing(*now());
        return Ok{};
    }

    /// Reverse of start(). May be repeated. The dispatcher stops the transport with it, so that whoever waits for
    /// an exchange, as the registrars do, is let go.
    void stop() {
        const auto limit = now()->settings.stop_timeout;
        lent->stopping.request_stop();
        waiters.stop();
        if (server) server->stop(limit);
        waiters_worker.reset();
        replay_worker.reset();
        dispatcher_thread.request_stop();
        if (dispatcher_thread.joinable()) dispatcher_thread.join();
        exapp_worker.with([](auto& worker) { worker.reset(); });
        sources.stop();
        target_health.keep_all();
        source_health.keep_all();
        if (recorder_worker && !recorder.wait_until_empty(limit))
            tools.log.warn("bridge.unrecorded", {{"attempts", recorder.backlog()}});
        recorder_worker.reset();
        subscribers.stop();
        follower_worker.reset();
        housekeeper_worker.reset();
    }

    void reload(Settings settings, Complaints& complaints) {
        auto fresh = make_plan(std::move(settings), adapter_hooks(metrics, lent), complaints);
        if (!complaints.empty()) return;
        tell_faults(tools.log, *fresh);
        const auto before = now();
        for (const auto& line : differences(before->settings, fresh->settings))
            tools.log.info("reload.changed", {{"what", line}});
        plan.with([&](auto& current) { current = fresh; });
        vault.set_keys(fresh->settings.credentials.keys);
        credentials.set_rows_max(fresh->settings.credentials.rows_max);
        if (const auto sealed = subscribers.book().reseal(); !sealed)
            tools.log.error("subscription.not_sealed", {{"reason", sealed.error().message}});
        subscribers.configure(fresh->settings);
        replay_jobs.set_limits(fresh->settings.replay);
        aim(*fresh);
        sources.stop();
        sources.start(*fresh);
        backfill_existing(*fresh);
        tools.log.info("reload.done");
    }

    int port() const { return server->port(); }

    bool alive() {
        HttpRequest request;
        request.method = "GET";
        request.url = local_url(server->address()) + "/healthz";
        request.unix_socket = unix_socket_of(server->address());
        request.timeout = kAliveWithin;
        return std::holds_alternative<HttpResponse>(exchange(transport, std::move(request)));
    }

private:
    std::shared_ptr<const Plan> now() const {
        return plan.with([](const auto& current) { return current; });
    }
    std::shared_ptr<const IngestPlan> ingest_plan() const {
        auto current = now();
        return {current, &current->ingest};
    }
    std::shared_ptr<const Router> router() const {
        auto current = now();
        return {current, &current->ingest.router};
    }
    std::shared_ptr<const Recipe> recipe_of(const TargetId& id) const {
        const auto current = now();
        const auto found = current->recipes.find(id);
        return found == current->recipes.end() ? nullptr : found->second;
    }
    bool can_deliver_to(const TargetId& id) const {
        return is_hook(id) ? subscribers.callable(id) : recipe_of(id) != nullptr;
    }
    SnapshotRetention snapshot_retention() const {
        const auto current = now();
        SnapshotRetention retention{.unused = current->settings.store.retention_snapshots,
                                    .rows_max = current->settings.store.snapshots_max,
                                    .polled = {}};
        for (const auto& source : current->settings.sources)
            if (source.poll) retention.polled.insert(source.id);
        return retention;
    }
    DispatcherSettings dispatcher_settings() const {
        DispatcherSettings settings;
        settings.in_flight_max = now()->settings.in_flight_max;
        settings.stop_timeout = now()->settings.stop_timeout;
        return settings;
    }

    CurlSettings curl_settings() const {
        CurlSettings settings;
        settings.names.threads_max = now()->settings.lookups_max;
        settings.ca_file = now()->settings.ca_file;
        return settings;
    }

    void aim(const Plan& current) {
        dispatcher.set_targets(delivery_targets(current, threads));
        follower.set_targets(current.recipes);
        const auto read = [this](const std::string& key) {
            const auto note = store->note(key);
            return note ? *note : std::nullopt;
        };
        target_health.set_names(names_of(current.settings.targets), read);
        source_health.set_names(names_of(current.settings.sources), read);
        backlog.set_limits(current.settings.backlog);
    }

    void connect() {
        credentials.when_changed([this](const CredentialName& which) { sources.credentials_changed(which); });
        credentials.set_rows_max(now()->settings.credentials.rows_max);
        make_exapp();
        ingest.refuse_new_when([this] { return backlog.full(); });
        ingest.when_refused([this](const SourceId& source, const std::string& reason) {
            source_health.failed(source.value, tools.clock.now(), reason, last_heard(source));
        });
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
            note_health(target_health, settle, tools.clock.now());
            if (is_hook(settle.claim.delivery.target)) subscribers.recorded(settle);
            if (!settle.follow_job) return;
            follower_worker->wake();
        });
    }

    void polled(const SourceId& source, const std::string& error) {
        if (error.empty()) return source_health.succeeded(source.value, tools.clock.now());
        source_health.failed(source.value, tools.clock.now(), error, last_heard(source));
    }

    std::optional<TimePoint> last_heard(const SourceId& source) {
        const auto heard = store->intakes_heard();
        std::optional<TimePoint> last;
        if (!heard) return last;
        for (const auto& each : *heard)
            if (each.source == source.value) last = std::max(last.value_or(each.last_at), each.last_at);
        return last;
    }

    AdaptersApi::Parts adapters_parts() {
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

    /// What of an adapter's kind comes with the program itself: logging in at sources.
    AdapterCatalogue adapter_catalogue() {
        AdapterCatalogue catalogue;
        catalogue.forms = [this] {
            AdapterForm oauth2;
            oauth2.adapter = kOAuth2;
            oauth2.title = "OAuth 2";
            oauth2.description = "Client credentials, or a refresh token, of sources with `oauth2`";
            oauth2.credentials = oauth2_fields();
            auto forms = adapters_api.forms();
            forms.push_back(std::move(oauth2));
            return forms;
        };
        catalogue.test = [this](const CredentialName& which, const Secret& values, const std::string& config) {
            if (which.adapter != kOAuth2) return adapters_api.try_out(which, values, config);
            return sources.test_credentials(which, values, config);
        };
        catalogue.users = [this](const std::string& adapter, const std::string& name) {
            auto users = adapters_api.users(adapter, name);
            const auto asking = sources.users_of(adapter, name);
            users.insert(users.end(), asking.begin(), asking.end());
            return users;
        };
        return catalogue;
    }

    /// `existing: backfill`, once for each source.
    void backfill_existing(const Plan& current) {
        for (const auto& source : current.settings.sources) {
            const auto key = "backfilled:" + source.id.value;
            if (!source.poll || !source.poll->backfill_existing) continue;
            if (const auto begun = store->note(key); !begun || *begun) continue;
            ReplayOrder order;
            order.backfill = source.id.value;
            const auto job = replay_jobs.start(order);
            const auto noted = job ? store->set_note(key, job->replay.id) : Status(job.error());
            if (!noted)
                tools.log.warn("backfill.not_begun", {{"source", source.id}, {"reason", noted.error().message}});
        }
    }

    /// Made with the store: versions of another one say nothing about those of this one.
    Status know_incarnation() {
        const std::string key = "snapshots.incarnation";
        const auto kept = store->note(key);
        if (!kept) return kept.error();
        incarnation = kept->value_or(ids.uuid_v7());
        return *kept ? Status(Ok{}) : store->set_note(key, incarnation);
    }

    ExApp::Calls exapp_calls() {
        return {.fault =
                    [this] {
                        const auto writable = store->probe();
                        return writable ? std::string() : writable.error().message;
                    },
                .enabled = [this] { sources.register_app(); },
                .disabled = [this] { return sources.unregister_app(); }};
    }

    void make_exapp() {
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

    std::vector<ReadyCheck> ready_checks() {
        const auto writable = store->probe();
        std::vector<ReadyCheck> checks;
        checks.push_back({"store", writable.has_value(), writable ? "" : writable.error().message});
        const auto unrecorded = recorder.backlog();
        const bool recording = unrecorded < DispatcherSettings{}.backlog_max;
        checks.push_back(
            {"recorder", recording, recording ? "" : std::to_string(unrecorded) + " attempts wait to be stored"});
        checks.push_back({"backlog", !backlog.full(), backlog.detail()});
        return checks;
    }

    void write_whole_status(JsonWriter& json) {
        const auto current = now();
        StatusParts parts(current->settings);
        parts.now = tools.clock.now();
        parts.started_at = started_at;
        parts.checks = ready_checks();
        parts.reports = sources.registrations();
        parts.polls = sources.polls();
        parts.lags = ingest.lags();
        if (auto counts = store->counts()) parts.counts = with_hooks_together(std::move(*counts));
        add_health(parts);
        write_status(json, parts);
    }

    void add_health(StatusParts& parts) {
        parts.targets = dispatcher.views();
        if (auto heard = store->intakes_heard()) parts.heard = std::move(*heard);
        parts.target_health = target_health.all();
        parts.source_health = source_health.all();
        if (const auto due = store->pending_targets()) parts.due = {due->begin(), due->end()};
    }

    AdminApi::Parts admin_parts(Secret token) {
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
                .target_health = [this] { return target_health.all(); },
                .write_status = [this](JsonWriter& json) { write_whole_status(json); },
                .ask_reconciler = [this](const std::string& source,
                                         bool remove) { return sources.ask_to_register(source, remove); }};
    }

    Answer readiness() {
        const auto checks = ready_checks();
        JsonWriter json;
        write_ready(json, checks);
        return {.status = all_ok(checks) ? 200 : 503, .body = json.text()};
    }

    Answer scrape() {
        Metrics::Scrape told{.now = tools.clock.now(),
                             .counts = {},
                             .heard = {},
                             .registrations = {},
                             .subscriptions = {},
                             .breakers = {},
                             .polls = {},
                             .backlog = {}};
        if (auto counts = store->counts()) told.counts = with_hooks_together(std::move(*counts));
        told.subscriptions = subscribers.gauges();
        const auto current = now();
        StatusParts parts(current->settings);
        parts.now = told.now;
        parts.polls = sources.polls();
        add_health(parts);
        told.heard = parts.heard;
        told.target_health = target_health_gauges(parts);
        told.source_health = source_health_gauges(parts);
        told.registrations = registration_gauges(sources.registrations());
        told.breakers = breaker_gauges(current->settings, parts.targets, told.now);
        told.polls = poll_gauges(parts.polls);
        for (const auto& share : backlog.shares()) told.backlog.emplace_back(share.limit, share.ratio);
        return {.status = 200, .body = metrics.render(told), .content_type = "text/plain; version=0.0.4"};
    }

    /// The lease API's clients read its own shape of answer only, also for what never reaches a handler.
    HttpOptions http_options() {
        HttpOptions options;
        options.inherited_socket = tools.inherited_socket;
        options.is_quick = [this](const InboundRequest& head) {
            return head.path.starts_with("/ingest/") || head.path.starts_with("/engine/") ||
                   now()->source_at.contains(head.path);
        };
        options.refusal_answer = [this](const InboundRequest& head, const Refusal& refusal) {
            if (auto answer = subscribers.refused(head, refusal.status, refusal.message)) return *std::move(answer);
            return error_answer(refusal.status, refusal.code, refusal.message, refusal.field);
        };
        return options;
    }

    /// A source's further paths come first, then the table.
    LaterHandler handler() {
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
                                [this] { return readiness(); },
                                [this] { return scrape(); }};
        return [this, table = make_routes(handlers)](const InboundRequest& request, const Respond& respond) {
            const auto current = now();
            const auto also = current->source_at.find(request.path);
            if (also == current->source_at.end()) return table(request, respond);
            if (request.method == "POST") return ingest.push_later(also->second, request, respond);
            if (request.method == "GET") return respond(ingest.challenge(also->second, request));
            table(request, respond);
        };
    }

    Tools tools;
    std::unique_ptr<Metrics> metrics_owned;
    Metrics& metrics;
    Guarded<std::shared_ptr<const Plan>> plan;
    TimePoint started_at;
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
    HealthBook target_health, source_health;
    Dispatcher dispatcher;
    const int threads;         ///< for attempts that block
    HandlerPool attempt_pool;  ///< stopped by the dispatcher
    Follower follower;
    Ingest ingest;
    std::unique_ptr<ExApp> exapp;  ///< only where Nextcloud runs us
    Sources sources;
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

App::App(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

App::~App() { stop(); }

Result<std::unique_ptr<App>> App::start(const Settings& settings, Tools tools, Complaints& complaints) {
    auto metrics = std::make_unique<Metrics>();
    const auto lent = std::make_shared<Lent>();
    auto plan = make_plan(settings, adapter_hooks(*metrics, lent), complaints);
    if (!complaints.empty()) return Error{Error::Kind::Invalid, "the configuration has mistakes"};
    auto store = open_store(settings.store, tools.clock, tools.log);
    if (!store) return store.error();
    auto token = settings.admin_token;
    if (token.empty()) {
        const auto file = std::filesystem::path(settings.store.path).parent_path() / "admin.token";
        auto made = read_or_make_token(file, tools.random);
        if (!made) return made.error();
        token = std::move(*made);
    }
    auto parts =
        std::make_unique<Parts>(std::move(metrics), std::move(plan), tools, std::move(*store), std::move(token), lent);
    auto app = std::unique_ptr<App>(new App(std::move(parts)));
    if (auto started = app->parts_->start(); !started) return started.error();
    return app;
}

int App::port() const { return parts_->port(); }

bool App::alive() { return parts_->alive(); }

void App::reload(Settings settings, Complaints& complaints) { parts_->reload(std::move(settings), complaints); }

void App::stop() { parts_->stop(); }

}  // namespace orbridge
