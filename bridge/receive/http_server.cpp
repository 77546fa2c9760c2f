#include "bridge/receive/http_server.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "bridge/receive/error_answer.h"
#include "bridge/receive/handler_pool.h"
#include "bridge/receive/io_loop.h"

namespace orbridge {
namespace {

constexpr milliseconds kIdleThread{10'000};

/// As many as can work at once; two at least, so that one large request does not hold up all others.
int quick_threads() { return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 2, 8); }

Answer internal_error() {
    return error_answer(500, "internal", "The request failed for a reason that is our fault; the log has it");
}

/// How many requests wait for their answer. Nothing of it is touched once the last one has let go of the lock.
class Unanswered {
public:
    void add() {
        const std::lock_guard lock(mutex_);
        ++count_;
    }
    void remove() {
        const std::lock_guard lock(mutex_);
        if (--count_ == 0) none_.notify_all();
    }
    int count() const {
        const std::lock_guard lock(mutex_);
        return count_;
    }
    void wait_for_none() {
        std::unique_lock lock(mutex_);
        none_.wait(lock, [this] { return count_ == 0; });
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable none_;
    int count_ = 0;
};

/// One request that will be answered, come what may.
class Ticket {
public:
    Ticket(IoLoop& loop, ConnectionPtr connection, Unanswered& unanswered)
        : loop_(loop), connection_(std::move(connection)), unanswered_(unanswered) {
        unanswered_.add();
    }
    ~Ticket() {
        answer(internal_error());
        unanswered_.remove();
    }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

    void answer(const Answer& answer) {
        if (!answered_.exchange(true)) loop_.answer(connection_, answer);
    }

private:
    IoLoop& loop_;
    const ConnectionPtr connection_;
    Unanswered& unanswered_;
    std::atomic<bool> answered_{false};
};

void call(const LaterHandler& handler, const InboundRequest& request, const Respond& respond, Log& log) {
    const auto path = request.path;  // the request may be answered, and gone, when it fails
    try {
        return handler(request, respond);
    } catch (const std::exception& problem) {  // Poco's exceptions are of this kind too
        log.error("http.handler_failed", {{"path", path}, {"reason", problem.what()}});
    } catch (...) {
        log.error("http.handler_failed", {{"path", path}, {"reason", "unknown exception"}});
    }
    respond(internal_error());
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
    Parts(const HttpSettings& settings, Listener listener, LaterHandler handle, Log& journal, HttpOptions given)
        : handler(std::move(handle)),
          options(std::move(given)),
          log(journal),
          served_max(settings.threads_max + settings.queued_max),
          loop(settings, limits_of(settings, options), std::move(listener),
               {.serve = [this](const ConnectionPtr& connection) { return serve(connection); },
                .refuse = [this](const RequestHead& head,
                                 const Refusal& refusal) { return orbridge::refuse(options, head, refusal); }},
               journal),
          pool(settings.threads_max, settings.queued_max, kIdleThread),
          quick(quick_threads(), served_max, kIdleThread) {}

    bool serve(const ConnectionPtr& connection) {
        const bool is_quick = options.is_quick && options.is_quick(connection->request.request);
        if (is_quick && quick_unanswered.count() >= served_max) return false;
        return (is_quick ? quick : pool).submit([this, connection, is_quick] {
            // The connection is not touched by anybody else until it is answered.
            auto& among = is_quick ? quick_unanswered : unanswered;
            const auto ticket = std::make_shared<Ticket>(loop, connection, among);
            call(
                handler, connection->request.request, [ticket](const Answer& answer) { ticket->answer(answer); }, log);
        });
    }

    LaterHandler handler;
    HttpOptions options;
    Log& log;
    const int served_max;
    Unanswered unanswered;
    Unanswered quick_unanswered;  ///< counted apart: whoever waits for something long must not shut these out
    IoLoop loop;
    HandlerPool pool;   // after the loop: its jobs answer through it
    HandlerPool quick;  // the same, for what never blocks
};

HttpServer::HttpServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
HttpServer::~HttpServer() { stop(milliseconds{0}); }

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpSettings& settings, HttpHandler handler, Log& log,
                                                      HttpOptions options) {
    return start(settings,
                 LaterHandler([handler = std::move(handler)](const InboundRequest& request, const Respond& respond) {
                     respond(handler(request));
                 }),
                 log, std::move(options));
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpSettings& settings, LaterHandler handler, Log& log,
                                                      HttpOptions options) {
    auto listener = options.inherited_socket < 0 ? Listener::open(settings.listen)
                                                 : Listener::adopt(options.inherited_socket, options.socket_outlives);
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
    parts_->quick.stop();
    parts_->unanswered.wait_for_none();
    parts_->quick_unanswered.wait_for_none();
}

}  // namespace orbridge
