#include "bridge/receive/listener.h"

#include <Poco/Exception.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/SocketAddress.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace orbridge {
namespace {

constexpr int kBacklog = 1024;

/// An IPv4 client of a dual-stack socket is shown as IPv4.
std::string host_of(const sockaddr_storage& address, socklen_t length) {
    const Poco::Net::SocketAddress peer(reinterpret_cast<const sockaddr*>(&address), length);
    auto host = peer.host().toString();
    constexpr std::string_view kMapped = "::ffff:";
    if (host.starts_with(kMapped) && host.find('.') != std::string::npos) host.erase(0, kMapped.size());
    return host;
}

}  // namespace

struct Listener::Socket {
    Poco::Net::ServerSocket server{};
};

Listener::Listener(std::unique_ptr<Socket> socket) : socket_(std::move(socket)) {}
Listener::Listener(Listener&&) noexcept = default;
Listener& Listener::operator=(Listener&&) noexcept = default;
Listener::~Listener() = default;

Result<Listener> Listener::open(const std::string& address) {
    Poco::Net::SocketAddress parsed;
    try {
        parsed = Poco::Net::SocketAddress(address.starts_with(':') ? "0.0.0.0" + address : address);
    } catch (const Poco::Exception& problem) {
        return Error{Error::Kind::Invalid, "listen " + address + ": " + problem.displayText()};
    }
    try {
        auto socket = std::make_unique<Socket>();
        // Not the two-argument bind: it sets SO_REUSEPORT too, and a second daemon would share the port unnoticed.
        socket->server.bind(parsed, true, false);
        socket->server.listen(kBacklog);
        socket->server.setBlocking(false);
        ::fcntl(socket->server.impl()->sockfd(), F_SETFD, FD_CLOEXEC);
        Listener listener(std::move(socket));
        listener.address_ = listener.socket_->server.address().toString();
        listener.port_ = listener.socket_->server.address().port();
        return listener;
    } catch (const Poco::Exception& problem) {
        return Error{Error::Kind::Unavailable, "listen " + address + ": " + problem.displayText()};
    }
}

int Listener::fd() const { return socket_->server.impl()->sockfd(); }
void Listener::close() { socket_->server.close(); }

std::variant<Accepted, Listener::None> Listener::accept() {
    for (;;) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        Fd socket(::accept4(fd(), reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (socket) {
            const int on = 1;
            ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return Accepted{std::move(socket), host_of(address, length)};
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) return None::Empty;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return None::OutOfResources;
        // Anything else is about the one connection that was lost while it waited.
    }
}

}  // namespace orbridge
