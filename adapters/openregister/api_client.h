#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bridge/run/source_client.h"

namespace orbridge::openregister {

/// All rows of a list, however many pages it took. The documents keep the rows alive.
struct Rows {
    std::vector<Json> rows;
    std::vector<JsonPtr> documents;
    std::optional<Trouble> trouble;
    explicit operator bool() const { return !trouble; }
};

/// OpenRegister's REST API: plain JSON, the same login as Nextcloud's. Keeps nothing.
class ApiClient {
public:
    ApiClient(SourceAccess access, Exchanger exchange) : access_(std::move(access)), exchange_(std::move(exchange)) {}

    /// `path` begins behind `/index.php/apps/openregister`, e.g. `/api/webhooks/3`.
    Reply get(const std::string& path) const { return ask("GET", path, {}); }
    Reply post(const std::string& path, std::string body) const { return ask("POST", path, std::move(body)); }
    Reply put(const std::string& path, std::string body) const { return ask("PUT", path, std::move(body)); }
    Reply patch(const std::string& path, std::string body) const { return ask("PATCH", path, std::move(body)); }
    Reply remove(const std::string& path) const { return ask("DELETE", path, {}); }

    /// Follows `_limit` and `_page`; also right for a list that knows no pages.
    Rows list(const std::string& path) const;

private:
    Reply ask(std::string method, const std::string& path, std::string body) const;
    SourceAccess access_;
    Exchanger exchange_;
};

/// A text or a number as text: ids come as either.
std::string text_of(const Json& value);

}  // namespace orbridge::openregister
