#include "adapters/postgresql/tasks.h"

#include <algorithm>

#include "adapters/postgresql/values.h"
#include "bridge/core/text.h"

namespace orbridge::postgresql {
namespace {

using Is = NativeEnd::Is;

/// The server gives up a little before we do, so that its answer tells how it ended.
constexpr int kServersTenths = 9;

NativeEnd rejected(std::string message) { return {.is = Is::Rejected, .message = std::move(message), .sent = false}; }

std::string text_of(const Json& object, const char* name) { return object[name].string().value_or(std::string()); }

bool is_reading(const std::string& task) { return task == "query"; }

/// The texts are the configuration's own: a parameter only says which.
Result<Sql> configured(const NativeRun& run) {
    const auto name = text_of(run.params, "statement");
    const auto text = run.config["statements"][name].string();
    if (!text) return Error{Error::Kind::Invalid, "statement: none of the target's `config.statements` has this name"};
    Sql sql{*text, {}};
    for (const auto& [key, raw_key, value] : run.params["values"].members()) sql.values.push_back(value);
    return sql;
}

Result<Sql> sql_of(const NativeRun& run, const Connection& connection) {
    const auto& params = run.params;
    const Quote quote = [&](std::string_view name) { return connection.quote(name); };
    if (run.task == "upsert")
        return upsert(text_of(params, "table"), params["key"], params["values"], params["initial"], quote);
    if (run.task == "delete") return remove(text_of(params, "table"), params["key"], quote);
    return configured(run);
}

Result<std::vector<std::optional<std::string>>> bound_values(const Sql& sql, const std::vector<unsigned>& types) {
    if (sql.values.size() != types.size()) {
        return Error{Error::Kind::Invalid, "the statement takes " + std::to_string(types.size()) + " values, and " +
                                               std::to_string(sql.values.size()) + " are given"};
    }
    std::vector<std::optional<std::string>> values;
    values.reserve(types.size());
    for (std::size_t i = 0; i < types.size(); ++i) {
        values.push_back(bound(sql.values[i], types[i]));
        if (values.back() && values.back()->find('\0') != std::string::npos)
            return Error{Error::Kind::Invalid, "a text has a NUL in it, which PostgreSQL cannot hold"};
    }
    return values;
}

std::string counted(std::int64_t rows) { return std::to_string(rows) + (rows == 1 ? " row" : " rows"); }

std::string message_of(const std::string& task, const Connection::Answer& answer) {
    if (task == "upsert") return answer.affected > 0 ? "Row written" : "Row was there";
    if (task == "delete") return answer.affected > 0 ? "Row removed" : "No such row";
    return counted(answer.affected) + (task == "query" ? "" : " affected");
}

NativeEnd end_with(const std::string& task, const Connection::Answer& answer) {
    JsonWriter json;
    json.object().member("count", answer.affected);
    if (!answer.rows.empty()) json.member_raw("rows", answer.rows);
    return {.is = Is::Done, .message = message_of(task, answer), .data = json.end().text(), .answered = true};
}

/// Equal for runs that may have the same connection. Not a text to be shown.
std::string login_of(const NativeRun& run) {
    std::string all(run.credentials.raw());
    for (const auto* name : {"host", "port", "database", "sslmode"}) all.append(1, '\n').append(run.config[name].raw());
    return sha256(all);
}

}  // namespace

std::string statements_fault(const Json& config) {
    for (const auto& [name, raw_name, text] : config["statements"].members())
        if (!text.is_string() || text.string() == std::string()) return "statements." + name + ": expected a statement";
    return {};
}

// ---- where to

Connection::Failed PostgresqlTasks::find(const NativeRun& run, Connection::Time until,
                                         std::vector<Server>& servers) const {
    Server server;
    server.host = text_of(run.config, "host");
    server.port = static_cast<int>(run.config["port"].integer().value_or(5432));
    server.database = text_of(run.config, "database");
    server.user = text_of(run.credentials, "user");
    server.password = Secret(text_of(run.credentials, "password"));
    server.sslmode = text_of(run.config, "sslmode");
    // libpq checks against authorities that it is told of, whatever the mode.
    server.ca_file = server.sslmode.starts_with("verify") ? parts_.ca_file : "/nonexistent/authorities";
    if (server.host.starts_with('/')) {
        if (run.address_from_others) return rejected("the address is refused: a file");
        servers.push_back(std::move(server));
        return std::nullopt;
    }
    // A comma would be a list of hosts, to libpq.
    const auto host = parse_outbound_host(server.host);
    if (!host) return rejected("host: " + host.error().message);
    const auto addresses = parts_.lookup(host->host, until, run.stop);
    if (!addresses) return NativeEnd{.is = Is::Trouble, .message = addresses.error().message, .sent = false};
    for (const auto& address : *addresses) {
        const auto may = run.address_from_others ? parts_.policy->judge_address(*host, address) : Status(Ok{});
        if (!may) return rejected("the address is refused: " + may.error().message);
        servers.push_back(server);
        servers.back().address = address;
    }
    return std::nullopt;
}

/// Each address has an equal share of the time that is left.
Connection::Failed PostgresqlTasks::connect(const NativeRun& run, Connection& connection) const {
    using Steady = std::chrono::steady_clock;
    const auto until = std::min(run.until, Steady::now() + run.connect_timeout);
    std::vector<Server> servers;
    if (auto failed = find(run, until, servers)) return failed;
    Failed failed;
    for (std::size_t i = 0; i < servers.size(); ++i) {
        const auto left = until - Steady::now();
        failed = connection.connect(servers[i], Steady::now() + left / static_cast<int>(servers.size() - i));
        if (!failed || failed->answered || run.stop.stop_requested()) break;
    }
    return failed;
}

// ---- what is done there

Connection::Failed PostgresqlTasks::done(const NativeRun& run, Connection& connection, Connection::Answer& answer) {
    const auto patience = std::max<std::int64_t>(1, connection.left().count() * kServersTenths / 10);
    if (is_reading(run.task)) connection.reading();
    if (auto failed = connection.command(std::string(is_reading(run.task) ? "BEGIN READ ONLY" : "BEGIN") +
                                         "; SET LOCAL statement_timeout = " + std::to_string(patience)))
        return failed;
    const auto sql = sql_of(run, connection);
    if (!sql) return rejected(sql.error().message);
    if (auto failed = connection.prepare(sql->text)) return failed;
    const auto values = bound_values(*sql, connection.types());
    if (!values) return rejected(values.error().message);
    if (auto failed = connection.execute(*values, run.answer_bytes_max, answer)) return failed;
    if (run.task == "delete" && answer.affected > 1)
        return rejected("key: " + counted(answer.affected) + " have it, and none was removed: it has to name one");
    connection.committing();
    return connection.command("COMMIT");
}

NativeEnd PostgresqlTasks::in_transaction(const NativeRun& run, Connection& connection) {
    Connection::Answer answer;
    if (auto failed = done(run, connection, answer)) return *std::move(failed);
    return end_with(run.task, answer);
}

NativeEnd PostgresqlTasks::test(Connection& connection) {
    if (auto failed = connection.command("SELECT 1")) return *std::move(failed);
    return {.is = Is::Done, .message = "Connected to PostgreSQL " + connection.version(), .answered = true};
}

// ---- on which connection

/// Nothing: there was none, or the server had closed it, which is seen only now. Then nothing was done.
std::optional<NativeEnd> PostgresqlTasks::on_idle(const NativeRun& run, const std::string& login) const {
    auto idle = idle_.take(login);
    if (!idle) return std::nullopt;
    Connection connection(run.until, run.stop);
    connection.adopt(std::move(idle));
    auto end = in_transaction(run, connection);
    const bool was_closed = end.is == Is::Trouble && !end.answered && !end.unclear && !run.stop.stop_requested();
    if (was_closed) return std::nullopt;
    leave(run, end, login, connection);
    return end;
}

/// A statement of somebody's own may have changed more than rows: what the session is set to, for one.
void PostgresqlTasks::leave(const NativeRun& run, const NativeEnd& end, const std::string& login,
                            Connection& connection) const {
    if (end.is == Is::Done && run.task != "execute" && !run.address_from_others) idle_.keep(login, connection.leave());
}

NativeEnd PostgresqlTasks::run(const NativeRun& run) const {
    const bool is_test = run.task == "test";
    const auto login = is_test ? std::string() : login_of(run);
    if (!is_test && !run.address_from_others) {
        if (auto end = on_idle(run, login)) return *std::move(end);
    }
    Connection connection(run.until, run.stop);
    if (auto failed = connect(run, connection)) return *std::move(failed);
    if (is_test) return test(connection);
    auto end = in_transaction(run, connection);
    leave(run, end, login, connection);
    return end;
}

}  // namespace orbridge::postgresql
