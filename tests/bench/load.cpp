#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>

namespace orbridge::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Connection {
    int socket = -1;
    std::string request;
    std::size_t sent = 0;
    std::string answer;
    Clock::time_point since;
};

int connect_to(int port) {
    const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(s, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        ::close(s);
        return -1;
    }
    return s;
}

/// Length of the whole answer once its head is there; 0 before.
std::size_t whole_length(std::string_view answer) {
    const auto head = answer.find("\r\n\r\n");
    if (head == std::string_view::npos) return 0;
    std::size_t length = 0;
    for (const std::string_view name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
        const auto at = answer.find(name);
        if (at == std::string_view::npos || at > head) continue;
        std::from_chars(answer.data() + at + name.size(), answer.data() + head, length);
    }
    return head + 4 + length;
}

class Load {
public:
    Load(int port, int connections, const MakeRequest& make) : make_(make), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
        all_.resize(static_cast<std::size_t>(connections));
        for (std::size_t i = 0; i < all_.size(); ++i) {
            all_[i].socket = connect_to(port);
            epoll_event event{EPOLLIN, {.u64 = i}};
            if (all_[i].socket >= 0) epoll_ctl(epoll_, EPOLL_CTL_ADD, all_[i].socket, &event);
        }
    }
    ~Load() {
        for (auto& c : all_)
            if (c.socket >= 0) ::close(c.socket);
        ::close(epoll_);
    }

    LoadResult run(std::chrono::milliseconds time) {
        const auto start = Clock::now();
        end_ = start + time;
        for (auto& c : all_) send_next(c);
        std::array<epoll_event, 256> ready{};
        // A second of grace for answers that are still on their way.
        while (open_ > 0 && Clock::now() < end_ + std::chrono::seconds{1}) {
            const int count = epoll_wait(epoll_, ready.data(), ready.size(), 100);
            for (int i = 0; i < count; ++i) receive(all_[ready[static_cast<std::size_t>(i)].data.u64]);
        }
        result_.seconds = std::chrono::duration<double>(last_ - start).count();
        return finish();
    }

private:
    void send_next(Connection& c) {
        if (c.socket < 0 || Clock::now() >= end_) return;
        c.request = make_();
        c.answer.clear();
        c.since = Clock::now();
        ++open_;
        // Requests of a few KiB fit the socket buffer, so one blocking send does.
        if (::send(c.socket, c.request.data(), c.request.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(c.request.size()))
            broken(c);
    }

    void receive(Connection& c) {
        std::array<char, 4096> buffer{};
        const auto got = ::recv(c.socket, buffer.data(), buffer.size(), 0);
        if (got <= 0) return broken(c);
        c.answer.append(buffer.data(), static_cast<std::size_t>(got));
        const auto length = whole_length(c.answer);
        if (length == 0 || c.answer.size() < length) return;
        last_ = Clock::now();
        latencies_.push_back(std::chrono::duration<double, std::milli>(last_ - c.since).count());
        const bool fine = c.answer.compare(0, 10, "HTTP/1.1 2") == 0;
        ++(fine ? result_.answered : result_.refused);
        --open_;
        send_next(c);
    }

    void broken(Connection& c) {
        ++result_.broken;
        --open_;
        ::close(c.socket);
        c.socket = -1;
    }

    LoadResult finish() {
        std::sort(latencies_.begin(), latencies_.end());
        if (!latencies_.empty()) {
            result_.p50_ms = latencies_[latencies_.size() / 2];
            result_.p99_ms = latencies_[latencies_.size() * 99 / 100];
        }
        result_.per_second = result_.seconds > 0 ? static_cast<double>(result_.answered) / result_.seconds : 0;
        return result_;
    }

    const MakeRequest& make_;
    int epoll_;
    std::vector<Connection> all_;
    std::vector<double> latencies_;
    Clock::time_point end_, last_;
    int open_ = 0;
    LoadResult result_;
};

}  // namespace

LoadResult run_load(int port, int connections, std::chrono::milliseconds time, const MakeRequest& make) {
    return Load(port, connections, make).run(time);
}

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

}  // namespace orbridge::bench
