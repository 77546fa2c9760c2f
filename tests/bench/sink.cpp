#include "tests/bench/sink.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace orbridge::bench {
namespace {

std::size_t content_length(std::string_view head) {
    const auto at = head.find("Content-Length: ");
    return at == std::string_view::npos ? 0 : static_cast<std::size_t>(std::atol(head.data() + at + 16));
}

}  // namespace

Sink::Sink()
    : listen_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listen_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listen_, 4096);
    socklen_t size = sizeof address;
    getsockname(listen_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    epoll_event event{EPOLLIN, {.fd = listen_}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, listen_, &event);
    thread_ = std::thread([this] { serve(); });
}

Sink::~Sink() {
    stop_ = true;
    thread_.join();
    for (const auto& [socket, connection] : connections_) ::close(socket);
    ::close(listen_);
    ::close(epoll_);
}

void Sink::when_arrived(std::function<void(std::string_view, std::string_view)> tell) {
    const std::lock_guard lock(mutex_);
    tell_ = std::move(tell);
}

std::uint64_t Sink::arrived_at(const std::string& path_part) const {
    const std::lock_guard lock(mutex_);
    const auto found = by_path_.find(path_part);
    return found == by_path_.end() ? 0 : found->second;
}

void Sink::serve() {
    std::array<epoll_event, 512> ready{};
    while (!stop_) {
        const int count = epoll_wait(epoll_, ready.data(), ready.size(), 50);
        for (int i = 0; i < count; ++i) {
            const int socket = ready.at(static_cast<std::size_t>(i)).data.fd;
            if (socket == listen_) {
                accept_all();
            } else {
                receive(socket);
            }
        }
    }
}

void Sink::accept_all() {
    for (int s = accept4(listen_, nullptr, nullptr, SOCK_CLOEXEC); s >= 0;
         s = accept4(listen_, nullptr, nullptr, SOCK_CLOEXEC)) {
        const int on = 1;
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_event event{EPOLLIN, {.fd = s}};
        epoll_ctl(epoll_, EPOLL_CTL_ADD, s, &event);
        connections_[s];
    }
}

void Sink::receive(int socket) {
    std::array<char, 65536> buffer{};
    const auto got = ::recv(socket, buffer.data(), buffer.size(), 0);
    auto& connection = connections_[socket];
    if (got <= 0) {
        if (connection.hung) --hanging_;
        ::close(socket);
        connections_.erase(socket);
        return;
    }
    connection.in.append(buffer.data(), static_cast<std::size_t>(got));
    while (answer_one(socket, connection)) {
    }
}

bool Sink::answer_one(int socket, Connection& connection) {
    const std::string_view in = connection.in;
    const auto head = in.find("\r\n\r\n");
    if (head == std::string_view::npos) return false;
    const auto length = head + 4 + content_length(in.substr(0, head));
    if (in.size() < length || connection.hung) return false;
    const auto path = in.substr(5, in.find(' ', 5) - 5);
    if (path.find("/hang") != std::string_view::npos) {
        connection.hung = true;
        ++hanging_;
        return false;
    }
    const auto job = path.substr(path.find("job_id=") + 7, 36);
    const auto answer =
        "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: 36\r\n\r\n" + std::string(job);
    [[maybe_unused]] const auto sent = ::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
    {
        const std::lock_guard lock(mutex_);
        if (tell_) tell_(path, in.substr(head + 4, length - head - 4));
        ++by_path_[std::string(path.substr(0, path.find('?')))];
    }
    ++arrived_;
    connection.in.erase(0, length);
    return !connection.in.empty();
}

}  // namespace orbridge::bench
