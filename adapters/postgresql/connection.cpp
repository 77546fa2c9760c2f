#include "adapters/postgresql/connection.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "adapters/postgresql/sqlstate.h"
#include "adapters/postgresql/values.h"
#include "bridge/core/text.h"

namespace orbridge::postgresql {
namespace {

using Is = NativeEnd::Is;
using Steady = std::chrono::steady_clock;

std::string_view first_line(std::string_view text) { return trim(text.substr(0, text.find('\n'))); }

milliseconds until_now(Steady::time_point until) {
    return std::max(milliseconds{0}, std::chrono::duration_cast<milliseconds>(until - Steady::now()));
}

void forget_notice(void*, const PGresult*) {}

}  // namespace

StopSignal::StopSignal(const std::stop_token& stop) : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ >= 0) callback_.emplace(stop, [fd = fd_] { (void)::eventfd_write(fd, 1); });
}

StopSignal::~StopSignal() {
    callback_.reset();
    if (fd_ >= 0) ::close(fd_);
}

Connection::Connection(Time until, std::stop_token stop)
    : until_(until), stop_token_(std::move(stop)), stop_(stop_token_) {}

milliseconds Connection::left() const { return until_now(until_); }

// ---- waiting

Connection::Waited Connection::wait(short events, Time until) const {
    while (true) {
        if (stop_token_.stop_requested()) return Waited::Stopped;
        std::array<pollfd, 2> fds = {pollfd{PQsocket(connection_.get()), events, 0}, pollfd{stop_.fd(), POLLIN, 0}};
        const auto left = until_now(until);
        const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(left.count()));
        if (ready > 0 && fds[0].revents != 0) return Waited::Ready;
        if (left.count() == 0) return Waited::Timeout;
    }
}

NativeEnd Connection::end_of(Waited waited) const {
    const bool stopped = waited == Waited::Stopped;
    return {.is = stopped ? Is::Trouble : Is::Timeout,
            .message = stopped ? "stopped" : "no answer in time",
            .unclear = committing_,
            .sent = committing_ || !stopped};
}

// ---- connecting

Connection::Failed Connection::connect(const Server& server, Time until) {
    const auto address = server.address ? to_text(*server.address) : std::string();
    const auto port = std::to_string(server.port);
    // What is not given here would come from files in somebody's home, or from the environment.
    const std::vector<std::pair<const char*, const char*>> options = {
        {"host", server.host.c_str()},
        {"hostaddr", address.c_str()},
        {"port", port.c_str()},
        {"dbname", server.database.c_str()},
        {"user", server.user.c_str()},
        {"password", server.password.reveal().c_str()},
        {"passfile", "/nonexistent/passfile"},
        {"sslmode", server.sslmode.c_str()},
        {"sslrootcert", server.ca_file.c_str()},
        {"sslcert", "/nonexistent/certificate"},
        {"sslkey", "/nonexistent/key"},
        {"gssencmode", "disable"},
        {"target_session_attrs", "any"},
        {"client_encoding", "UTF8"},
        {"application_name", "orbridge"},
    };
    std::vector<const char*> names, values;
    for (const auto& [name, value] : options) {
        names.push_back(name);
        values.push_back(value);
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    connection_.reset(PQconnectStartParams(names.data(), values.data(), 0));
    if (!connection_) return NativeEnd{.is = Is::Trouble, .message = "out of memory", .sent = false};
    PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);  // the only way to a SQLSTATE while connecting
    PQsetNoticeReceiver(connection_.get(), &forget_notice, nullptr);
    return poll_connect(std::min(until, until_));
}

Connection::Failed Connection::poll_connect(Time until) {
    auto wants = PGRES_POLLING_WRITING;
    while (PQstatus(connection_.get()) != CONNECTION_BAD) {
        const auto waited = wait(wants == PGRES_POLLING_READING ? POLLIN : POLLOUT, until);
        if (waited != Waited::Ready) {
            auto end = end_of(waited);
            if (waited == Waited::Timeout) end.message = "no connection in time";
            end.sent = false;
            return end;
        }
        wants = PQconnectPoll(connection_.get());
        if (wants == PGRES_POLLING_OK) {
            PQsetnonblocking(connection_.get(), 1);
            return std::nullopt;
        }
        if (wants == PGRES_POLLING_FAILED) break;
    }
    return refused();
}

NativeEnd Connection::refused() const {
    const std::string_view said = PQerrorMessage(connection_.get());
    const auto state = sqlstate_in(said);
    NativeEnd end{.is = class_of(state, false),
                  .message = std::string(first_line(said)),
                  .answered = !state.empty(),
                  .sent = false};
    if (end.is == Is::Rejected) end.is = Is::Misconfigured;  // nothing of the task was looked at
    if (PQconnectionNeedsPassword(connection_.get()) != 0) end.is = Is::Unauthorized;
    return end;
}

NativeEnd Connection::lost() const {
    auto said = std::string(first_line(PQerrorMessage(connection_.get())));
    if (said.empty()) said = "the connection was lost";
    return {.is = Is::Trouble, .message = std::move(said), .unclear = committing_};
}

// ---- one command after the other

