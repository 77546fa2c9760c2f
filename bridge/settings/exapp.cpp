#include <cstdlib>

#include "bridge/settings/sections.h"

namespace orbridge {
namespace {

/// What AppAPI gives an ExApp's container (nextcloud.md §5.1).
std::string variable(const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here changes the environment
    return value == nullptr ? "" : value;
}

/// A key, or else the variable of AppAPI's that says the same.
std::string required(const ConfigNode& node, const char* key, const char* name) {
    auto text = node.text(key, variable(name));
    if (text.empty()) node[key].complain(std::string("missing, and the environment variable ") + name + " is not set");
    return text;
}

/// Behind HaRP's tunnel the app listens on a unix socket; otherwise where AppAPI says.
std::string listen_of(const std::string& otherwise) {
    if (!variable("HP_SHARED_KEY").empty()) {
        const auto file = variable("HP_EXAPP_SOCK");
        return "unix:" + (file.empty() ? "/tmp/exapp.sock" : file);
    }
    const auto host = variable("APP_HOST"), port = variable("APP_PORT");
    if (port.empty()) return otherwise;
    return (host.empty() ? "0.0.0.0" : host) + ":" + port;
}

/// AppAPI gives it with `/` or `/index.php` behind it at times.
std::string nextcloud_url(const ConfigNode& node) {
    auto url = node.url("url", false);
    if (url.empty()) url = variable("NEXTCLOUD_URL");
    while (url.ends_with('/')) url.pop_back();
    if (url.ends_with("/index.php")) url.erase(url.size() - 10);
    if (url.empty()) node["url"].complain("missing, and the environment variable NEXTCLOUD_URL is not set");
    return url;
}

}  // namespace

std::optional<AppApiSettings> read_exapp(const ConfigNode& root, HttpSettings& http) {
    const auto node = root["exapp"];
    if (!node.present()) return std::nullopt;
    AppApiSettings exapp;
    exapp.id = required(node, "id", "APP_ID");
    exapp.version = required(node, "version", "APP_VERSION");
    exapp.app_api_version = node.text("app_api_version", variable("AA_VERSION"));
    exapp.url = nextcloud_url(node);
    exapp.secret = node.secret("secret", false);
    if (exapp.secret.empty()) exapp.secret = Secret(variable("APP_SECRET"));
    if (exapp.secret.empty()) node["secret"].complain("missing, and the environment variable APP_SECRET is not set");
    node.done();
    if (!root["listen"].present()) http.listen = listen_of(http.listen);
    return exapp;
}

}  // namespace orbridge
