/// Durable accepts per second through the real binary, beside two references measured in the same run:
/// the raw rate of fdatasync, and a minimal epoll server with raw SQLite group commit that parses nothing.
///     bench_ingest [rounds=3] [seconds=2] [connections=1 16 64 256]...
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "bridge/core/random.h"
#include "bridge/core/text.h"
#include "tests/bench/bridge.h"
#include "tests/bench/load.h"

namespace {

using namespace orbridge;
using namespace orbridge::bench;
namespace fs = std::filesystem;

/// The reference: one epoll thread reads whole requests, inserts what came in one go in one transaction, answers.
class Reference {
public:
    explicit Reference(const fs::path& folder) {
        sqlite3_open((folder / "reference.db").c_str(), &db_);
        for (const char* sql :
             {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
              "CREATE TABLE events(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, due INTEGER, body BLOB)",
              "CREATE INDEX by_due ON events(due, seq)"})
            sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
        sqlite3_prepare_v2(db_, "INSERT INTO events(id, due, body) VALUES(?, ?, ?)", -1, &insert_, nullptr);
        listen_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::bind(listen_, reinterpret_cast<sockaddr*>(&address), sizeof address);
        ::listen(listen_, 512);
        socklen_t size = sizeof address;
        getsockname(listen_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~Reference() {
        stop_ = true;
        thread_.join();
        sqlite3_finalize(insert_);
        sqlite3_close(db_);
        for (const auto& [s, text] : received_) ::close(s);
        ::close(listen_);
    }
    int port() const { return port_; }

private:
    void serve() {
        const int epoll = epoll_create1(EPOLL_CLOEXEC);
        epoll_event event{EPOLLIN, {.fd = listen_}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, listen_, &event);
        std::array<epoll_event, 512> ready{};
        while (!stop_) {
            const int count = epoll_wait(epoll, ready.data(), ready.size(), 50);
            std::vector<int> whole;
            for (int i = 0; i < count; ++i) {
                const int s = ready[static_cast<std::size_t>(i)].data.fd;
                if (s == listen_)
                    accept_all(epoll);
                else if (read_one(s))
                    whole.push_back(s);
            }
            if (!whole.empty()) commit(whole);
        }
        ::close(epoll);
    }
    void accept_all(int epoll) {
        for (int s = accept4(listen_, nullptr, nullptr, SOCK_CLOEXEC); s >= 0;
             s = accept4(listen_, nullptr, nullptr, SOCK_CLOEXEC)) {
            epoll_event event{EPOLLIN, {.fd = s}};
            epoll_ctl(epoll, EPOLL_CTL_ADD, s, &event);
            received_[s];
        }
    }
    bool read_one(int s) {
        std::array<char, 16384> buffer{};
        const auto got = ::recv(s, buffer.data(), buffer.size(), 0);
        if (got <= 0) {
            ::close(s);
            received_.erase(s);
            return false;
        }
        auto& text = received_[s];
        text.append(buffer.data(), static_cast<std::size_t>(got));
        const auto head = text.find("\r\n\r\n");
        if (head == std::string::npos) return false;
        const auto at = text.find("Content-Length: ");
        return text.size() >= head + 4 + static_cast<std::size_t>(std::atol(text.c_str() + at + 16));
    }
    void commit(const std::vector<int>& whole) {
        sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
        for (const int s : whole) {
            auto& text = received_[s];
            std::array<std::uint64_t, 2> id{++count_, random_.bits()};
            const auto body = text.find("\r\n\r\n") + 4;
            sqlite3_bind_blob(insert_, 1, id.data(), sizeof id, SQLITE_TRANSIENT);
            sqlite3_bind_int64(insert_, 2, static_cast<sqlite3_int64>(count_));
            sqlite3_bind_blob(insert_, 3, text.data() + body, static_cast<int>(text.size() - body), SQLITE_STATIC);
            sqlite3_step(insert_);
            sqlite3_reset(insert_);
        }
        sqlite3_exec(db_, "COMMIT", nullptr, nullptr, nullptr);
        constexpr std::string_view kAnswer = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";
        for (const int s : whole) {
            received_[s].clear();
            [[maybe_unused]] const auto sent = ::send(s, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
        }
    }

    sqlite3* db_ = nullptr;
    sqlite3_stmt* insert_ = nullptr;
    int listen_ = -1;
    int port_ = 0;
    std::map<int, std::string> received_;
    std::uint64_t count_ = 0;
    SeededRandom random_{1};
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 3;
    const std::chrono::seconds time{argc > 2 ? std::atoi(argv[2]) : 2};
    std::vector<int> numbers_of_connections{1, 16, 64, 256};
    if (argc > 3) numbers_of_connections.clear();
    for (int i = 3; i < argc; ++i) numbers_of_connections.push_back(std::atoi(argv[i]));
    const auto folder = bench_folder();
    Requests requests;
    const MakeRequest make = [&] { return requests.next(); };
    std::printf("raw fdatasync: %.0f/s\n", fsync_rate(folder));
    std::printf("%-12s %-11s %10s %9s %9s %12s\n", "connections", "server", "accepts/s", "p50 ms", "p99 ms",
                "CPU us each");
    {
        Reference reference(folder);
        Bridge daemon(folder, "targets: {}\nroutes: []\n");
        for (const int connections : numbers_of_connections) {
            std::map<std::string, std::array<std::vector<double>, 4>> figures;
            for (int round = 0; round < rounds; ++round) {
                const auto plain = run_load(reference.port(), connections, time, make);
                const auto cpu = daemon.cpu_seconds();
                const auto ours = run_load(daemon.port(), connections, time, make);
                const auto each =
                    (daemon.cpu_seconds() - cpu) * 1e6 / static_cast<double>(std::max<std::uint64_t>(ours.answered, 1));
                if (ours.refused + ours.broken > 0)
                    std::printf("  %llu refused, %llu broken\n", static_cast<unsigned long long>(ours.refused),
                                static_cast<unsigned long long>(ours.broken));
                for (const auto& [name, r, c] :
                     {std::tuple{"reference", plain, 0.0}, std::tuple{"orbridge", ours, each}}) {
                    auto& f = figures[name];
                    f[0].push_back(r.per_second);
                    f[1].push_back(r.p50_ms);
                    f[2].push_back(r.p99_ms);
                    f[3].push_back(c);
                }
            }
            for (const char* name : {"reference", "orbridge"}) {
                const auto& f = figures[name];
                std::printf("%-12d %-11s %10.0f %9.2f %9.2f", connections, name, median(f[0]), median(f[1]),
                            median(f[2]));
                if (std::string(name) == "orbridge")
                    std::printf(" %12.1f   ratio %.2f", median(f[3]), median(f[0]) / median(figures["reference"][0]));
                std::printf("\n");
            }
        }
    }
    fs::remove_all(folder);
}
