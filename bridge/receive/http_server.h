#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "bridge/core/clock.h"
#include "bridge/core/http.h"
#include "bridge/core/log.h"
#include "bridge/core/result.h"
#include "bridge/receive/request_head.h"
#include "bridge/receive/respond.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// Called on a pool thread, for requests that were read whole. May block. Exceptions become 500 answers.
using HttpHandler = std::function<Answer(const InboundRequest&)>;
/// The same, but it may answer after it has returned. The request stays as it is until then.
using LaterHandler = std::function<void(const InboundRequest&, Respond)>;

/// What differs from one path to another. The functions are called on the I/O thread, which serves all connections:
/// they must be quick. Any may be empty.
struct HttpOptions {
    /// How large the body of this request may be; `head` has all but the body.
    std::function<std::size_t(const InboundRequest& head)> body_bytes_max{};
    /// What a refused request is told, where the usual error body will not do; `head` is as far as it was
    /// read, perhaps empty. The connection is closed behind it.
    std::function<Answer(const InboundRequest& head, const Refusal&)> refusal_answer{};
    /// Whether serving this request never blocks: it is then served by one of few threads that do nothing else, which
    /// saves handing each request to a thread of its own. Called on the I/O thread.
    std::function<bool(const InboundRequest& head)> is_quick{};
    /// A socket that listens already, instead of `listen`: taken over. -1: none.
    int inherited_socket = -1;
    /// Whether somebody else keeps it open, so that at the end its waiting connections are left to the next process.
    bool socket_outlives = true;
};

/// HTTP/1.1 for the requests of known senders: strict about where a request ends, patient with slow clients
/// (they cost a socket, not a thread), honest when it refuses. See docs/decisions/0002-http-server.md.
class HttpServer {
public:
    /// Serves from then on. `log` must outlive the server. Invalid: `listen` has no such form.
    /// Unavailable: the address cannot be bound.
    static Result<std::unique_ptr<HttpServer>> start(const HttpSettings& settings, LaterHandler handler, Log& log,
                                                     HttpOptions options = {});
    static Result<std::unique_ptr<HttpServer>> start(const HttpSettings& settings, HttpHandler handler, Log& log,
                                                     HttpOptions options = {});
    /// stop(0ms)
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// `127.0.0.1:8080` or `unix:<file>`, as bound.
    std::string address() const;
    int port() const;

    /// Accepts nothing new and lets requests in progress finish; after the limit their connections are closed.
    /// Returns when no handler runs any more and all requests are answered, however long that takes. Not from a
    /// handler. May be repeated.
    void stop(milliseconds finish_within);

private:
    struct Parts;
    explicit HttpServer(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace orbridge
