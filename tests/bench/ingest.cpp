/// Durable accepts per second through the real binary, beside two references measured in the same run:
/// the raw rate of fdatasync, and a minimal epoll server with raw SQLite group commit that parses nothing.
///     bench_ingest [rounds=3] [seconds=2]
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
#include "tests/bench/load.h"

extern char** environ;

namespace {

using namespace orbridge;
using namespace orbridge::bench;
namespace fs = std::filesystem;

constexpr std::string_view kSecret = "bench-secret";

/// A captured create whose uuid is a new one each time, signed.
class Requests {
public:
    explicit Requests(std::string body) : body_(std::move(body)) {
        for (auto at = body_.find(kUuid); at != std::string::npos; at = body_.find(kUuid, at + 1))
            places_.push_back(at);
    }
    std::string next() {
        std::array<char, 40> uuid{};
        const auto a = random_.bits();
        const auto b = random_.bits();
        std::snprintf(uuid.data(), uuid.size(), "%08llx-%04llx-4%03llx-8%03llx-%012llx",
                      static_cast<unsigned long long>(a >> 32), static_cast<unsigned long long>((a >> 16) & 0xffff),
                      static_cast<unsigned long long>(a & 0xfff), static_cast<unsigned long long>((b >> 48) & 0xfff),
                      static_cast<unsigned long long>(b & 0xffffffffffff));
        for (const auto place : places_) body_.replace(place, kUuid.size(), uuid.data());
        return "POST /ingest/bench HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
               "application/json\r\nX-Webhook-Signature: " +
               to_hex(hmac_sha256(kSecret, body_)) + "\r\nContent-Length: " + std::to_string(body_.size()) +
               "\r\n\r\n" + body_;
    }

private:
    static constexpr std::string_view kUuid = "9b2d3c1a-6f64-4a7e-8a39-2d9d1f0e0101";
    std::string body_;
    std::vector<std::size_t> places_;
    SeededRandom random_{static_cast<std::uint64_t>(getpid())};
};

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

/// The real binary with one source and, if wanted, one target that is never reached within the run.
class Daemon {
public:
    Daemon(const fs::path& folder, const std::string& binary) : folder_(folder) {
        std::ofstream(folder / "orbridge.yaml")
            << "listen: 127.0.0.1:0\nstore: sqlite:" << (folder / "orbridge.db").string()
            << "\nmappings: [" ORBRIDGE_ROOT
            << "/mappings/openregister.yaml]\nsources:\n  bench: {type: openregister, register: off, secret: "
            << kSecret << "}\ntargets: {}\nroutes: []\nlog: {level: error}\n";
        const auto config = (folder / "orbridge.yaml").string();
        const auto port_file = (folder / "port").string();
        std::array<const char*, 7> arguments{binary.c_str(), "serve",           "--config", config.c_str(),
                                             "--port-file",  port_file.c_str(), nullptr};
        if (posix_spawn(&pid_, binary.c_str(), nullptr, nullptr, const_cast<char**>(arguments.data()), environ) != 0)
            std::exit(1);
        while (port_ == 0) {
            std::ifstream(port_file) >> port_;
            if (waitpid(pid_, nullptr, WNOHANG) == pid_) std::exit((std::fprintf(stderr, "the binary ended\n"), 1));
        }
    }
    ~Daemon() {
        ::kill(pid_, SIGTERM);
        waitpid(pid_, nullptr, 0);
    }
    int port() const { return port_; }
    /// User and system time so far, in seconds.
    double cpu() const {
        std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
        std::string text((std::istreambuf_iterator<char>(stat)), {});
        std::istringstream fields(text.substr(text.rfind(')') + 2));
        std::string skip;
        long user = 0, system = 0;
        for (int i = 0; i < 11; ++i) fields >> skip;
        fields >> user >> system;
        return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
    }

private:
    fs::path folder_;
    pid_t pid_ = 0;
    int port_ = 0;
};

double fsync_rate(const fs::path& folder) {
    const int file = ::open((folder / "fsync").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    const std::string block(4096, 'x');
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{1};
    int count = 0;
    for (; std::chrono::steady_clock::now() < end; ++count)
        if (::write(file, block.data(), block.size()) < 0 || fdatasync(file) != 0) break;
    ::close(file);
    return count;
}

std::string captured_body() {
    std::ifstream file(ORBRIDGE_TEST_DATA "/openregister/captures/ObjectCreatedEvent.standard.http", std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), {});
    return text.substr(text.find("\r\n\r\n") + 4);
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 3;
    const std::chrono::seconds time{argc > 2 ? std::atoi(argv[2]) : 2};
    const char* named = std::getenv("ORBRIDGE_BINARY");
    const std::string binary = named != nullptr ? named : ORBRIDGE_ROOT "/build/release/orbridge";
    const auto folder = fs::temp_directory_path() / ("orbridge-bench-" + std::to_string(getpid()));
    fs::create_directories(folder);
    Requests requests(captured_body());
    const MakeRequest make = [&] { return requests.next(); };
    std::printf("raw fdatasync: %.0f/s\n", fsync_rate(folder));
    std::printf("%-12s %-11s %10s %9s %9s %12s\n", "connections", "server", "accepts/s", "p50 ms", "p99 ms",
                "CPU us each");
    {
        Reference reference(folder);
        Daemon daemon(folder, binary);
        for (const int connections : {1, 16, 64, 256}) {
            std::map<std::string, std::array<std::vector<double>, 4>> figures;
            for (int round = 0; round < rounds; ++round) {
                const auto plain = run_load(reference.port(), connections, time, make);
                const auto cpu = daemon.cpu();
                const auto ours = run_load(daemon.port(), connections, time, make);
                const auto each =
                    (daemon.cpu() - cpu) * 1e6 / static_cast<double>(std::max<std::uint64_t>(ours.answered, 1));
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
