#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

namespace orbridge::bench {

/// Answers every POST as Windmill does (201 and the `job_id` of the query) from one epoll thread, or, on
/// paths that contain `/hang`, never. Only ever listens on 127.0.0.1.
class Sink {
public:
    Sink();
    ~Sink();
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;

    int port() const { return port_; }
    std::uint64_t arrived() const { return arrived_; }
    /// Connections that wait for an answer that never comes.
    std::uint64_t hanging() const { return hanging_; }
    /// Called on the sink's thread with path and body of each request that is answered.
    void when_arrived(std::function<void(std::string_view path, std::string_view body)> tell);
    std::uint64_t arrived_at(const std::string& path_part) const;

private:
    struct Connection {
        std::string in;
        bool hung = false;
    };
    void serve();
    void accept_all();
    void receive(int socket);
    bool answer_one(int socket, Connection& connection);

    int listen_ = -1;
    int epoll_ = -1;
    int port_ = 0;
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> arrived_{0};
    std::atomic<std::uint64_t> hanging_{0};
    std::unordered_map<int, Connection> connections_;
    mutable std::mutex mutex_;
    std::function<void(std::string_view, std::string_view)> tell_;
    std::unordered_map<std::string, std::uint64_t> by_path_;
    std::thread thread_;
};

}  // namespace orbridge::bench
