#include "bridge/store/backup.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

#include "bridge/store/sqlite.h"

namespace orbridge {
namespace {

struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Connection = std::unique_ptr<sqlite3, Close>;

Connection connect(const std::string& path, int access) {
    sqlite3* db = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &db, access, nullptr);
    Connection connection(db);
    if (code != SQLITE_OK) throw SqliteProblem{code, sqlite3_errmsg(db)};
    return connection;
}

/// All pages in one step: one read transaction, so that no write in between makes it begin anew. In WAL mode readers
/// hinder no writer.
void copy_pages(const std::string& store, const std::string& copy) {
    const auto from = connect(store, SQLITE_OPEN_READONLY);
    const auto to = connect(copy, SQLITE_OPEN_READWRITE);
    sqlite3_backup* backup = sqlite3_backup_init(to.get(), "main", from.get(), "main");
    if (backup == nullptr) throw SqliteProblem{sqlite3_errcode(to.get()), sqlite3_errmsg(to.get())};
    const int code = sqlite3_backup_step(backup, -1);
    sqlite3_backup_finish(backup);
    if (code != SQLITE_DONE) throw SqliteProblem{code, sqlite3_errstr(code)};
}

Status check_copy(const std::string& copy) {
    Database db(copy, Database::Mode::ReadWrite);
    auto cursor = db.run("PRAGMA integrity_check");
    if (cursor.next() && cursor->text(0) == "ok") return Ok{};
    return Error{Error::Kind::Unavailable, "the store is damaged, and so is its copy: " + cursor->text(0)};
}

/// An empty file that only this user may read: what is in a store is nobody else's business.
Status make_empty(const std::string& file) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return Error{Error::Kind::Conflict, file + ": another backup runs, or one was interrupted: then remove it"};
    if (fd < 0) return Error{Error::Kind::Unavailable, file + ": " + std::generic_category().message(errno)};
    ::close(fd);
    return Ok{};
}

Status to_disk(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool done = fd >= 0 && ::fsync(fd) == 0;
    const int why = errno;
    if (fd >= 0) ::close(fd);
    if (!done) return Error{Error::Kind::Unavailable, path + ": " + std::generic_category().message(why)};
    return Ok{};
}

Status fill_copy(const std::string& store, const std::string& part) {
    const std::string_view doing = "copy the store";
    auto copied = attempt(doing, [&]() -> Status {
        copy_pages(store, part);
        return check_copy(part);
    });
    return copied ? to_disk(part) : copied;
}

}  // namespace

Result<std::uintmax_t> back_up(const std::string& store, const std::string& copy) {
    namespace fs = std::filesystem;
    std::error_code fault;
    if (fs::exists(copy, fault)) return Error{Error::Kind::Conflict, copy + ": is there already, expected a new file"};
    const auto part = copy + ".part";
    if (auto empty = make_empty(part); !empty) return empty.error();
    auto made = fill_copy(store, part);
    if (made) {
        fs::rename(part, copy, fault);
        if (fault) made = Error{Error::Kind::Unavailable, copy + ": " + fault.message()};
    }
    for (const auto* rest : {"", "-wal", "-shm"}) fs::remove(part + rest, fault);
    if (!made) return made.error();
    const auto folder = fs::absolute(copy).parent_path().string();
    if (auto kept = to_disk(folder); !kept) return kept.error();
    return fs::file_size(copy);
}

}  // namespace orbridge
