#include "bridge/receive/http_server.h"

#include <exception>
#include <utility>

#include "bridge/receive/error_answer.h"
#include "bridge/receive/handler_pool.h"
#include "bridge/receive/io_loop.h"

namespace orbridge {
namespace {

constexpr milliseconds kIdleThread{10'000};

Answer call(const HttpHandler& handler, const InboundRequest& request, Log& log) {
    try {
        return handler(request);
    } catch (const std::exception& problem) {  // Poco's exceptions are of this kind too
        log.error("http.handler_failed", {{"path", request.path}, {"reason", problem.what()}});
    } catch (...) {
        log.error("http.handler_failed", {{"path", request.path}, {"reason", "unknown exception"}});
    }
    return error_answer(500, "internal", "The request failed for a reason that is our fault; the log has it");
}

Answer refuse(const HttpOptions& options, const RequestHead& head, const Refusal& refusal) {
    if (options.refusal_answer) {
        try {
            return options.refusal_answer(head.request, refusal);
        } catch (...) {  // the client still has to be told something
        }
    }
    return error_answer(refusal.status, refusal.code, refusal.message, refusal.field);
}

RequestLimits limits_of(const HttpSettings& settings, const HttpOptions& options) {
    RequestLimits limits;
    limits.header_bytes_max = settings.header_bytes_max;
    limits.body_bytes_max = settings.body_bytes_max;
    limits.body_bytes_max_of = options.body_bytes_max;
    return limits;
}

}  // namespace

struct HttpServer::Parts {
    Parts(const HttpSettings& settings, Listener listener, HttpHandler handle, Log& journal, HttpOptions given)
        : handler(std::move(handle)),
          options(std::move(given)),
          log(journal),
          loop(settings, limits_of(settings, options), std::move(listener),
               {.serve = [this](const ConnectionPtr& connection) { return serve(connection); },
                .refuse = [this](const RequestHead& head,
                                 const Refusal& refusal) { return orbridge::refuse(options, head, refusal); }},
               journal),
          pool(settings.threads_max, settings.queued_max, kIdleThread) {}

    bool serve(const ConnectionPtr& connection) {
        return pool.submit([this, connection] {
            // The connection is not touched by anybody else until it is answered.
            loop.answer(connection, call(handler, connection->request.request, log));
        });
    }

    HttpHandler handler;
    HttpOptions options;
    Log& log;
    IoLoop loop;
    HandlerPool pool;  // after the loop: its jobs answer through it
};

HttpServer::HttpServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
HttpServer::~HttpServer() { stop(milliseconds{0}); }

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpSettings& settings, HttpHandler handler, Log& log,
                                                      HttpOptions options) {
    auto listener =
        options.inherited_socket < 0 ? Listener::open(settings.listen) : Listener::adopt(options.inherited_socket);
    if (!listener) return listener.error();
    auto parts =
        std::make_unique<Parts>(settings, std::move(listener).value(), std::move(handler), log, std::move(options));
    if (const auto started = parts->loop.start(); !started) return started.error();
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(parts)));
}

std::string HttpServer::address() const { return parts_->loop.address(); }
int HttpServer::port() const { return parts_->loop.port(); }

void HttpServer::stop(milliseconds finish_within) {
    parts_->loop.stop(finish_within);
    parts_->pool.stop();
}

}  // namespace orbridge
