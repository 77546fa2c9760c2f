#pragma once

#include <memory>
#include <string>

#include "bridge/core/guarded.h"
#include "bridge/core/http.h"
#include "bridge/core/log.h"
#include "bridge/receive/fd.h"
#include "bridge/receive/http_server.h"
#include "bridge/receive/listener.h"
#include "bridge/settings/settings.h"
#include "bridge/store/file_lock.h"

namespace orbridge {

/// What a bridge answers that waits for the store: alive, not ready, and nothing is taken.
Answer standby_answer(const InboundRequest& request, const StoreHolder& holder, milliseconds poll);

/// A bridge that waits for the store that another one has. It listens, so that orchestrators and proxies see what it
/// is, and does nothing else: no thread of it asks or tells anybody anything.
class Standby {
public:
    /// Listens from then on. `log` must outlive it. `inherited_socket`: instead of `listen`, taken over; -1: none.
    static Result<std::unique_ptr<Standby>> start(const Settings& settings, Log& log, int inherited_socket);

    int port() const { return listener_.port(); }
    const std::string& address() const { return listener_.address(); }

    /// Looks once. False: somebody has it, as the answers say from then on. One thread.
    bool store_is_free();

    /// The same socket once more, for the bridge that takes over: whoever has connected meanwhile is served by it.
    /// Empty: there are too many open files.
    Fd socket() const;

private:
    Standby(Listener listener, std::string store, milliseconds poll, Log& log);
    Status listen(const HttpSettings& settings);

    const Listener listener_;
    const std::string store_;
    const milliseconds poll_;
    Log& log_;
    Guarded<StoreHolder> holder_;
    bool told_ = false;
    std::unique_ptr<HttpServer> server_;  // last: its handlers read what stands above
};

}  // namespace orbridge
