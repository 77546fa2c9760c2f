#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/postgresql/connection.h"
#include "adapters/postgresql/idle_connections.h"
#include "bridge/adapt/native.h"
#include "bridge/deliver/outbound_policy.h"

namespace orbridge::postgresql {

/// What a host name resolves to, by then. Unavailable: it could not be found in time.
using Lookup = std::function<Result<std::vector<IpAddress>>(
    const std::string& host, std::chrono::steady_clock::time_point until, const std::stop_token& stop)>;

struct TasksParts {
    Lookup lookup;
    std::shared_ptr<const OutboundPolicy> policy;  ///< for addresses that are not from the configuration
    std::string ca_file;                           ///< authorities of servers, PEM
};

/// The tasks of adapters/postgresql.yaml. Each is one transaction, and is done if and only if its commit was answered:
/// until it is sent a failure means that nothing was done.
class PostgresqlTasks final : public NativeTasks {
public:
    explicit PostgresqlTasks(TasksParts parts) : parts_(std::move(parts)) {}
    NativeEnd run(const NativeRun& run) const override;

private:
    using Failed = Connection::Failed;
    Failed connect(const NativeRun& run, Connection& connection) const;
    Failed find(const NativeRun& run, Connection::Time until, std::vector<Server>& servers) const;
    std::optional<NativeEnd> on_idle(const NativeRun& run, const std::string& login) const;
    void leave(const NativeRun& run, const NativeEnd& end, const std::string& login, Connection& connection) const;
    static NativeEnd test(Connection& connection);
    static NativeEnd in_transaction(const NativeRun& run, Connection& connection);
    static Failed done(const NativeRun& run, Connection& connection, Connection::Answer& answer);

    const TasksParts parts_;
    mutable IdleConnections idle_;
};

/// What is wrong with the `statements` of a target, or nothing.
std::string statements_fault(const Json& config);

}  // namespace orbridge::postgresql
