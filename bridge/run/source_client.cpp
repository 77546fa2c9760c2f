#include "bridge/run/source_client.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "bridge/core/mask.h"
#include "bridge/core/text.h"
#include "bridge/deliver/retry_after.h"

namespace orbridge {
namespace {

// Nextcloud's brute-force guard sleeps up to 25 s inside a request that brings wrong credentials. Whoever
// gives up earlier takes the refusal for a network fault, tries again, and locks out the whole address.
constexpr milliseconds kTimeoutLeast{30'000};
constexpr milliseconds kAfterTooMany{std::chrono::minutes{10}};
constexpr milliseconds kAfterMaintenance{std::chrono::minutes{1}};

std::string asked(const HttpRequest& request) { return request.method + " " + where(request.url); }

std::string http_text(int status, const std::string& said) {
    return "HTTP " + std::to_string(status) + (said.empty() ? std::string() : ": " + said);
}

Trouble busy(const HttpRequest& request, const HttpResponse& response, const std::string& said) {
    const bool many = response.status == 429;
    const bool maintenance = find_header(response.headers, "X-Nextcloud-Maintenance-Mode") != nullptr;
    const std::string what = many          ? "too many requests or failed logins from this address"
                             : maintenance ? "Nextcloud is in maintenance mode or waits for an upgrade"
                                           : "the service is not available";
    return {Trouble::Kind::Busy, what + " (" + asked(request) + ": " + http_text(response.status, said) + ").",
            std::max(retry_after(response), many ? kAfterTooMany : kAfterMaintenance)};
}

Trouble redirected(const HttpRequest& request, const HttpResponse& response) {
    const auto* to = find_header(response.headers, "Location");
    return {Trouble::Kind::Failed, asked(request) + " is redirected" + (to ? " to " + where(*to) : "") +
                                       "; redirects are not followed: correct the source's url."};
}

Trouble::Kind kind_of(int status) {
    if (status == 401) return Trouble::Kind::Credentials;
    if (status == 403) return Trouble::Kind::Rights;
    if (status == 404) return Trouble::Kind::NotFound;
    if (status == 400 || status == 422) return Trouble::Kind::Refused;
    return Trouble::Kind::Failed;
}

bool private_ipv4(std::string_view host) {
    const auto parts = split(host, '.');
    std::array<int, 4> bytes{};
    if (parts.size() != 4) return false;
    for (std::size_t i = 0; i < 4; ++i) {
        const auto [end, error] = std::from_chars(parts[i].data(), parts[i].data() + parts[i].size(), bytes.at(i));
        if (error != std::errc{} || end != parts[i].data() + parts[i].size()) return false;
    }
    const auto [a, b, c, d] = bytes;
    return a == 0 || a == 10 || a == 127 || (a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168) ||
           (a == 169 && b == 254) || (a == 100 && b >= 64 && b < 128) || (a == 192 && b == 0 && c == 0);
}

/// For AppAPI see nextcloud.md §5.4: without a user, what is open to apps; with one, what is open to that user.
Headers credentials_of(const SourceAccess& access) {
    if (access.app_api) {
        const auto& app = *access.app_api;
        return {{"AA-VERSION", app.app_api_version},
                {"EX-APP-ID", app.id},
                {"EX-APP-VERSION", app.version},
                {"AUTHORIZATION-APP-API", to_base64(access.user + ":" + app.secret.reveal())}};
    }
    if (!access.bearer.empty()) return {{"Authorization", "Bearer " + access.bearer.reveal()}};
    return {{"Authorization", "Basic " + to_base64(access.user + ":" + access.password.reveal())}};
}

std::string host_of(std::string_view url) {
    std::string text = where(url);
    if (const auto scheme = text.find("://"); scheme != std::string::npos) text.erase(0, scheme + 3);
    text = text.substr(0, text.find('/'));
    if (text.starts_with('[')) return to_lower(text.substr(1, text.find(']') - 1));
    return to_lower(text.substr(0, text.find(':')));
}

/// What the other side said, which may quote the request: who we are there, and the secret that a registration tells
/// it.
std::string without_secrets(const HttpRequest& request, const std::string& said) {
    Mask mask;
    for (const auto* name : {"Authorization", "AUTHORIZATION-APP-API"}) {
        const auto* header = find_header(request.headers, name);
        if (header == nullptr) continue;
        const auto shown = header->substr(header->rfind(' ') + 1);  // npos + 1: all of it
        mask.add(shown);
        const auto both = from_base64(shown);
        const auto colon = both ? both->find(':') : std::string::npos;
        if (colon == std::string::npos) continue;
        mask.add(*both);
        mask.add(both->substr(colon + 1));
    }
    const auto body = JsonDocument::parse(request.body);
    if (!body) return mask(said);
    const auto root = (*body)->root();
    for (const auto* name : {"secret", "token"}) mask.add(root[name].string().value_or(""));
    for (const auto& member : root["authData"].members()) {  // that events shall come with
        const auto value = member.value.string().value_or("");
        mask.add(value.substr(value.rfind(' ') + 1));
    }
    return mask(said);
}

}  // namespace

SourceAccess access_of(const SourceSettings& settings) {
    std::string base = settings.url;
    while (base.ends_with('/')) base.pop_back();
    if (base.ends_with("/index.php")) base.erase(base.size() - 10);
    return {base,
            settings.user,
            settings.password,
            settings.bearer,
            std::max(settings.timeout, kTimeoutLeast),
            settings.answer_bytes_max,
            settings.app_api};
}

HttpRequest source_request(const SourceAccess& access, std::string method, std::string_view path, std::string body) {
    HttpRequest request{.method = std::move(method), .url = access.base + std::string(path), .body = std::move(body)};
    request.headers = credentials_of(access);
    // An Accept with `html` in it would turn refusals into redirects to pages.
    request.headers.insert(
        request.headers.end(),
        {{"OCS-APIRequest", "true"}, {"Accept", "application/json"}, {"User-Agent", "orbridge/" ORBRIDGE_VERSION}});
    if (!request.body.empty()) request.headers.push_back({"Content-Type", "application/json"});
    request.timeout = access.timeout;
    request.answer_bytes_max = access.answer_bytes_max;
    return request;
}

std::optional<Trouble> trouble_of(const HttpRequest& request, const HttpResponse& response, const std::string& quoted) {
    const int status = response.status;
    const auto said = without_secrets(request, quoted);
    if (status / 100 == 2) return std::nullopt;
    if (status == 429 || status == 503) return busy(request, response, said);
    if (status / 100 == 3) return redirected(request, response);
    const auto kind = kind_of(status);
    auto message = asked(request) + ": " + http_text(status, said) + ".";
    if (kind == Trouble::Kind::Credentials) {
        message = "Wrong credentials: Nextcloud refuses them (" + http_text(status, said) +
                  "). Nothing more is tried, because failed logins lock out this address: correct them, then reload "
                  "the configuration or run `orbridge register`.";
    }
    return Trouble{kind, message, retry_after(response)};
}

Trouble trouble_of(const HttpRequest& request, const TransportFailure& failure) {
    return {Trouble::Kind::Unreachable, asked(request) + ": no answer: " + failure.reason + "."};
}

bool refused_as_local(std::string_view url) {
    static constexpr std::array kLocal = {"local",   "localhost", "intranet", "internal",
                                          "private", "corp",      "home",     "lan"};
    const auto host = host_of(url);
    if (host.find(':') != std::string::npos) {
        return host == "::1" || host == "::" || host.starts_with("fc") || host.starts_with("fd") ||
               host.starts_with("fe8");
    }
    const auto dot = host.rfind('.');
    if (dot == std::string::npos) return true;
    const auto last = host.substr(dot + 1);
    return private_ipv4(host) || std::any_of(kLocal.begin(), kLocal.end(), [&](auto tld) { return last == tld; });
}

std::string ingest_url(const std::string& public_url, const SourceId& source) {
    std::string base = public_url;
    while (base.ends_with('/')) base.pop_back();
    return base + "/ingest/" + percent_encode(source.value);
}

}  // namespace orbridge
