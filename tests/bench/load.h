#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// A load generator over epoll: so many keep-alive connections, each sending its next request as soon as
/// the last was answered. One thread; only ever talks to 127.0.0.1.
namespace orbridge::bench {

struct LoadResult {
    std::uint64_t answered = 0;  ///< with the expected status class 2xx
    std::uint64_t refused = 0;   ///< any other answer
    std::uint64_t broken = 0;    ///< connections that ended
    double seconds = 0;
    double per_second = 0;
    double p50_ms = 0, p99_ms = 0;
};

/// Makes the next whole HTTP request, head and body.
using MakeRequest = std::function<std::string()>;

LoadResult run_load(int port, int connections, std::chrono::milliseconds time, const MakeRequest& make);

double median(std::vector<double> values);

}  // namespace orbridge::bench
