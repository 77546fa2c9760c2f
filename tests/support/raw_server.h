#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace orbridge::test {

/// One accepted connection, read and written byte by byte as a test wants it.
class RawConnection {
public:
    explicit RawConnection(int fd) : fd_(fd) {}
    RawConnection(const RawConnection&) = delete;
    RawConnection& operator=(const RawConnection&) = delete;
    ~RawConnection() { close(); }

    /// A whole request, as its Content-Length says; empty when the other side has gone.
    std::string read_request();
    /// False when the other side has gone.
    bool send(std::string_view bytes);
    /// Waits until the other side closes; what it still sends is thrown away.
    void wait_for_close();
    void close();
    /// At its end the connection is closed with RST instead of FIN.
    void reset();

private:
    int fd_;
    bool reset_ = false;
    std::string buffer_;
};

/// Serves each connection on 127.0.0.1 with the given function, in a thread of its own.
class RawServer {
public:
    explicit RawServer(std::function<void(RawConnection&)> serve);
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;
    /// Shuts every connection, so that functions that wait return.
    ~RawServer();

    std::string url(std::string_view path = "/") const;
    int connections() const { return connections_; }

private:
    void accept_all();
    void serve_one(int fd);

    std::function<void(RawConnection&)> serve_;
    int listener_ = -1;
    int port_ = 0;
    std::atomic<int> connections_{0};
    std::mutex mutex_;
    std::vector<int> open_;
    std::vector<std::jthread> threads_;
    std::jthread acceptor_;
};

/// A port of 127.0.0.1 that nobody listens on.
int closed_port();

}  // namespace orbridge::test
