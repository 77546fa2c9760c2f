#include "bridge/app.h"

#include <filesystem>
#include <stop_token>
#include <utility>
#include <variant>

#include "bridge/api/token_file.h"
#include "bridge/app_parts.h"
#include "bridge/store/open.h"

// The order in which everything starts, and stops in reverse.

namespace orbridge {
namespace {

constexpr milliseconds kAliveWithin{10'000};

void tell_faults(Log& log, const Plan& plan) {
    for (const auto& line : plan.adapter_faults) log.warn("adapter.left_out", {{"reason", line}});
}

}  // namespace

Status App::Parts::start() {
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
    dispatcher.set_threads({.run = [this](std::function<void()> job) { return attempt_pool.submit(std::move(job)); },
                            .stop = [this] { attempt_pool.stop(); }});
    aim(*now());
    recorder_worker.emplace([this] { return recorder.step(); });
    follower_worker.emplace([this] { return follower.step(); });
    waiters_worker.emplace([this] { return waiters.step(); });
    dispatcher_thread = std::jthread([this](const std::stop_token& stop) { dispatcher.run(stop); });
    subscribers.start();
    auto listening = HttpServer::start(now()->settings.http, handler(), tools.log, server_options());
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

void App::Parts::stop() {
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
    healths.keep_all();
    if (recorder_worker && !recorder.wait_until_empty(limit))
        tools.log.warn("bridge.unrecorded", {{"attempts", recorder.backlog()}});
    recorder_worker.reset();
    subscribers.stop();
    follower_worker.reset();
    housekeeper_worker.reset();
}

void App::Parts::reload(Settings settings, Complaints& complaints) {
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

void App::Parts::aim(const Plan& current) {
    dispatcher.set_targets(delivery_targets(current, threads));
    follower.set_targets(current.recipes);
    healths.configure(current.settings);
    backlog.set_limits(current.settings.backlog);
}

Status App::Parts::know_incarnation() {
    const std::string key = "snapshots.incarnation";
    const auto kept = store->note(key);
    if (!kept) return kept.error();
    incarnation = kept->value_or(ids.uuid_v7());
    return *kept ? Status(Ok{}) : store->set_note(key, incarnation);
}

void App::Parts::backfill_existing(const Plan& current) {
    for (const auto& source : current.settings.sources) {
        const auto key = "backfilled:" + source.id.value;
        if (!source.poll || !source.poll->backfill_existing) continue;
        if (const auto begun = store->note(key); !begun || *begun) continue;
        ReplayOrder order;
        order.backfill = source.id.value;
        const auto job = replay_jobs.start(order);
        const auto noted = job ? store->set_note(key, job->replay.id) : Status(job.error());
        if (!noted) tools.log.warn("backfill.not_begun", {{"source", source.id}, {"reason", noted.error().message}});
    }
}

bool App::Parts::alive() {
    HttpRequest request;
    request.method = "GET";
    request.url = local_url(server->address()) + "/healthz";
    request.unix_socket = unix_socket_of(server->address());
    request.timeout = kAliveWithin;
    return std::holds_alternative<HttpResponse>(exchange(transport, std::move(request)));
}

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
