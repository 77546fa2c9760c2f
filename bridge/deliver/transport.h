#pragma once

#include <functional>
#include <optional>

#include "bridge/core/clock.h"
#include "bridge/core/http.h"

namespace orbridge {

/// Seam: makes HTTP exchanges, many at once. One thread drives it by poll(); anyone may send.
class Transport {
public:
    struct Finished {
        Exchange exchange;
        milliseconds duration{0};
    };
    /// Called once for each send(), from within poll() or stop(), or from send() itself after stop(). Must not
    /// block; may send().
    using Done = std::function<void(Finished)>;

    static constexpr milliseconds kNoEnd = milliseconds::max();

    virtual ~Transport() = default;
    /// Asked before send() by who can wait for a rate that is shared with others. Nothing: it may be sent now, and is
    /// to be. Else when to ask again. Safe from any thread.
    virtual std::optional<TimePoint> admit(const HttpRequest& request) {
        (void)request;
        return std::nullopt;
    }
    /// Safe from any thread. The exchange starts with the driver's next poll().
    virtual void send(HttpRequest request, Done done) = 0;
    /// Runs what is ready, waiting for it at most `wait_max` (kNoEnd: until something happens or wake()).
    /// Driver's thread only.
    virtual void poll(milliseconds wait_max) = 0;
    /// Ends a poll() that waits. Safe from any thread and from signal-free code only.
    virtual void wake() = 0;
    /// Ends all exchanges as TransportFailure, each saying how far it got. Driver's thread only.
    virtual void stop() = 0;
};

/// Sends and waits for the answer, from a thread that is not the driver's.
Exchange exchange(Transport& transport, HttpRequest request);

}  // namespace orbridge
