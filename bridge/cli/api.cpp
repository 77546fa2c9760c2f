#include "bridge/cli/api.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>

#include "bridge/core/clock.h"
#include "bridge/core/text.h"
#include "bridge/deliver/curl_transport.h"

namespace orbridge::cli {

namespace {

/// The commands read the environment before there is any other thread.
std::string variable(const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    return value == nullptr ? "" : value;
}

}  // namespace

std::string config_file(const Args& args) {
    if (args.has("config")) return args.get("config");
    if (auto named = variable("ORBRIDGE_CONFIG"); !named.empty()) return named;
    static constexpr auto kInstalled = "/etc/orbridge/orbridge.yaml";
    for (const auto* file : {"config/orbridge.yaml", kInstalled})
        if (std::filesystem::exists(file)) return file;
    if (variable("APP_ID").empty() || variable("APP_SECRET").empty()) return kInstalled;
    // Started by Nextcloud's AppAPI, without a file of ours: the environment has what is needed.
    auto kept = variable("APP_PERSISTENT_STORAGE") + "/orbridge.yaml";
    return std::filesystem::exists(kept) ? kept : "/usr/share/orbridge/exapp.yaml";
}

std::optional<Settings> load_settings(const Args& args) {
    Complaints complaints;
    return load_settings(args, complaints);
}

std::optional<Settings> load_settings(const Args& args, Complaints& complaints) {
    const auto root = ConfigNode::load(config_file(args), complaints);
    auto settings = read_settings(root, complaints);
    if (complaints.empty()) return settings;
    for (const auto& line : complaints.lines()) std::cerr << line << "\n";
    return std::nullopt;
}

BridgePlace bridge_place(const Settings& settings) {
    if (auto url = variable("ORBRIDGE_URL"); !url.empty()) return {url};
    return {local_url(settings.http.listen), unix_socket_of(settings.http.listen)};
}

Exchange exchange_once(const HttpRequest& request) {
    CurlTransport transport;
    std::optional<Exchange> result;
    transport.send(request, [&](Transport::Finished finished) { result = std::move(finished.exchange); });
    while (!result) transport.poll(seconds{1});
    return std::move(*result);
}

ApiClient::ApiClient(const Settings& settings)
    : place_(bridge_place(settings)),
      token_file_(std::filesystem::path(settings.store.path).parent_path() / "admin.token"),
      token_(settings.admin_token) {
    if (!token_.empty()) return;
    std::string line;
    if (std::ifstream file(token_file_); std::getline(file, line)) token_ = Secret(std::string(trim(line)));
}

Result<JsonPtr> ApiClient::get(const std::string& path_and_query) { return call("GET", path_and_query, ""); }

Result<JsonPtr> ApiClient::remove(const std::string& path_and_query) { return call("DELETE", path_and_query, ""); }

Result<JsonPtr> ApiClient::put(const std::string& path_and_query, const std::string& body) {
    return call("PUT", path_and_query, body);
}

Result<JsonPtr> ApiClient::post(const std::string& path_and_query, const std::string& body) {
    return call("POST", path_and_query, body);
}

Result<JsonPtr> ApiClient::call(const std::string& method, const std::string& path_and_query, const std::string& body) {
    if (token_.empty()) {
        return Error{Error::Kind::Unauthorized, "no admin token: set admin.token_file, or let `orbridge serve` make " +
                                                    token_file_ + " at its first start (it must be readable here)"};
    }
    HttpRequest request;
    request.method = method;
    request.url = place_.url + path_and_query;
    request.unix_socket = place_.unix_socket;
    request.headers = {{"Authorization", "Bearer " + token_.reveal()}, {"Content-Type", "application/json"}};
    request.body = body;
    request.timeout = seconds{60};
    request.answer_bytes_max = 64 << 20;
    const auto result = exchange_once(request);
    if (const auto* failure = std::get_if<TransportFailure>(&result)) {
        return Error{Error::Kind::Unavailable, "cannot reach the bridge at " + place_.url + ": " + failure->reason +
                                                   " (is `orbridge serve` running?)"};
    }
    const auto& response = std::get<HttpResponse>(result);
    auto json = JsonDocument::parse(response.body);
    if (response.status / 100 == 2 && json) return json;
    const auto message = json ? (*json)->root().path("error.message").string() : std::nullopt;
    return Error{Error::Kind::Invalid,
                 message.value_or("HTTP " + std::to_string(response.status) + " from " + place_.url)};
}

std::string query_of(const Args& args, const std::vector<std::string>& options) {
    std::string query;
    for (const auto& option : options) {
        if (!args.has(option)) continue;
        const bool time = option == "since" || option == "until";
        const auto value = time ? time_argument(args.get(option)) : args.get(option);
        query += (query.empty() ? "?" : "&") + option + "=" + percent_encode(value);
    }
    return query;
}

std::string time_argument(const std::string& text) {
    static constexpr std::string_view kUnits = "smhd";
    static constexpr std::int64_t kSeconds[] = {1, 60, 3600, 86400};
    const auto unit = text.empty() ? std::string_view::npos : kUnits.find(text.back());
    std::int64_t count = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
    if (unit == std::string_view::npos || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() - 1)
        return text;
    return to_iso8601(SystemClock().now() - seconds{count * kSeconds[unit]});
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    const auto columns_shown = [](const std::string& text) {  // counts characters, not bytes
        return static_cast<std::size_t>(std::count_if(
            text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
    };
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_shown(row[i]));
    }
    std::string text;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i)
            text += row[i] + (i + 1 < row.size() ? std::string(widths[i] - columns_shown(row[i]) + 2, ' ') : "");
        text.erase(text.find_last_not_of(' ') + 1);
        text += '\n';
    }
    return text;
}

int fail(const Error& error) {
    std::cerr << "orbridge: " << error.message << "\n";
    return kFailed;
}

std::string text_of(const Json& row, std::string_view key) { return row[key].scalar().value_or(""); }

}  // namespace orbridge::cli
