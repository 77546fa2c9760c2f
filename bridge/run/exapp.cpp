#include "bridge/run/exapp.h"

#include <algorithm>

namespace orbridge {
namespace {

// Version 1 of OCS: what AppAPI documents for these calls, and what every release has.
constexpr auto kBase = "/ocs/v1.php/apps/app_api/ex-app/";
constexpr milliseconds kFirstPause{1'000};
constexpr milliseconds kPauseMax{std::chrono::minutes{1}};
constexpr milliseconds kSleep{std::chrono::minutes{5}};
constexpr int kDone = 100;
constexpr int kStarted = 20;
constexpr int kOcsOk = 100;

SourceAccess app_access(const AppApiSettings& settings) {
    SourceAccess access;
    access.base = settings.url;
    access.app_api = settings;
    return access;
}

std::string progress_body(int progress, const std::string& error) {
    JsonWriter json;
    json.object().member("progress", progress).member("error", error).end();
    return std::move(json).text();
}

milliseconds pause_after(int failures) {
    auto pause = kFirstPause;
    for (int i = 1; i < failures && pause < kPauseMax; ++i) pause *= 2;
    return std::min(pause, kPauseMax);
}

}  // namespace

ExApp::ExApp(const AppApiSettings& settings, Exchanger exchange, Calls calls, const Clock& clock, Log& log)
    : access_(app_access(settings)),
      exchange_(std::move(exchange)),
      calls_(std::move(calls)),
      clock_(clock),
      log_(log) {}

void ExApp::init() {
    log_.info("exapp.init");
    state_.with([](State& state) {
        state.init_wanted = true;
        state.given_up = false;
        state.due.reset();
        state.failures = 0;
    });
    if (wake_) wake_();
}

void ExApp::enable() {
    log_.info("exapp.enabled");
    state_.with([](State& state) { state.enabled = true; });
    calls_.enabled();
}

std::string ExApp::disable() {
    log_.info("exapp.disabled");
    state_.with([](State& state) { state.enabled = false; });
    return calls_.disabled();
}

bool ExApp::is_enabled() const {
    return state_.with([](const State& state) { return state.enabled.value_or(false); });
}

milliseconds ExApp::step() {
    const auto now = clock_.now();
    const auto state = state_.with([](const State& current) { return current; });
    if (state.given_up) return kSleep;
    if (state.due && *state.due > now) return *state.due - now;
    if (state.init_wanted) {
        tell_progress();
    } else if (!state.enabled) {
        ask_state();
    } else {
        return kSleep;
    }
    return milliseconds{0};
}

/// At 100 Nextcloud enables the app from within this very call, so it may take a while.
void ExApp::tell_progress() {
    const auto fault = calls_.fault();
    for (const int progress : {kStarted, kDone}) {
        const int told = fault.empty() ? progress : 0;
        const auto reply = call("PUT", "status", progress_body(told, fault));
        if (reply.trouble) return later(*reply.trouble, "tell the progress");
        log_.info("exapp.progress", {{"progress", told}, {"reason", fault}});
        if (!fault.empty()) break;
    }
    state_.with([](State& state) {
        state.init_wanted = false;
        state.failures = 0;
    });
}

void ExApp::ask_state() {
    const auto reply = call("GET", "state", {});
    if (reply.trouble) return later(*reply.trouble, "ask for the state");
    const bool enabled = reply.data.scalar().value_or("0") == "1" || reply.data.boolean().value_or(false);
    const bool news = state_.with([&](State& state) {
        const bool first = !state.enabled;
        if (first) state.enabled = enabled;
        state.failures = 0;
        return first;
    });
    if (!news) return;  // Nextcloud told us something newer meanwhile
    log_.info("exapp.state", {{"enabled", enabled ? "yes" : "no"}});
    if (enabled) calls_.enabled();
}

void ExApp::later(const Trouble& trouble, std::string_view doing) {
    const bool refused = trouble.kind == Trouble::Kind::Credentials;
    log_.warn(refused ? "exapp.refused" : "exapp.trouble", {{"doing", doing}, {"reason", trouble.message}});
    state_.with([&](State& state) {
        state.given_up = refused;
        state.due = clock_.now() + std::max(pause_after(++state.failures), trouble.at_least);
    });
}

Reply ExApp::call(std::string method, const std::string& path, std::string body) const {
    const auto request = source_request(access_, std::move(method), kBase + path + "?format=json", std::move(body));
    const auto exchange = exchange_(request);
    Reply reply;
    if (const auto* failure = std::get_if<TransportFailure>(&exchange)) {
        reply.trouble = trouble_of(request, *failure);
        return reply;
    }
    const auto& response = std::get<HttpResponse>(exchange);
    reply.status = response.status;
    reply.trouble = trouble_of(request, response, {});
    if (reply.trouble) return reply;
    auto document = JsonDocument::parse(response.body);
    const auto code = document ? (*document)->root().path("ocs.meta.statuscode").scalar().value_or("") : std::string();
    if (code == std::to_string(kOcsOk) || code == "200") {
        reply.document = *document;
        reply.data = reply.document->root().path("ocs.data");
    } else if (code == "997") {
        reply.trouble = Trouble{Trouble::Kind::Credentials, "Nextcloud does not know this app by its secret."};
    } else {
        reply.trouble = Trouble{Trouble::Kind::Failed, "Not an OCS answer of AppAPI from " + where(request.url) + "."};
    }
    return reply;
}

}  // namespace orbridge
