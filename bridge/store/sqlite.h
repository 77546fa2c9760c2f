#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "bridge/core/result.h"

namespace orbridge {

/// What SQLite said. Thrown inside the SQLite store only; `attempt` turns it into an Error at the seam.
struct SqliteProblem {
    int code = SQLITE_ERROR;
    std::string message;
};

/// Before SQLite is used: without counting what it takes of memory, which costs a lock at each piece.
void prepare_library();

/// Unavailable, with a message such as "cannot store the event: the disk is full (…)".
Error to_error(std::string_view doing, const SqliteProblem& problem);

/// The file or its disk is the trouble, or who else holds it, and not the statement: the next one fares no better.
bool is_trouble_with_file(const SqliteProblem& problem);

/// Bytes, where a plain string_view is text. Empty is empty, not NULL.
struct Blob {
    std::string_view bytes;
};

/// A prepared statement. Parameters are counted from 1, columns from 0, as in SQLite.
class Statement {
public:
    Statement(sqlite3* db, const char* sql);

    void bind(int index, std::nullptr_t, sqlite3_destructor_type keep);
    void bind(int index, std::int64_t value, sqlite3_destructor_type keep);
    void bind(int index, std::string_view text, sqlite3_destructor_type keep);
    void bind(int index, const Blob& blob, sqlite3_destructor_type keep);
    void bind(int index, int value, sqlite3_destructor_type keep) { bind(index, std::int64_t{value}, keep); }
    void bind(int index, bool value, sqlite3_destructor_type keep) { bind(index, std::int64_t{value}, keep); }
    template <class T>
    void bind(int index, const std::optional<T>& value, sqlite3_destructor_type keep) {
        value ? bind(index, *value, keep) : bind(index, nullptr, keep);
    }
    template <class... Values>
    void bind_all([[maybe_unused]] sqlite3_destructor_type keep, const Values&... values) {
        [[maybe_unused]] int index = 0;
        (bind(++index, values, keep), ...);
    }

    /// True: there is a row.
    bool step();
    void reset() { sqlite3_reset(statement_.get()); }

    std::int64_t integer(int column) { return sqlite3_column_int64(statement_.get(), column); }
    int small(int column) { return sqlite3_column_int(statement_.get(), column); }
    bool is_null(int column) { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }
    /// Text or blob, whole, NUL bytes included. Valid until the next step.
    std::string_view view(int column);
    std::string text(int column) { return std::string(view(column)); }

private:
    void check(int code);
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// A statement in use. Gives it back, reset, at its end.
class Cursor {
public:
    explicit Cursor(Statement& statement) : statement_(&statement) {}
    Cursor(Cursor&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
    Cursor& operator=(Cursor&&) = delete;
    ~Cursor() {
        if (statement_ != nullptr) statement_->reset();
    }
    bool next() { return statement_->step(); }
    Statement* operator->() { return statement_; }
    Statement& row() { return *statement_; }

private:
    Statement* statement_;
};

/// One connection, for one thread at a time. Statements are prepared once and kept: SQL handed to `run`
/// and `exec` must be a constant, which is known again by its address.
class Database {
public:
    enum class Mode { ReadWrite, ReadOnly };
    /// `vfs`: the name of a registered SQLite VFS; empty: the default one.
    Database(const std::string& path, Mode mode, const std::string& vfs = {});

    /// While closed, everything but open() is a SqliteProblem. No cursor may be in use.
    void close();
    void open(bool create = false);
    bool is_open() const { return db_ != nullptr; }

    /// Several statements separated by semicolons, without parameters.
    void script(const std::string& sql);

    /// The values are copied: they need not outlive the call.
    template <class... Values>
    Cursor run(const char* sql, const Values&... values) {
        auto& statement = prepared(sql);
        statement.bind_all(SQLITE_TRANSIENT, values...);
        return Cursor(statement);
    }
    /// Runs to the end; the number of rows changed.
    template <class... Values>
    int exec(const char* sql, const Values&... values) {
        Cursor cursor(prepared(sql));
        cursor->bind_all(SQLITE_STATIC, values...);
        while (cursor.next()) {
        }
        return sqlite3_changes(db_.get());
    }

    /// Of the row inserted last.
    std::int64_t last_row() const { return sqlite3_last_insert_rowid(db_.get()); }

    bool in_transaction() const { return db_ && sqlite3_get_autocommit(db_.get()) == 0; }

private:
    sqlite3* opened() const;
    Statement& prepared(const char* sql);
    struct Close {
        void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    };
    const std::string path_, vfs_;
    const Mode mode_;
    std::unique_ptr<sqlite3, Close> db_;
    std::unordered_map<const char*, Statement> statements_;
};

/// Runs `work`, which returns Result<T>; what SQLite complains about becomes an Error that says `doing`,
/// which `work` may change on its way.
template <class F>
auto attempt(const std::string_view& doing, F&& work) -> decltype(work()) {
    try {
        return std::forward<F>(work)();
    } catch (const SqliteProblem& problem) {
        return to_error(doing, problem);
    }
}

}  // namespace orbridge
