#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/random.h"

/// The real binary, and what it is fed with, for the benchmarks.
namespace orbridge::bench {

/// A fresh folder of this process; the caller removes it.
std::filesystem::path bench_folder();

/// A captured request, signed; if it is about the captures' usual object, with a new uuid each time.
class Requests {
public:
    explicit Requests(const std::string& capture = "ObjectCreatedEvent.standard.http");
    /// The next whole request. `last_uuid()` is then the one in it.
    std::string next();
    const std::string& last_uuid() const { return uuid_; }

private:
    std::string body_;
    std::string uuid_;
    std::vector<std::size_t> places_;
    SeededRandom random_;
};

/// The daemon (ORBRIDGE_BINARY, or build/release/orbridge) with one source at /ingest/bench, in a folder where
/// it keeps its store; ended when this goes.
class Bridge {
public:
    /// `rest` is the configuration's targets and routes.
    Bridge(const std::filesystem::path& folder, const std::string& rest);
    ~Bridge();
    Bridge(const Bridge&) = delete;
    Bridge& operator=(const Bridge&) = delete;

    int port() const { return port_; }
    double cpu_seconds() const;  ///< user and system so far
    double rss_mib() const;
    double rss_peak_mib() const;
    double seconds_to_start() const { return seconds_to_start_; }

private:
    double status_mib(std::string_view field) const;
    pid_t pid_ = 0;
    int port_ = 0;
    double seconds_to_start_ = 0;
};

/// fdatasync of one appended block, per second.
double fsync_rate(const std::filesystem::path& folder);

}  // namespace orbridge::bench
