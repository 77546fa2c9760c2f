#include "adapters/postgresql/idle_connections.h"

#include <poll.h>

#include <utility>

namespace orbridge::postgresql {
namespace {

constexpr std::size_t kIdleMax = 16;
constexpr std::chrono::seconds kIdleFor{30};  // far shorter than what stands between takes to forget it

/// Nothing is to be read from a connection that is well and unused: an end, or a notice of one, would be.
bool looks_well(PGconn* connection) {
    if (PQstatus(connection) != CONNECTION_OK || PQtransactionStatus(connection) != PQTRANS_IDLE) return false;
    pollfd fd{PQsocket(connection), POLLIN, 0};
    return ::poll(&fd, 1, 0) == 0;
}

}  // namespace

ConnectionPtr IdleConnections::take(const std::string& login) {
    const auto oldest = std::chrono::steady_clock::now() - kIdleFor;
    std::vector<Idle> gone;  // closed outside of the lock, as that writes to the server
    return idle_.with([&](std::vector<Idle>& idle) -> ConnectionPtr {
        while (!idle.empty()) {
            auto last = std::move(idle.back());
            idle.pop_back();
            const bool good = last.login == login && last.since >= oldest && looks_well(last.connection.get());
            if (good) return std::move(last.connection);
            gone.push_back(std::move(last));
        }
        return nullptr;
    });
}

void IdleConnections::keep(const std::string& login, ConnectionPtr connection) {
    idle_.with([&](std::vector<Idle>& idle) {
        if (idle.size() < kIdleMax) idle.push_back({login, std::chrono::steady_clock::now(), std::move(connection)});
    });
}

}  // namespace orbridge::postgresql
