#include "bridge/routes.h"

#include <string>
#include <utility>

#include "bridge/api/document.h"
#include "bridge/receive/error_answer.h"
#include "bridge/ui/pages.h"

namespace orbridge {
namespace {

using Request = const InboundRequest&;
using Values = const PathValues&;

/// What sources and lease clients call.
void add_intakes(RouteTable& table, const Handlers& to) {
    auto& ingest = to.ingest;
    auto& subscribers = to.subscribers;
    const auto push = [&ingest](Request r, Values v, const Respond& respond) {
        ingest.push_later(v["source"], r, respond);
    };
    table.add_later("POST", "/ingest/{source}", push).add_later("PUT", "/ingest/{source}", push);
    table.add("GET", "/ingest/{source}", [&ingest](Request r, Values v) { return ingest.challenge(v["source"], r); });
    table.add_later(
        "POST", "/engine/api/w/{workspace}/jobs/run_wait_result/f/**",
        [&ingest](Request r, Values v, const Respond& respond) { ingest.hook_later(v["workspace"], r, respond); });
    table.add("GET", "/engine/api/version", [](Request, Values) {
        return Answer{.status = 200, .body = "orbridge " ORBRIDGE_VERSION, .content_type = "text/plain"};
    });
    table.add("*", "/{product}/webhookAPI/**",
              [&subscribers](Request r, Values v) { return subscribers.answer(v["product"], v["**"], r); });
    table.add("POST", "/{product}/projectAPI/addLogMessage",
              [&subscribers](Request r, Values v) { return subscribers.log_message(v["product"], r); });
}

void add_admin(RouteTable& table, AdminApi& api) {
    table.add("GET", "/api/v1/status", [&api](Request r, Values) { return api.status(r); });
    table.add("GET", "/api/v1/events", [&api](Request r, Values) { return api.events(r); });
    table.add("GET", "/api/v1/events/{id}", [&api](Request r, Values v) { return api.event(r, v["id"]); });
    table.add("GET", "/api/v1/deliveries", [&api](Request r, Values) { return api.deliveries(r); });
    table.add("GET", "/api/v1/deliveries/{id}", [&api](Request r, Values v) { return api.delivery(r, v["id"]); });
    table.add("GET", "/api/v1/explain/{event}", [&api](Request r, Values v) { return api.explain(r, v["event"]); });
    table.add("GET", "/api/v1/targets", [&api](Request r, Values) { return api.targets(r); });
    table.add("POST", "/api/v1/targets/{name}/pause", [&api](Request r, Values v) { return api.pause(r, v["name"]); });
    table.add("POST", "/api/v1/targets/{name}/resume",
              [&api](Request r, Values v) { return api.resume(r, v["name"]); });
    table.add("POST", "/api/v1/cancel", [&api](Request r, Values) { return api.cancel(r); });
    table.add("POST", "/api/v1/register", [&api](Request r, Values) { return api.registrations(r, false); });
    table.add("POST", "/api/v1/unregister", [&api](Request r, Values) { return api.registrations(r, true); });
    table.add("GET", "/api/v1/runs", [&api](Request r, Values) { return api.runs(r); });
    table.add("GET", "/api/v1/audit", [&api](Request r, Values) { return api.audit(r); });
}

void add_subscriptions(RouteTable& table, SubscriptionsApi& api) {
    table.add("GET", "/api/v1/subscriptions", [&api](Request r, Values) { return api.list(r); });
    table.add("POST", "/api/v1/subscriptions/remove", [&api](Request r, Values) { return api.remove(r); });
    table.add("POST", "/api/v1/subscriptions/extend", [&api](Request r, Values) { return api.extend(r); });
    table.add("GET", "/api/v1/tokens", [&api](Request r, Values) { return api.tokens(r); });
    table.add("POST", "/api/v1/tokens", [&api](Request r, Values) { return api.create_token(r); });
    table.add("POST", "/api/v1/tokens/remove", [&api](Request r, Values) { return api.remove_token(r); });
}

void add_snapshots(RouteTable& table, SnapshotsApi& api) {
    table.add("GET", "/api/v1/snapshots", [&api](Request r, Values) { return api.sources(r); });
    table.add("GET", "/api/v1/snapshots/{source}", [&api](Request r, Values v) { return api.list(r, v["source"]); });
    table.add_later("GET", "/api/v1/snapshots/{source}/**", [&api](Request r, Values v, const Respond& respond) {
        api.show(r, v["source"], percent_decode(v["**"], false), respond);
    });
    table.add("POST", "/api/v1/snapshots/{source}/{subject}/refresh",
              [&api](Request r, Values v) { return api.refresh(r, v["source"]); });
}

void add_replays(RouteTable& table, ReplaysApi& api) {
    using Kind = ReplaysApi::Kind;
    table.add("POST", "/api/v1/replays", [&api](Request r, Values) { return api.start(r); });
    table.add("GET", "/api/v1/replays", [&api](Request r, Values) { return api.list(r); });
    table.add("GET", "/api/v1/replays/{id}", [&api](Request r, Values v) { return api.show(r, v["id"]); });
    table.add("DELETE", "/api/v1/replays/{id}", [&api](Request r, Values v) { return api.cancel(r, v["id"]); });
    table.add("POST", "/api/v1/backfills", [&api](Request r, Values) { return api.start_backfill(r); });
    table.add("GET", "/api/v1/backfills", [&api](Request r, Values) { return api.list(r, Kind::Backfill); });
    table.add("GET", "/api/v1/backfills/{id}",
              [&api](Request r, Values v) { return api.show(r, v["id"], Kind::Backfill); });
    table.add("DELETE", "/api/v1/backfills/{id}",
              [&api](Request r, Values v) { return api.cancel(r, v["id"], Kind::Backfill); });
}

void add_adapters(RouteTable& table, AdaptersApi& api) {
    table.add("GET", "/api/v1/adapters", [&api](Request r, Values) { return api.list(r); });
    table.add("DELETE", "/api/v1/adapters/{name}", [&api](Request r, Values v) { return api.remove(r, v["name"]); });
    table.add("POST", "/api/v1/targets/{name}/tasks/{task}",
              [&api](Request r, Values v) { return api.run(r, v["name"], v["task"]); });
    table.add("POST", "/api/v1/targets/{name}/test", [&api](Request r, Values v) { return api.test(r, v["name"]); });
}

void add_credentials(RouteTable& table, CredentialsApi& api) {
    table.add("GET", "/api/v1/adapters/{name}/form", [&api](Request r, Values v) { return api.form(r, v["name"]); });
    table.add("POST", "/api/v1/adapters/{name}/test",
              [&api](Request r, Values v) { return api.try_out(r, v["name"]); });
    table.add("GET", "/api/v1/credentials", [&api](Request r, Values) { return api.list(r); });
    table.add("PUT", "/api/v1/credentials", [&api](Request r, Values) { return api.put(r); });
    table.add("POST", "/api/v1/credentials/rekey", [&api](Request r, Values) { return api.rekey(r); });
    table.add("GET", "/api/v1/credentials/{id}", [&api](Request r, Values v) { return api.show(r, v["id"]); });
    table.add("DELETE", "/api/v1/credentials/{id}", [&api](Request r, Values v) { return api.remove(r, v["id"]); });
    table.add("POST", "/api/v1/credentials/{id}/test", [&api](Request r, Values v) { return api.test(r, v["id"]); });
    table.add("GET", "/api/v1/export", [&api](Request r, Values) { return api.export_all(r); });
    table.add("POST", "/api/v1/import", [&api](Request r, Values) { return api.import_all(r); });
}

void add_exapp(RouteTable& table, ExAppApi& api) {
    table.add("GET", "/heartbeat", [](Request, Values) { return ExAppApi::heartbeat(); });
    table.add("POST", "/init", [&api](Request r, Values) { return api.init(r); });
    table.add("PUT", "/enabled", [&api](Request r, Values) { return api.enabled(r); });
}

void add_operations(RouteTable& table, const Handlers& to) {
    table.add("GET", "/healthz", [](Request, Values) { return Answer{.status = 200, .body = R"({"alive":true})"}; });
    table.add("GET", "/readyz", [ready = to.readiness](Request, Values) { return ready(); });
    table.add("GET", "/metrics", [metrics = to.metrics](Request, Values) { return metrics(); });
    table.add("GET", "/ui/{page}", [](Request, Values v) { return ui_answer(v["page"]); });
    table.add("GET", "/openapi.yaml", [](Request, Values) {
        return Answer{.status = 200, .body = std::string(api_document()), .content_type = "application/yaml"};
    });
}

RouteTable make_routes(const Handlers& to) {
    RouteTable table;
    add_intakes(table, to);
    add_admin(table, to.admin);
    add_subscriptions(table, to.subscriptions);
    add_snapshots(table, to.snapshots);
    add_replays(table, to.replays);
    table.add("POST", "/api/v1/erase", [&api = to.erase](Request r, Values) { return api.erase(r); });
    add_adapters(table, to.adapters);
    add_credentials(table, to.credentials);
    if (to.exapp != nullptr) add_exapp(table, *to.exapp);
    add_operations(table, to);
    return table;
}

}  // namespace

LaterHandler make_handler(const Handlers& to, PlanNow plan) {
    return [&ingest = to.ingest, plan = std::move(plan), table = make_routes(to)](const InboundRequest& request,
                                                                                  const Respond& respond) {
        const auto current = plan();
        const auto also = current->source_at.find(request.path);
        if (also == current->source_at.end()) return table(request, respond);
        if (request.method == "POST") return ingest.push_later(also->second, request, respond);
        if (request.method == "GET") return respond(ingest.challenge(also->second, request));
        table(request, respond);
    };
}

HttpOptions http_options(const Subscribers& subscribers, const PlanNow& plan) {
    HttpOptions options;
    options.is_quick = [plan](const InboundRequest& head) {
        return head.path.starts_with("/ingest/") || head.path.starts_with("/engine/") ||
               plan()->source_at.contains(head.path);
    };
    options.refusal_answer = [&subscribers](const InboundRequest& head, const Refusal& refusal) {
        if (auto answer = subscribers.refused(head, refusal.status, refusal.message)) return *std::move(answer);
        return error_answer(refusal.status, refusal.code, refusal.message, refusal.field);
    };
    return options;
}

}  // namespace orbridge
