#include "bridge/receive/listener.h"

#include <Poco/Exception.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/SocketAddress.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace orbridge {
namespace {

constexpr int kBacklog = 1024;
constexpr std::string_view kUnix = "unix:";
constexpr mode_t kUnixMode = 0666;  // who may reach it is decided by the folder

Error unavailable(const std::string& address, const std::string& why) {
    return {Error::Kind::Unavailable, "listen " + address + ": " + why};
}

std::string last_error() { return std::generic_category().message(errno); }

/// An IPv4 client of a dual-stack socket is shown as IPv4.
std::string host_of(const sockaddr_storage& address, socklen_t length) {
    if (address.ss_family == AF_UNIX) return "unix";
    const Poco::Net::SocketAddress peer(reinterpret_cast<const sockaddr*>(&address), length);
    auto host = peer.host().toString();
    constexpr std::string_view kMapped = "::ffff:";
    if (host.starts_with(kMapped) && host.find('.') != std::string::npos) host.erase(0, kMapped.size());
    return host;
}

Result<Fd> bind_tcp(const std::string& address) {
    Poco::Net::SocketAddress parsed;
    try {
        parsed = Poco::Net::SocketAddress(address.starts_with(':') ? "0.0.0.0" + address : address);
    } catch (const Poco::Exception& problem) {
        return Error{Error::Kind::Invalid, "listen " + address + ": " + problem.displayText()};
    }
    try {
        Poco::Net::ServerSocket server;
        // Not the two-argument bind: it sets SO_REUSEPORT too, and a second daemon would share the port unnoticed.
        server.bind(parsed, true, false);
        server.listen(kBacklog);
        return Fd(::fcntl(server.impl()->sockfd(), F_DUPFD_CLOEXEC, 0));
    } catch (const Poco::Exception& problem) {
        return unavailable(address, problem.displayText());
    }
}

/// A socket file that an earlier process left behind; never anything else, and never one that is listened to.
bool left_behind(const sockaddr_un& name) {
    struct stat found {};
    if (::lstat(name.sun_path, &found) != 0 || !S_ISSOCK(found.st_mode)) return false;
    const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 && errno == ECONNREFUSED;
}

Result<Fd> bind_unix(const std::string& address) {
    const auto file = address.substr(kUnix.size());
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (file.empty() || file.size() >= sizeof name.sun_path) {
        return Error{Error::Kind::Invalid, "listen " + address + ": expected the name of a file, shorter than " +
                                               std::to_string(sizeof name.sun_path) + " bytes"};
    }
    std::memcpy(name.sun_path, file.data(), file.size());
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) return unavailable(address, last_error());
    if (left_behind(name)) ::unlink(name.sun_path);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 ||
        ::chmod(name.sun_path, kUnixMode) != 0 || ::listen(socket.get(), kBacklog) != 0)
        return unavailable(address, last_error());
    return socket;
}

}  // namespace

Result<Listener> Listener::open(const std::string& address) {
    auto socket = address.starts_with(kUnix) ? bind_unix(address) : bind_tcp(address);
    if (!socket) return socket.error();
    return from(std::move(*socket));
}

Result<Listener> Listener::adopt(int fd, bool kept_by_others) {
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    auto listener = from(Fd(fd));
    if (listener) listener->kept_by_others_ = kept_by_others;
    return listener;
}

Result<Listener> Listener::from(Fd socket) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    const int flags = ::fcntl(socket.get(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
        return unavailable("socket", last_error());
    Listener listener;
    if (address.ss_family == AF_UNIX) {
        listener.address_ = std::string(kUnix) + reinterpret_cast<const sockaddr_un*>(&address)->sun_path;
    } else {
        const Poco::Net::SocketAddress bound(reinterpret_cast<const sockaddr*>(&address), length);
        listener.address_ = bound.toString();
        listener.port_ = bound.port();
    }
    listener.socket_ = std::move(socket);
    return listener;
}

std::variant<AcceptedSocket, Listener::None> Listener::accept() {
    for (;;) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        Fd socket(::accept4(fd(), reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (socket) {
            const int on = 1;
            if (address.ss_family != AF_UNIX) ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return AcceptedSocket{std::move(socket), host_of(address, length)};
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) return None::Empty;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return None::OutOfResources;
        // Anything else is about the one connection that was lost while it waited.
    }
}

}  // namespace orbridge
