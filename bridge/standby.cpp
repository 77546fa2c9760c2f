#include "bridge/standby.h"

#include <fcntl.h>

#include <utility>

#include "bridge/core/json.h"
#include "bridge/receive/error_answer.h"

namespace orbridge {
namespace {

constexpr auto kWaits = "this bridge stands by: another process has the store";

std::string told(const StoreHolder& holder) {
    std::string text = kWaits;
    if (holder.host.empty()) return text;
    return text.append(" (pid ").append(std::to_string(holder.pid)).append(" on ").append(holder.host).append(")");
}

/// In whole seconds, as HTTP has it.
Headers retry_after(milliseconds poll) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(poll).count();
    return {{"Retry-After", std::to_string(seconds)}};
}

/// The shape of an active bridge's readiness, so that one reader does for both.
Answer not_ready(const StoreHolder& holder, milliseconds poll) {
    JsonWriter json;
    json.object().member("ready", false).member("standby", true);
    if (!holder.host.empty()) json.key("holder").object().member("host", holder.host).member("pid", holder.pid).end();
    json.key("checks").object().key("store").object().member("ok", false).member("detail", told(holder));
    json.end().end().end();
    return {.status = 503, .body = std::move(json).text(), .headers = retry_after(poll)};
}

Answer metrics() {
    return {.status = 200,
            .body =
                "# HELP orbridge_standby 1: waits for the store that another bridge has; 0: works\n"
                "# TYPE orbridge_standby gauge\norbridge_standby 1\n",
            .content_type = "text/plain; version=0.0.4"};
}

}  // namespace

Answer standby_answer(const InboundRequest& request, const StoreHolder& holder, milliseconds poll) {
    const bool reads = request.method == "GET" || request.method == "HEAD";
    if (reads && request.path == "/healthz") return {.status = 200, .body = R"({"alive":true})"};
    if (reads && request.path == "/readyz") return not_ready(holder, poll);
    if (reads && request.path == "/metrics") return metrics();
    return error_answer(503, "standby", told(holder), {}, retry_after(poll));
}

Standby::Standby(Listener listener, std::string store, milliseconds poll, Log& log)
    : listener_(std::move(listener)), store_(std::move(store)), poll_(poll), log_(log) {}

Result<std::unique_ptr<Standby>> Standby::start(const Settings& settings, Log& log, int inherited_socket) {
    auto listener =
        inherited_socket < 0 ? Listener::open(settings.http.listen) : Listener::adopt(inherited_socket, true);
    if (!listener) return listener.error();
    std::unique_ptr<Standby> standby(
        new Standby(*std::move(listener), settings.store.path, settings.standby.poll, log));
    if (auto listens = standby->listen(settings.http); !listens) return listens.error();
    return standby;
}

Status Standby::listen(const HttpSettings& settings) {
    auto twin = socket();
    if (!twin) return Error{Error::Kind::Unavailable, "listen " + address() + ": too many open files"};
    HttpOptions options;
    options.inherited_socket = twin.release();
    auto server = HttpServer::start(settings, HttpHandler([this](const InboundRequest& request) {
                                        const auto holder =
                                            holder_.with([](const StoreHolder& current) { return current; });
                                        return standby_answer(request, holder, poll_);
                                    }),
                                    log_, std::move(options));
    if (!server) return server.error();
    server_ = *std::move(server);
    return Ok{};
}

bool Standby::store_is_free() {
    const auto found = FileLock::holder(store_);
    if (!found) return true;
    const bool news = holder_.with([&](StoreHolder& known) { return std::exchange(known, *found) != *found; });
    const bool first = !std::exchange(told_, true);  // even of a holder that does not say who it is
    if (news || first) {
        log_.info("bridge.standing_by",
                  {{"address", address()}, {"holder", found->host}, {"holder_pid", found->pid}, {"store", store_}});
    }
    return false;
}

Fd Standby::socket() const { return Fd(::fcntl(listener_.fd(), F_DUPFD_CLOEXEC, 0)); }

}  // namespace orbridge
