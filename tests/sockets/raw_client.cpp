#include "tests/sockets/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <charconv>
#include <stdexcept>

#include "bridge/core/text.h"

namespace orbridge::test {
namespace {

Received read_head(std::string_view head) {
    Received received;
    const auto lines = split(head, '\n');
    const auto status = lines.front().substr(0, 12);
    if (status.starts_with("HTTP/1.1 "))
        std::from_chars(status.data() + 9, status.data() + status.size(), received.status);
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const auto colon = lines[i].find(':');
        if (colon == std::string_view::npos) continue;
        received.headers.push_back(
            {std::string(lines[i].substr(0, colon)), std::string(trim(lines[i].substr(colon + 1)))});
    }
    return received;
}

}  // namespace

RawClient::RawClient(int port, int receive_buffer) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const timeval patience{20, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error("cannot connect");
}

bool RawClient::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

void RawClient::shut_write() { ::shutdown(socket_.get(), SHUT_WR); }

bool RawClient::fill() {
    char bytes[65536];
    const auto got = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    if (got > 0) {
        buffer_.append(bytes, static_cast<std::size_t>(got));
        return true;
    }
    end_ = got == 0 ? End::Closed : errno == EAGAIN ? End::TimedOut : End::Reset;
    return false;
}

Received RawClient::receive(bool head) {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
        if (!fill()) return {};
    auto received = read_head(std::string_view(buffer_).substr(0, end));
    buffer_.erase(0, end + 4);
    std::size_t length = 0;
    const auto text = received.header("Content-Length");
    std::from_chars(text.data(), text.data() + text.size(), length);
    if (head) return received;
    while (buffer_.size() < length)
        if (!fill()) return {};
    received.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return received;
}

std::vector<Received> RawClient::receive_all() {
    wait_for_end();
    std::vector<Received> all;
    while (!buffer_.empty()) {
        all.push_back(receive());
        if (all.back().status == 0) break;
    }
    return all;
}

RawClient::End RawClient::wait_for_end() {
    while (fill()) {
    }
    return end_;
}

bool RawClient::readable(std::chrono::milliseconds within) {
    pollfd event{socket_.get(), POLLIN, 0};
    return ::poll(&event, 1, static_cast<int>(within.count())) > 0;
}

std::string post(std::string_view path, std::string_view body, std::string_view fields) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string get(std::string_view path, std::string_view fields) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n";
}

}  // namespace orbridge::test