Connection::Failed Connection::flush() {
    while (true) {
        const int left = PQflush(connection_.get());
        if (left < 0) return lost();
        if (left == 0) return std::nullopt;
        if (const auto waited = wait(POLLIN | POLLOUT, until_); waited != Waited::Ready) return end_of(waited);
        if (PQconsumeInput(connection_.get()) == 0) return lost();
    }
}

Connection::Failed Connection::next(ResultPtr& result) {
    while (PQisBusy(connection_.get()) != 0) {
        if (const auto waited = wait(POLLIN, until_); waited != Waited::Ready) return end_of(waited);
        if (PQconsumeInput(connection_.get()) == 0) return lost();
    }
    result.reset(PQgetResult(connection_.get()));
    if (!result) return std::nullopt;
    const auto status = PQresultStatus(result.get());
    if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) return error_of(result.get());
    const bool copies = status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
    if (copies) return NativeEnd{.is = Is::Rejected, .message = "COPY is not for statements", .answered = true};
    return std::nullopt;
}

Connection::Failed Connection::drain(ResultPtr& last) {
    if (auto failed = flush()) return failed;
    while (true) {
        ResultPtr result;
        if (auto failed = next(result)) return failed;
        if (!result) return std::nullopt;
        last = std::move(result);
    }
}

NativeEnd Connection::error_of(const PGresult* result) const {
    const auto* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const auto* said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (state == nullptr || said == nullptr) return lost();
    const auto is = class_of(state, reading_);
    // An error that the server tells of has undone the transaction, but when it was shut down at that moment.
    const bool unclear = committing_ && (is == Is::Trouble || is == Is::Timeout);
    return {.is = is, .message = std::string(said) + " (SQLSTATE " + state + ")", .answered = true, .unclear = unclear};
}

Connection::Failed Connection::command(const std::string& text) {
    if (PQsendQuery(connection_.get(), text.c_str()) == 0) return lost();
    ResultPtr last;
    return drain(last);
}

Connection::Failed Connection::prepare(const std::string& text) {
    if (PQsendPrepare(connection_.get(), "", text.c_str(), 0, nullptr) == 0) return lost();
    ResultPtr last;
    if (auto failed = drain(last)) return failed;
    if (PQsendDescribePrepared(connection_.get(), "") == 0) return lost();
    if (auto failed = drain(last)) return failed;
    types_.clear();
    for (int i = 0; last && i < PQnparams(last.get()); ++i) types_.push_back(PQparamtype(last.get(), i));
    return std::nullopt;
}

Connection::Failed Connection::execute(const std::vector<std::optional<std::string>>& values, std::size_t bytes_max,
                                       Answer& answer) {
    std::vector<const char*> texts;
    texts.reserve(values.size());
    for (const auto& value : values) texts.push_back(value ? value->c_str() : nullptr);
    const int sent =
        PQsendQueryPrepared(connection_.get(), "", static_cast<int>(texts.size()), texts.data(), nullptr, nullptr, 0);
    if (sent == 0) return lost();
    PQsetSingleRowMode(connection_.get());
    if (auto failed = flush()) return failed;
    std::string rows;
    while (true) {
        ResultPtr result;
        if (auto failed = next(result)) return failed;
        if (!result) break;
        if (PQnfields(result.get()) > 0 && rows.empty()) rows = "[";
        if (PQresultStatus(result.get()) == PGRES_SINGLE_TUPLE) {
            if (auto failed = take_row(result.get(), bytes_max, rows)) return failed;
            continue;
        }
        const std::string_view count = PQcmdTuples(result.get());
        std::from_chars(count.data(), count.data() + count.size(), answer.affected);
    }
    if (!rows.empty()) answer.rows = std::move(rows) + ']';
    return std::nullopt;
}

Connection::Failed Connection::take_row(const PGresult* row, std::size_t bytes_max, std::string& rows) const {
    JsonWriter json;
    json.object();
    for (int i = 0; i < PQnfields(row); ++i) {
        json.key(PQfname(row, i));
        if (PQgetisnull(row, 0, i) != 0) {
            json.null();
        } else {
            const std::string_view text(PQgetvalue(row, 0, i), static_cast<std::size_t>(PQgetlength(row, 0, i)));
            json.raw(to_json(text, PQftype(row, i)));
        }
    }
    json.end();
    if (rows.size() > 1) rows += ',';
    rows += json.text();
    if (rows.size() <= bytes_max) return std::nullopt;
    return NativeEnd{.is = Is::Rejected, .message = "the answer is larger than `answer_bytes_max`", .answered = true};
}

Result<std::string> Connection::quote(std::string_view name) const {
    if (name.empty()) return Error{Error::Kind::Invalid, "an empty name"};
    if (name.find('\0') != std::string_view::npos) return Error{Error::Kind::Invalid, "a name with a NUL in it"};
    const std::unique_ptr<char, decltype(&PQfreemem)> quoted(
        PQescapeIdentifier(connection_.get(), name.data(), name.size()), &PQfreemem);
    if (!quoted)
        return Error{Error::Kind::Invalid, "not a name: " + std::string(first_line(PQerrorMessage(connection_.get())))};
    return std::string(quoted.get());
}

std::string Connection::version() const {
    const auto* version = PQparameterStatus(connection_.get(), "server_version");
    return version == nullptr ? std::string() : version;
}

}  // namespace orbridge::postgresql
