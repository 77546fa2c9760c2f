#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <queue>
#include <thread>
#include <unordered_map>
#include <vector>

#include "bridge/core/log.h"
#include "bridge/receive/connection.h"
#include "bridge/receive/listener.h"
#include "bridge/receive/response_text.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// The one thread that reads requests and finishes slow answers, for all connections. A slow client costs
/// a socket, never a thread. Sleeps in epoll until there is something to do.
class IoLoop {
public:
    struct Calls {
        /// A request is whole: connection->request. False: no handler is free, and none can wait.
        std::function<bool(const ConnectionPtr&)> serve;
        /// What a refused request is told.
        std::function<Answer(const RequestHead&, const Refusal&)> refuse;
    };

    IoLoop(const HttpSettings& settings, RequestLimits limits, Listener listener, Calls calls, Log& log);
    ~IoLoop();
    IoLoop(const IoLoop&) = delete;
    IoLoop& operator=(const IoLoop&) = delete;

    Status start();

    /// Ends a request: sends as much as the socket takes, leaves the rest to the loop. From any thread.
    void answer(const ConnectionPtr& connection, const Answer& answer);

    /// Accepts nothing new, lets requests in progress end until the limit, then closes what is left. Blocks.
    void stop(milliseconds finish_within);

    const std::string& address() const { return listener_.address(); }
    int port() const { return listener_.port(); }

private:
    struct Timer {
        SteadyTime time;
        std::uint64_t id;
        friend bool operator>(const Timer& a, const Timer& b) { return a.time > b.time; }
    };
    using Timers = std::priority_queue<Timer, std::vector<Timer>, std::greater<>>;

    void run();
    bool step();
    int pause();
    void on_event(std::uint64_t id, std::uint32_t events);
    void take_posted();
    void review(std::uint64_t id);
    void expire();

    void accept_some();
    void add(AcceptedSocket accepted);
    void remove(Connection& connection);
    void pause_accepting(milliseconds time);
    void listen_for(std::uint32_t events);

    // With the connection's mutex held, on the I/O thread:
    void move_on(const ConnectionPtr& connection, std::uint32_t events);
    void read(const ConnectionPtr& connection, bool to_the_end);
    void take(const ConnectionPtr& connection, std::string_view bytes);
    void permit_body(Connection& connection);
    void hand_over(const ConnectionPtr& connection, std::string_view rest);
    void refuse(Connection& connection, const Refusal& refusal);
    void end_of_input(Connection& connection);
    void write_more(Connection& connection);
    void drain(Connection& connection);
    void time_out(Connection& connection);
    void arm(Connection& connection);
    void charge(Connection& connection, std::size_t bytes);

    // With the connection's mutex held, on any thread:
    void send(Connection& connection, std::string text);
    void after_answer(Connection& connection);
    void post(std::uint64_t id);

    void begin_stop();
    void end_idle(Connection& connection);
    bool finished();

    const HttpSettings settings_;
    const RequestLimits limits_;
    Listener listener_;
    const Calls calls_;
    Log& log_;
    Fd epoll_;
    Fd wake_;

    std::unordered_map<std::uint64_t, ConnectionPtr> connections_;
    Timers timers_;
    std::vector<std::uint64_t> again_;  ///< have more to read than their turn allowed
    std::vector<char> buffer_;
    std::uint64_t next_id_ = 0;
    SteadyTime listen_again_ = kNever;
    bool stop_begun_ = false;

    std::atomic<std::size_t> charged_{0};
    std::atomic<bool> stopping_{false};
    std::atomic<SteadyTime> stop_at_{kNever};
    std::mutex posted_mutex_;
    std::vector<std::uint64_t> posted_;
    std::mutex stop_mutex_;
    std::thread thread_;
};

}  // namespace orbridge
