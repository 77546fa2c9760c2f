#pragma once

#include <string>
#include <variant>

#include "bridge/core/result.h"
#include "bridge/receive/fd.h"

namespace orbridge {

/// Not `Accepted`, which is what the store says of an event: two types of one name in one program are none.
struct AcceptedSocket {
    Fd socket;         ///< non-blocking
    std::string peer;  ///< IP address; `unix` over a unix socket
};

/// A listening stream socket, TCP or unix.
class Listener {
public:
    /// `host:port`, `[v6]:port`, port 0 is any free one; or `unix:<file>`, which anybody who reaches the file may
    /// connect to and which replaces a socket file left behind. Invalid: no such form. Unavailable: cannot be bound.
    static Result<Listener> open(const std::string& address);
    /// A socket that listens already, which somebody else may keep open beyond us. Takes `fd` over.
    static Result<Listener> adopt(int fd, bool kept_by_others);

    int fd() const { return socket_.get(); }
    /// As bound; stay so when closed. `unix:<file>` and port 0 for a unix socket.
    const std::string& address() const { return address_; }
    int port() const { return port_; }
    /// Whether connections that nobody accepts here will be accepted by the next process.
    bool kept_by_others() const { return kept_by_others_; }

    /// From then on connections are refused, or wait for the next process.
    void close() { socket_ = Fd(); }

    enum class None { Empty, OutOfResources };
    /// One waiting connection, or why there is none.
    std::variant<AcceptedSocket, None> accept();

private:
    static Result<Listener> from(Fd socket);
    Fd socket_;
    std::string address_;
    int port_ = 0;
    bool kept_by_others_ = false;
};

}  // namespace orbridge
