#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/postgresql/sql.h"
#include "bridge/adapt/native.h"
#include "bridge/core/secret.h"
#include "bridge/deliver/ip_address.h"

namespace orbridge::postgresql {

struct Server {
    std::string host;                  ///< a name, an address, or the folder of a Unix socket
    std::optional<IpAddress> address;  ///< of the host; nothing: it is a folder
    int port = 5432;
    std::string database, user;
    Secret password;
    std::string sslmode, ca_file;
};

struct FinishConnection {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
using ConnectionPtr = std::unique_ptr<PGconn, FinishConnection>;

/// A file descriptor that becomes readable when a stop is asked for.
class StopSignal {
public:
    explicit StopSignal(const std::stop_token& stop);
    ~StopSignal();
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;
    int fd() const { return fd_; }

private:
    int fd_;
    std::optional<std::stop_callback<std::function<void()>>> callback_;
};

/// One connection to a server, through libpq without ever blocking in it: each step ends by its time, or at a stop.
/// Steps give nothing if they succeed, else how the task ends. After a failure the connection is of no more use.
class Connection {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Failed = std::optional<NativeEnd>;

    Connection(Time until, std::stop_token stop);

    Failed connect(const Server& server, Time until);
    /// Instead of connecting: one that an earlier task has left well, and how to leave this one.
    void adopt(ConnectionPtr connection) { connection_ = std::move(connection); }
    ConnectionPtr leave() { return std::move(connection_); }
    /// Text that is ours, one statement or several.
    Failed command(const std::string& text);
    /// The one statement that execute() runs. Learns the types of its values.
    Failed prepare(const std::string& text);
    const std::vector<unsigned>& types() const { return types_; }

    struct Answer {
        std::int64_t affected = 0;
        std::string rows{};  ///< a JSON array of objects; empty: the statement gives none
    };
    /// No value is ever part of a statement's text. Rejected: more than `bytes_max` of rows came.
    Failed execute(const std::vector<std::optional<std::string>>& values, std::size_t bytes_max, Answer& answer);

    Result<std::string> quote(std::string_view name) const;
    std::string version() const;

    /// Errors from here on leave open whether the task was done.
    void committing() { committing_ = true; }
    void reading() { reading_ = true; }
    milliseconds left() const;

private:
    enum class Waited { Ready, Timeout, Stopped };
    struct Clear {
        void operator()(PGresult* result) const { PQclear(result); }
    };
    using ResultPtr = std::unique_ptr<PGresult, Clear>;

    Failed poll_connect(Time until);
    Waited wait(short events, Time until) const;
    Failed flush();
    Failed next(ResultPtr& result);
    /// Reads all results of a command; the last one stays in `last`.
    Failed drain(ResultPtr& last);
    Failed take_row(const PGresult* row, std::size_t bytes_max, std::string& rows) const;
    NativeEnd end_of(Waited waited) const;
    NativeEnd lost() const;
    NativeEnd refused() const;
    NativeEnd error_of(const PGresult* result) const;

    const Time until_;
    const std::stop_token stop_token_;
    StopSignal stop_;
    ConnectionPtr connection_;
    std::vector<unsigned> types_;
    bool committing_ = false, reading_ = false;
};

}  // namespace orbridge::postgresql
