#pragma once

#include <string>

#include "bridge/cli/command.h"
#include "bridge/core/http.h"
#include "bridge/core/json.h"
#include "bridge/settings/settings.h"

/// What the commands share: the configuration, the running daemon's API, printing.
namespace orbridge::cli {

/// Reads the configuration; prints all mistakes to standard error if there are any.
std::optional<Settings> load_settings(const Args& args);
/// The same for whoever makes a plan of it: what is found then goes to the complaints that the file was read with,
/// which must outlive the settings.
std::optional<Settings> load_settings(const Args& args, Complaints& complaints);
/// The file: --config, else ORBRIDGE_CONFIG, else the first of ./config/orbridge.yaml and /etc/orbridge/orbridge.yaml
/// that is there. Under Nextcloud's AppAPI (APP_ID and APP_SECRET) then orbridge.yaml in APP_PERSISTENT_STORAGE, else
/// the one that comes with the program.
std::string config_file(const Args& args);

/// Where the running daemon is: ORBRIDGE_URL (a container or a test listens elsewhere than its file says), else
/// as `listen` says.
struct BridgePlace {
    std::string url;
    std::string unix_socket{};
};
BridgePlace bridge_place(const Settings& settings);

/// Talks to the running daemon. Its address comes from `listen`, its token from `admin` or from the file
/// the daemon made beside its store.
class ApiClient {
public:
    explicit ApiClient(const Settings& settings);
    /// The JSON answer of a 2xx; otherwise what went wrong in a sentence.
    Result<JsonPtr> get(const std::string& path_and_query);
    Result<JsonPtr> post(const std::string& path_and_query, const std::string& body);
    Result<JsonPtr> put(const std::string& path_and_query, const std::string& body);
    Result<JsonPtr> remove(const std::string& path_and_query);

private:
    Result<JsonPtr> call(const std::string& method, const std::string& path_and_query, const std::string& body);
    BridgePlace place_;
    std::string token_file_;
    Secret token_;
};

/// One exchange from this process, outside any daemon.
Exchange exchange_once(const HttpRequest& request);

/// `a=b&c=d` of those options that were given.
std::string query_of(const Args& args, const std::vector<std::string>& options);

/// `2h`, `30m` ago, or an RFC 3339 time, as RFC 3339; the text itself if it is neither.
std::string time_argument(const std::string& text);

/// Rows under a head, columns padded. No trailing blanks.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// Prints an error and returns kFailed.
int fail(const Error& error);

/// A member as text, "" if absent.
std::string text_of(const Json& row, std::string_view key);

}  // namespace orbridge::cli
