#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "bridge/receive/fd.h"
#include "bridge/receive/request_parser.h"

namespace orbridge {

using SteadyClock = std::chrono::steady_clock;
using SteadyTime = SteadyClock::time_point;
constexpr SteadyTime kNever = SteadyTime::max();

/// What one non-blocking call on a socket came to.
struct Moved {
    std::size_t bytes = 0;
    bool would_block = false;
    bool ended = false;  ///< the peer closed, or the connection broke
};
Moved receive_some(const Fd& socket, char* buffer, std::size_t size);
Moved send_some(const Fd& socket, std::string_view bytes);

/// One client. The I/O thread owns it, but for the time a handler works on its request: then only the
/// handler's thread moves it on. `mutex` guards everything below it.
struct Connection {
    enum class Phase {
        Reading,   ///< waits for a request, or for the rest of one
        Handling,  ///< a request is with the handlers; nothing is read meanwhile
        Writing,   ///< the client is slow to take the answer
        Draining,  ///< the answer is out; input is dropped until the client closes too, or it would lose the answer
        Closed,    ///< to be removed by the I/O thread
    };

    Connection(std::uint64_t number, Fd fd, std::string address, const RequestLimits& limits)
        : id(number), socket(std::move(fd)), peer(std::move(address)), parser(limits) {}

    const std::uint64_t id;
    const Fd socket;
    const std::string peer;

    std::mutex mutex;
    Phase phase = Phase::Reading;
    RequestParser parser;
    RequestHead request;       ///< the one being handled
    bool unread = false;       ///< something came in while nothing was read: epoll tells it only once
    bool close_after = false;  ///< this answer is the last
    bool told_continue = false;
    bool served = false;  ///< has had a whole request
    std::string early;    ///< received, but of the next request
    std::string out;      ///< of the answer, what the socket did not take at once
    std::size_t out_sent = 0;
    std::size_t drained = 0;
    std::size_t charged = 0;  ///< bytes counted against the limit for all
    SteadyTime deadline = kNever;
    SteadyTime timer = kNever;  ///< when the I/O thread looks at the deadline next
};
using ConnectionPtr = std::shared_ptr<Connection>;

}  // namespace orbridge
