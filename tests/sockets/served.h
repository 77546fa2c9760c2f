#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "bridge/core/guarded.h"
#include "bridge/receive/http_server.h"
#include "tests/sockets/raw_client.h"

namespace orbridge::test {

inline HttpSettings local_settings() {
    HttpSettings settings;
    settings.listen = "127.0.0.1:0";
    return settings;
}

/// A server on a free port that notes what reaches its handler.
class Served {
public:
    explicit Served(const HttpSettings& settings = local_settings(), HttpHandler handler = {}, HttpOptions options = {},
                    Log::Sink sink = to_nowhere())
        : log_(clock_, Log::Level::Info, std::move(sink)), handler_(std::move(handler)) {
        auto started = HttpServer::start(
            settings, [this](const InboundRequest& request) { return handle(request); }, log_, std::move(options));
        if (!started) throw std::runtime_error(started.error().message);
        server_ = std::move(started).value();
    }

    /// Whose handler answers by itself.
    Served(LaterHandler handler, const HttpSettings& settings, HttpOptions options)
        : log_(clock_, Log::Level::Info, to_nowhere()) {
        auto started = HttpServer::start(settings, std::move(handler), log_, std::move(options));
        if (!started) throw std::runtime_error(started.error().message);
        server_ = std::move(started).value();
    }

    HttpServer& server() { return *server_; }
    RawClient connect() { return RawClient(server_->port()); }
    /// Method, path and body of each request since the last call.
    std::vector<std::string> take_requests() {
        return requests_.with([](auto& requests) { return std::exchange(requests, {}); });
    }

private:
    Answer handle(const InboundRequest& request) {
        requests_.with([&](auto& requests) {
            requests.push_back(request.method + " " + request.path + (request.body.empty() ? "" : " " + request.body));
        });
        if (handler_) return handler_(request);
        return Answer{.status = request.method == "POST" ? 202 : 200, .body = request.path};
    }

    SystemClock clock_;
    Log log_;
    HttpHandler handler_;
    Guarded<std::vector<std::string>> requests_;
    std::unique_ptr<HttpServer> server_;
};

/// A door that handlers wait at until it is opened.
class Gate {
public:
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    /// Comes to the door and goes away again.
    void arrive() {
        const std::lock_guard lock(mutex_);
        ++waiting_;
        changed_.notify_all();
    }
    void pass() {
        arrive();
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return open_; });
    }
    void wait_until_waiting(int count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return waiting_ >= count; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int waiting_ = 0;
    bool open_ = false;
};

}  // namespace orbridge::test
