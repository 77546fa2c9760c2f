#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "adapters/postgresql/connection.h"
#include "bridge/core/guarded.h"

namespace orbridge::postgresql {

/// Connections that tasks have left, for the next one: few, and not for long. Safe from any thread.
class IdleConnections {
public:
    /// One that was kept for this server and login. Nothing: there is none that looks well. Those of another are
    /// closed.
    ConnectionPtr take(const std::string& login);
    void keep(const std::string& login, ConnectionPtr connection);

private:
    struct Idle {
        std::string login;
        std::chrono::steady_clock::time_point since;
        ConnectionPtr connection;
    };
    Guarded<std::vector<Idle>> idle_;
};

}  // namespace orbridge::postgresql
