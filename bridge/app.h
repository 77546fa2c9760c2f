#pragma once

#include <memory>

#include "bridge/core/clock.h"
#include "bridge/core/log.h"
#include "bridge/core/random.h"
#include "bridge/core/result.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// The daemon: the one place where everything is built, connected, started, and stopped in reverse.
class App {
public:
    /// Must outlive the App.
    struct Tools {
        const Clock& clock;
        Random& random;
        Log& log;
        int inherited_socket = -1;    ///< instead of `listen`; taken over, but at a Conflict. -1: none
        bool socket_outlives = true;  ///< somebody else keeps it open beyond us
    };
    /// With complaints (what the adapters and mappings found wrong), or an error, nothing is left running. Conflict:
    /// another process has the store; nothing has been started, and nobody asked for anything.
    static Result<std::unique_ptr<App>> start(const Settings& settings, Tools tools, Complaints& complaints);
    ~App();

    int port() const;  ///< 0 for a unix socket
    /// Asks itself over HTTP: true if the delivering thread, the receiving thread and a handler all do their work.
    /// Blocks for up to ten seconds, or for ever if the delivering thread is stuck. Not after stop().
    bool alive();
    /// Goes on with other settings, or, if there are complaints, unchanged. Safe from one thread at a time.
    /// `listen`, `store` and `http` need a restart; the log says so.
    void reload(Settings settings, Complaints& complaints);
    /// Stops accepting, finishes what is in flight within `stop_timeout`, leaves the rest to the store.
    void stop();

private:
    class Parts;
    explicit App(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace orbridge
