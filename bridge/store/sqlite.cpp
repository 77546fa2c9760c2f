#include "bridge/store/sqlite.h"

namespace orbridge {
namespace {

constexpr int kBusyWaitMs = 1'000;  // whoever waits for the answer waits along

const char* explain(int code) {
    switch (code & 0xff) {
        case SQLITE_FULL: return "the disk is full";
        case SQLITE_IOERR: return "the disk could not be read or written";
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return "another program holds the database";
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_CANTOPEN: return "the file cannot be opened for writing";
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return "the file is damaged or no database";
        case SQLITE_NOMEM: return "out of memory";
        default: return "the database refused";
    }
}

SqliteProblem problem_of(sqlite3* db, int code) {
    const int extended = db != nullptr ? sqlite3_extended_errcode(db) : code;
    const char* text = db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    return {(extended & 0xff) == (code & 0xff) ? extended : code, text};
}

}  // namespace

void prepare_library() { [[maybe_unused]] static const int kConfigured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

Error to_error(std::string_view doing, const SqliteProblem& problem) {
    return {Error::Kind::Unavailable, "cannot " + std::string(doing) + ": " + explain(problem.code) + " (SQLite " +
                                          std::to_string(problem.code) + ": " + problem.message + ")"};
}

bool is_trouble_with_file(const SqliteProblem& problem) {
    switch (problem.code & 0xff) {
        case SQLITE_IOERR:
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL:
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_CANTOPEN:
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return true;
        default: return false;
    }
}

Statement::Statement(sqlite3* db, const char* sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    statement_.reset(statement);
    if (code != SQLITE_OK) throw problem_of(db, code);
}

void Statement::check(int code) {
    if (code != SQLITE_OK) throw problem_of(sqlite3_db_handle(statement_.get()), code);
}

void Statement::bind(int index, std::nullptr_t, sqlite3_destructor_type) {
    check(sqlite3_bind_null(statement_.get(), index));
}

void Statement::bind(int index, std::int64_t value, sqlite3_destructor_type) {
    check(sqlite3_bind_int64(statement_.get(), index, value));
}

void Statement::bind(int index, std::string_view text, sqlite3_destructor_type keep) {
    const char* data = text.data() != nullptr ? text.data() : "";
    check(sqlite3_bind_text64(statement_.get(), index, data, text.size(), keep, SQLITE_UTF8));
}

void Statement::bind(int index, const Blob& blob, sqlite3_destructor_type keep) {
    const char* data = blob.bytes.data() != nullptr ? blob.bytes.data() : "";
    check(sqlite3_bind_blob64(statement_.get(), index, data, blob.bytes.size(), keep));
}

bool Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    throw problem_of(sqlite3_db_handle(statement_.get()), code);
}

std::string_view Statement::view(int column) {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
    return data != nullptr ? std::string_view(data, size) : std::string_view();
}

Database::Database(const std::string& path, Mode mode, const std::string& vfs) : path_(path), vfs_(vfs), mode_(mode) {
    prepare_library();
    open(true);
}

void Database::close() {
    statements_.clear();
    db_.reset();
}

void Database::open(bool create) {
    close();
    sqlite3* db = nullptr;
    const int access =
        mode_ == Mode::ReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    const char* vfs = vfs_.empty() ? nullptr : vfs_.c_str();
    const int code = sqlite3_open_v2(path_.c_str(), &db, access | SQLITE_OPEN_NOMUTEX, vfs);
    std::unique_ptr<sqlite3, Close> fresh(db);
    if (code != SQLITE_OK) throw problem_of(db, code);
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, kBusyWaitMs);
    db_ = std::move(fresh);
}

sqlite3* Database::opened() const {
    if (!db_) throw SqliteProblem{SQLITE_CANTOPEN, "the store's file is gone or cannot be used"};
    return db_.get();
}

void Database::script(const std::string& sql) {
    const int code = sqlite3_exec(opened(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) throw problem_of(db_.get(), code);
}

Statement& Database::prepared(const char* sql) {
    const auto known = statements_.find(sql);
    if (known != statements_.end()) return known->second;
    return statements_.emplace(sql, Statement(opened(), sql)).first->second;
}

}  // namespace orbridge
