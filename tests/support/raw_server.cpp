#include "tests/support/raw_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "bridge/core/text.h"

namespace orbridge::test {
namespace {

int bound_socket(int& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (fd < 0 || ::bind(fd, any, length) != 0 || ::getsockname(fd, any, &length) != 0)
        throw std::runtime_error("no socket on 127.0.0.1");
    port = ntohs(address.sin_port);
    return fd;
}

std::size_t content_length(std::string_view head) {
    const auto at = to_lower(std::string(head)).find("content-length:");
    return at == std::string::npos ? 0 : std::stoul(std::string(head.substr(at + 15)));
}

}  // namespace

std::string RawConnection::read_request() {
    for (;;) {
        const auto end = buffer_.find("\r\n\r\n");
        if (end != std::string::npos) {
            const auto whole = end + 4 + content_length(std::string_view(buffer_).substr(0, end));
            if (buffer_.size() >= whole) {
                auto request = buffer_.substr(0, whole);
                buffer_.erase(0, whole);
                return request;
            }
        }
        std::array<char, 65536> bytes{};
        const auto count = ::recv(fd_, bytes.data(), bytes.size(), 0);
        if (count <= 0) return {};
        buffer_.append(bytes.data(), static_cast<std::size_t>(count));
    }
}

bool RawConnection::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

void RawConnection::wait_for_close() {
    std::array<char, 65536> bytes{};
    while (::recv(fd_, bytes.data(), bytes.size(), 0) > 0) {
    }
}

void RawConnection::close() {
    if (!reset_) ::shutdown(fd_, SHUT_RDWR);  // the descriptor itself is closed by the server
}

void RawConnection::reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    reset_ = true;
}

RawServer::RawServer(std::function<void(RawConnection&)> serve) : serve_(std::move(serve)) {
    listener_ = bound_socket(port_);
    if (::listen(listener_, 128) != 0) throw std::runtime_error("cannot listen");
    acceptor_ = std::jthread([this] { accept_all(); });
}

RawServer::~RawServer() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
        const std::lock_guard lock(mutex_);
        for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    threads_.clear();
    ::close(listener_);
}

std::string RawServer::url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
}

void RawServer::accept_all() {
    for (;;) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) return;
        ++connections_;
        const std::lock_guard lock(mutex_);
        open_.push_back(fd);
        threads_.emplace_back([this, fd] { serve_one(fd); });
    }
}

void RawServer::serve_one(int fd) {
    {
        RawConnection connection(fd);
        serve_(connection);
    }
    const std::lock_guard lock(mutex_);
    open_.erase(std::find(open_.begin(), open_.end(), fd));
    ::close(fd);
}

int closed_port() {
    int port = 0;
    ::close(bound_socket(port));
    return port;
}

}  // namespace orbridge::test
