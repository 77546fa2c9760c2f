#include "tests/bench/bridge.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "bridge/core/text.h"

extern char** environ;

namespace orbridge::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kSecret = "bench-secret";
constexpr std::string_view kUuid = "9b2d3c1a-6f64-4a7e-8a39-2d9d1f0e0101";

std::string whole_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string binary() {
    const char* named = std::getenv("ORBRIDGE_BINARY");
    return named != nullptr ? named : ORBRIDGE_ROOT "/build/release/orbridge";
}

}  // namespace

fs::path bench_folder() {
    auto folder = fs::temp_directory_path() / ("orbridge-bench-" + std::to_string(getpid()));
    fs::create_directories(folder);
    return folder;
}

Requests::Requests(const std::string& capture) : random_(static_cast<std::uint64_t>(getpid())) {
    body_ = whole_file(ORBRIDGE_TEST_DATA "/openregister/captures/" + capture);
    body_.erase(0, body_.find("\r\n\r\n") + 4);
    for (auto at = body_.find(kUuid); at != std::string::npos; at = body_.find(kUuid, at + 1)) places_.push_back(at);
}

std::string Requests::next() {
    std::array<char, 40> uuid{};
    const auto a = random_.bits();
    const auto b = random_.bits();
    std::snprintf(uuid.data(), uuid.size(), "%08llx-%04llx-4%03llx-8%03llx-%012llx",
                  static_cast<unsigned long long>(a >> 32), static_cast<unsigned long long>((a >> 16) & 0xffff),
                  static_cast<unsigned long long>(a & 0xfff), static_cast<unsigned long long>((b >> 48) & 0xfff),
                  static_cast<unsigned long long>(b & 0xffffffffffff));
    uuid_ = uuid.data();
    for (const auto place : places_) body_.replace(place, kUuid.size(), uuid_);
    return "POST /ingest/bench HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Webhook-Signature: " +
           to_hex(hmac_sha256(kSecret, body_)) + "\r\nContent-Length: " + std::to_string(body_.size()) + "\r\n\r\n" +
           body_;
}

Bridge::Bridge(const fs::path& folder, const std::string& rest) {
    std::ofstream(folder / "orbridge.yaml")
        << "listen: 127.0.0.1:0\nstore: sqlite:" << (folder / "orbridge.db").string()
        << "\nmappings: [" ORBRIDGE_ROOT
           "/mappings/openregister.yaml]\nsources:\n  bench: {type: openregister, register: off, secret: "
        << kSecret << "}\nlog: {level: error}\n"
        << rest;
    const auto program = binary();
    const auto config = (folder / "orbridge.yaml").string();
    const auto port_file = (folder / "port").string();
    fs::remove(port_file);
    std::array<const char*, 7> arguments{program.c_str(), "serve",           "--config", config.c_str(),
                                         "--port-file",   port_file.c_str(), nullptr};
    const auto start = Clock::now();
    if (posix_spawn(&pid_, program.c_str(), nullptr, nullptr, const_cast<char**>(arguments.data()), environ) != 0)
        std::exit(1);
    while (port_ == 0) {
        std::ifstream(port_file) >> port_;
        if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
            std::fprintf(stderr, "%s ended at once\n", program.c_str());
            std::exit(1);
        }
    }
    seconds_to_start_ = std::chrono::duration<double>(Clock::now() - start).count();
}

Bridge::~Bridge() {
    ::kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
}

double Bridge::cpu_seconds() const {
    const auto text = whole_file("/proc/" + std::to_string(pid_) + "/stat");
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string skip;
    long user = 0;
    long system = 0;
    for (int i = 0; i < 11; ++i) fields >> skip;
    fields >> user >> system;
    return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double Bridge::status_mib(std::string_view field) const {
    const auto text = whole_file("/proc/" + std::to_string(pid_) + "/status");
    const auto at = text.find(field);
    return at == std::string::npos ? 0 : static_cast<double>(std::atol(text.c_str() + at + field.size())) / 1024;
}

double Bridge::rss_mib() const { return status_mib("VmRSS:"); }

double Bridge::rss_peak_mib() const { return status_mib("VmHWM:"); }

double fsync_rate(const fs::path& folder) {
    const int file = ::open((folder / "fsync").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    const std::string block(4096, 'x');
    const auto end = Clock::now() + std::chrono::seconds{1};
    int count = 0;
    for (; Clock::now() < end; ++count)
        if (::write(file, block.data(), block.size()) < 0 || fdatasync(file) != 0) break;
    ::close(file);
    return count;
}

}  // namespace orbridge::bench
