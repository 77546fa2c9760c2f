#include "tests/support/fake_nextcloud.h"

#include <charconv>

#include "bridge/core/text.h"

namespace orbridge::testing {
namespace {

constexpr std::string_view kOcs = "/ocs/v2.php/apps/webhook_listeners/api/v1/webhooks";
constexpr std::string_view kApi = "/index.php/apps/openregister/api/";

int number(std::string_view text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::string header(const HttpRequest& request, std::string_view name) {
    const auto* found = find_header(request.headers, name);
    return found ? *found : std::string();
}

}  // namespace

std::string json_of(const FakeNextcloud::Row& row) {
    JsonWriter json;
    json.object();
    for (const auto& [name, value] : row) json.member_raw(name, value);
    return json.end().text();
}

FakeNextcloud::FakeNextcloud() {
    compatible = {R"(OCP\Files\Events\Node\NodeCreatedEvent)", R"(OCP\Files\Events\Node\NodeDeletedEvent)",
                  R"(OCA\Tables\Event\RowAddedEvent)"};
    for (const auto& [id, slug] : {std::pair{27, "zaak"}, std::pair{28, "besluit"}})
        schemas[id] = {{"id", std::to_string(id)},
                       {"uuid", R"("00000000-0000-4000-8000-0000000000)" + std::to_string(id) + '"'},
                       {"slug", json_string(slug)},
                       {"hooks", "[]"},
                       {"properties", "[]"}};
    registers[5] = {{"id", "5"}, {"slug", R"("zaken")"}};
}

std::vector<std::string> FakeNextcloud::asked() {
    std::vector<std::string> lines;
    for (; told_ < requests.size(); ++told_)
        lines.push_back(requests[told_].method + " " + requests[told_].url.substr(base.size()));
    return lines;
}

Exchange FakeNextcloud::operator()(const HttpRequest& request) {
    requests.push_back(request);
    if (down) return TransportFailure{TransportFailure::Reached::NothingSent, false, "connection refused"};
    const auto target = request.url.substr(base.size());
    const auto path = target.substr(0, target.find('?'));
    const auto query = path.size() < target.size() ? target.substr(path.size() + 1) : std::string();
    auto response = [&]() -> HttpResponse {
        if (maintenance) {
            auto busy = early(request, 503, 503, "Service unavailable");
            busy.headers.push_back({"X-Nextcloud-Maintenance-Mode", "1"});
            return busy;
        }
        if (throttled) return early(request, 429, 429, "Reached maximum delay");
        if (header(request, "Authorization") != "Basic " + to_base64(user + ":" + password)) {
            ++failed_logins;
            return early(request, 401, 997, "Unauthorised");
        }
        if (path.starts_with(kOcs) && !disabled.contains("webhook_listeners"))
            return ocs(request, path.substr(kOcs.size()), query);
        if (path.starts_with(kApi) && !disabled.contains("openregister"))
            return api(request, path.substr(kApi.size()), query);
        if (path.starts_with("/ocs/")) return early(request, 404, 998, "Invalid query, please check the syntax.\n");
        return {.status = 404, .headers = {}, .body = "<html>not found</html>"};
    }();
    for (const auto& [name, value] : headers) response.headers.push_back({name, value});
    return response;
}

/// What stands before any controller knows JSON only if the query asks for it.
HttpResponse FakeNextcloud::early(const HttpRequest& request, int status, int code, const std::string& text) {
    if (request.url.find("format=json") != std::string::npos) return ocs_answer("[]", status, code, text);
    return {.status = status,
            .headers = {{"Content-Type", "text/xml; charset=UTF-8"}},
            .body = "<?xml version=\"1.0\"?>\n<ocs>\n <meta>\n  <status>failure</status>\n  <statuscode>" +
                    std::to_string(code) + "</statuscode>\n  <message>" + text +
                    "</message>\n </meta>\n <data/>\n</ocs>\n"};
}

HttpResponse FakeNextcloud::ocs_answer(const std::string& data, int status, int code, const std::string& text) {
    JsonWriter json;
    json.object().key("ocs").object().key("meta").object();
    json.member("status", status == 200 ? "ok" : "failure").member("statuscode", code).member("message", text).end();
    json.member_raw("data", data).end().end();
    return {.status = status, .headers = {{"Content-Type", "application/json"}}, .body = json.text()};
}

HttpResponse FakeNextcloud::ocs(const HttpRequest& request, const std::string& rest, const std::string& query) {
    if (header(request, "OCS-APIRequest") != "true")
        return {.status = 412, .headers = {}, .body = R"({"message":"CSRF check failed"})"};
    if (!admin) return ocs_answer("[]", 403, 403, "Logged in account must be an admin");
    if (rest.empty() && request.method == "POST") return write_listener(request, ++last_id_, true);
    if (rest.empty()) {
        JsonWriter json;
        json.array();
        for (const auto& [id, row] : listeners)
            if (row.at("uri") == json_string(query_value(query, "uri"))) json.raw(json_of(row));
        return ocs_answer(json.end().text());
    }
    const int id = number(rest.substr(1));
    if (request.method == "DELETE") return ocs_answer(listeners.erase(id) > 0 ? "true" : "false");
    if (request.method == "POST") return write_listener(request, id, listeners.contains(id));
    if (!listeners.contains(id)) return ocs_answer("[]", 404, 404, "Did expect one result but found none");
    return ocs_answer(json_of(listeners.at(id)));
}

HttpResponse FakeNextcloud::write_listener(const HttpRequest& request, int id, bool exists) {
    const auto sent = JsonDocument::parse(request.body);
    const auto body = sent ? (*sent)->root() : Json();
    for (const auto* name : {"httpMethod", "uri", "event"})
        if (!body[name].is_string()) return ocs_answer("[]", 500, 996, "Internal Server Error\n");
    const auto event = body["event"].string().value();
    if (!compatible.contains(event))
        return ocs_answer("[]", 400, 400, event + " is not an event class compatible with webhooks");
    if (body["authMethod"].string() == "header" && !body["authData"].is_object())
        return ocs_answer("[]", 400, 400, "Header auth method needs an associative array of headers as auth data");
    const auto or_else = [&](const char* name, const char* otherwise) {
        const auto value = body[name];
        return value.present() && !value.is_null() && !value.empty() ? std::string(value.raw()) : otherwise;
    };
    Row row{{"id", std::to_string(id)},
            {"appId", "null"},
            {"userId", json_string(user)},
            {"httpMethod", std::string(body["httpMethod"].raw())},
            {"uri", json_string(body["uri"].string().value())},
            {"event", json_string(event)},
            {"eventFilter", or_else("eventFilter", "[]")},
            {"userIdFilter", body["userIdFilter"].is_string() ? std::string(body["userIdFilter"].raw()) : "\"\""},
            {"headers", or_else("headers", "null")},
            {"authMethod", body["authMethod"].is_string() ? std::string(body["authMethod"].raw()) : "\"none\""},
            {"authData", R"("5f1c0a...|9b2e77...|c41d90...|3")"},
            {"tokenNeeded", or_else("tokenNeeded", "null")}};
    if (exists) {  // an update of an unknown id answers all the same, and stores nothing
        listeners[id] = row;
        listener_secrets[id] = body["authData"]["X-Orbridge-Secret"].string().value_or("");
    }
    return ocs_answer(json_of(row));
}

// ---- OpenRegister -------------------------------------------------------------------------------

HttpResponse FakeNextcloud::answer(int status, std::string body) {
    HttpResponse response{.status = status, .headers = {{"Content-Type", "application/json"}}, .body = std::move(body)};
    if (claims_gzip) response.headers.push_back({"Content-Encoding", "gzip"});
    return response;
}

HttpResponse FakeNextcloud::api(const HttpRequest& request, const std::string& rest, const std::string& query) {
    const auto slash = rest.find('/');
    const auto family = rest.substr(0, slash);
    const int id = slash == std::string::npos ? 0 : number(std::string_view(rest).substr(slash + 1));
    if (family == "engines" && header(request, "OCS-APIRequest") != "true")
        return answer(412, R"({"message":"CSRF check failed"})");
    if (id == 0 && request.method == "GET") {
        if (family == "webhooks") return list(webhooks, query, true);
        if (family == "engines") return list(engines, query, false);
        return list(family == "schemas" ? schemas : registers, query, true);
    }
    if (family == "webhooks") return webhook(request, id);
    if (family == "engines") return engine(request, id);
    return schema(request, id);
}

HttpResponse FakeNextcloud::list(const Table& table, const std::string& query, bool with_results) {
    const auto limit = static_cast<std::size_t>(number(query_value(query, "_limit")));
    const auto skip = limit * static_cast<std::size_t>(number(query_value(query, "_page")) - 1);
    JsonWriter json;
    if (with_results) json.object().key("results");
    json.array();
    std::size_t at = 0;
    for (const auto& [id, row] : table) {
        if (!with_results || (at >= skip && at < skip + limit)) json.raw(json_of(row));
        ++at;
    }
    json.end();
    if (with_results) json.member("total", static_cast<std::uint64_t>(table.size())).end();
    return answer(200, json.text());
}

HttpResponse FakeNextcloud::webhook(const HttpRequest& request, int id) {
    if (id != 0 && !webhooks.contains(id)) return answer(404, R"({"error":"Webhook not found"})");
    if (request.method == "DELETE") {
        webhooks.erase(id);
        return answer(204, "null");
    }
    const auto sent = JsonDocument::parse(request.body);
    const auto body = (*sent)->root();
    Row row = id == 0 ? Row{{"method", R"("POST")"}, {"headers", "[]"},   {"filters", "[]"},
                            {"configuration", "[]"}, {"timeout", "30"},   {"enabled", "true"},
                            {"secret", "null"},      {"mapping", "null"}, {"totalDeliveries", "0"}}
                      : webhooks[id];
    for (const auto& member : body.members()) {
        if (member.value.is_null() || member.key == "id") continue;
        row[member.key] = member.value.is_object() && member.value.empty() ? "[]" : std::string(member.value.raw());
    }
    for (const auto& [other, taken] : webhooks)
        if (other != id && taken.at("uuid") == row["uuid"])
            return answer(500, R"({"error":"Failed to create webhook: Duplicate entry"})");
    const int place = id == 0 ? ++last_id_ : id;
    if (body["secret"].is_string()) webhook_secrets[place] = body["secret"].string().value();
    if (row["secret"] != "null") row["secret"] = R"("***")";
    row["id"] = std::to_string(place);
    webhooks[place] = row;
    return answer(id == 0 ? 201 : 200, json_of(row));
}

HttpResponse FakeNextcloud::engine(const HttpRequest& request, int id) {
    if (!admin) return answer(403, R"({"message":"Logged in account must be an admin"})");
    if (request.method == "DELETE") return answer(engines.erase(id) > 0 ? 200 : 404, "{}");
    const auto sent = JsonDocument::parse(request.body);
    const int place = ++last_id_;
    Row row{{"id", std::to_string(place)}, {"enabled", "true"}, {"healthStatus", "true"}};
    for (const auto* name : {"name", "engineType", "baseUrl", "authType"})
        row[name] = forget_engine_fields ? "null" : std::string((*sent)->root()[name].raw());
    engines[place] = row;
    engine_configs[place] = (*sent)->root()["authConfig"].raw();
    return answer(201, json_of(row));
}

HttpResponse FakeNextcloud::schema(const HttpRequest& request, int id) {
    if (!schemas.contains(id)) return answer(404, R"({"error":"Schema not found"})");
    if (request.method == "PATCH") {
        if (forbidden_schemas.contains(id))
            return answer(403, R"({"error":"User does not have permission to manage this schema"})");
        const auto sent = JsonDocument::parse(request.body);
        for (const auto& member : (*sent)->root().members()) schemas[id][member.key] = std::string(member.value.raw());
    }
    return answer(200, json_of(schemas[id]));
}

}  // namespace orbridge::testing
