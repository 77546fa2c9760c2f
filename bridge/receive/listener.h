#pragma once

#include <memory>
#include <string>
#include <variant>

#include "bridge/core/result.h"
#include "bridge/receive/fd.h"

namespace orbridge {

struct Accepted {
    Fd socket;         ///< non-blocking
    std::string peer;  ///< IP address
};

/// A listening TCP socket.
class Listener {
public:
    /// `host:port`, `[v6]:port`; port 0 is any free one. Invalid: no such form. Unavailable: cannot be bound.
    static Result<Listener> open(const std::string& address);
    Listener(Listener&&) noexcept;
    Listener& operator=(Listener&&) noexcept;
    ~Listener();

    int fd() const;
    /// As bound; stay so when closed.
    const std::string& address() const { return address_; }
    int port() const { return port_; }

    /// Refuses connections from then on.
    void close();

    enum class None { Empty, OutOfResources };
    /// One waiting connection, or why there is none.
    std::variant<Accepted, None> accept();

private:
    struct Socket;
    explicit Listener(std::unique_ptr<Socket> socket);
    std::unique_ptr<Socket> socket_;
    std::string address_;
    int port_ = 0;
};

}  // namespace orbridge
