#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/core/http.h"
#include "bridge/core/json.h"
#include "bridge/core/secret.h"
#include "bridge/run/registrar.h"
#include "bridge/settings/settings.h"

/// What the clients of a Nextcloud's APIs have in common: who asks, and what an answer means.
namespace orbridge {

/// Sends one request and waits for its end.
using Exchanger = std::function<Exchange(HttpRequest)>;

/// An answer that was read, or why there is none.
struct Reply {
    int status = 0;
    JsonPtr document;  ///< keeps `data` alive
    Json data;
    std::optional<Trouble> trouble;
    bool cut = false;  ///< longer than `answer_bytes_max`
    explicit operator bool() const { return !trouble; }
};

/// Where a source is and who we are there.
struct SourceAccess {
    std::string base;  ///< without a trailing slash or `/index.php`
    std::string user;
    Secret password;
    Secret bearer;
    milliseconds timeout{30'000};
    std::size_t answer_bytes_max = 8 << 20;
    std::optional<AppApiSettings> app_api{};  ///< instead of the password and the bearer token
};
SourceAccess access_of(const SourceSettings& settings);

/// The request with credentials and the headers every Nextcloud API wants. Empty body: no Content-Type.
HttpRequest source_request(const SourceAccess& access, std::string method, std::string_view path, std::string body);

/// The trouble an HTTP status means, or nothing for 2xx. `said` is the answer's own message.
std::optional<Trouble> trouble_of(const HttpRequest& request, const HttpResponse& response, const std::string& said);
Trouble trouble_of(const HttpRequest& request, const TransportFailure& failure);

/// Nextcloud's own HTTP client refuses to call such an address unless config.php has
/// `allow_local_remote_servers: true`; the refusal shows only in its log.
bool refused_as_local(std::string_view url);

/// Where a source's pushes go, as registered there.
std::string ingest_url(const std::string& public_url, const SourceId& source);

}  // namespace orbridge
