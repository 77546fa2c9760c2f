#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "bridge/core/http.h"
#include "bridge/core/json.h"

namespace orbridge::testing {

/// A Nextcloud with webhook_listeners and OpenRegister in this process: it keeps rows, answers as the recorded
/// examples do, and has the quirks that registrars must live with.
class FakeNextcloud {
public:
    /// Fields by name, as JSON text.
    using Row = std::map<std::string, std::string>;
    using Table = std::map<int, Row>;

    FakeNextcloud();

    Exchange operator()(const HttpRequest& request);
    /// The requests since the last call, `GET /path?query` each.
    std::vector<std::string> asked();

    std::string base = "https://cloud.example.org";
    std::string user = "orbridge", password = "app-password";
    bool admin = true;
    bool down = false, maintenance = false, throttled = false;
    std::set<std::string> disabled;              ///< webhook_listeners, openregister
    std::set<std::string> compatible;            ///< event classes that webhook_listeners takes
    bool forget_engine_fields = false;           ///< stores engines without what was sent
    bool claims_gzip = true;                     ///< says `Content-Encoding: gzip` and does not compress
    std::set<int> forbidden_schemas;             ///< 403 when changed
    std::map<std::string, std::string> headers;  ///< added to each answer
    std::size_t failed_logins = 0;

    Table listeners, webhooks, engines, schemas, registers;
    std::map<int, std::string> listener_secrets, webhook_secrets, engine_configs;
    std::vector<HttpRequest> requests;

private:
    HttpResponse ocs(const HttpRequest& request, const std::string& rest, const std::string& query);
    HttpResponse ocs_answer(const std::string& data, int status = 200, int code = 200, const std::string& text = "OK");
    HttpResponse write_listener(const HttpRequest& request, int id, bool exists);
    HttpResponse early(const HttpRequest& request, int status, int code, const std::string& text);
    HttpResponse api(const HttpRequest& request, const std::string& rest, const std::string& query);
    HttpResponse list(const Table& table, const std::string& query, bool with_results);
    HttpResponse webhook(const HttpRequest& request, int id);
    HttpResponse engine(const HttpRequest& request, int id);
    HttpResponse schema(const HttpRequest& request, int id);
    HttpResponse answer(int status, std::string body);

    int last_id_ = 0;
    std::size_t told_ = 0;
};

/// A row as JSON text.
std::string json_of(const FakeNextcloud::Row& row);

}  // namespace orbridge::testing
