#include "bridge/store/log_vfs.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>
#include <utility>

#include "bridge/store/sqlite.h"

namespace orbridge {
namespace {

constexpr std::size_t kTogetherMax =
    120 << 10;  // SQLite's own VFS writes less than 128 KiB at once, whatever it is told

sqlite3_vfs& under(sqlite3_vfs* vfs) { return *static_cast<sqlite3_vfs*>(vfs->pAppData); }

/// The file of the VFS below follows it in memory.
struct LogFile {
    sqlite3_file base;
    std::string together;  ///< not written yet
    sqlite3_int64 from;    ///< where it belongs

    static LogFile& of(sqlite3_file* file) { return *reinterpret_cast<LogFile*>(file); }
    sqlite3_file* below() { return reinterpret_cast<sqlite3_file*>(this + 1); }
    const sqlite3_io_methods& calls() { return *below()->pMethods; }

    int write_out() {
        if (together.empty()) return SQLITE_OK;
        const int code = calls().xWrite(below(), together.data(), static_cast<int>(together.size()), from);
        together.clear();
        return code;
    }
    int add(std::string_view bytes, sqlite3_int64 at) {
        const bool follows = at == from + static_cast<sqlite3_int64>(together.size());
        if (!follows || together.size() + bytes.size() > kTogetherMax) {
            if (const int code = write_out(); code != SQLITE_OK) return code;
        }
        if (together.empty()) from = at;
        together += bytes;
        return SQLITE_OK;
    }
};

// Its size is a multiple of what any file below may have to be aligned to.
static_assert(sizeof(LogFile) % alignof(std::max_align_t) == 0);

// ---- what SQLite calls ------------------------------------------------------------------------------

int close(sqlite3_file* file) {
    auto& log = LogFile::of(file);
    [[maybe_unused]] const int written = log.write_out();  // of no commit, else it would have been synced
    const int code = log.calls().xClose(log.below());
    log.~LogFile();
    return code;
}

int read(sqlite3_file* file, void* to, int count, sqlite3_int64 at) {
    auto& log = LogFile::of(file);
    const int code = log.write_out();
    return code == SQLITE_OK ? log.calls().xRead(log.below(), to, count, at) : code;
}

int write(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
    try {
        return LogFile::of(file).add({static_cast<const char*>(from), static_cast<std::size_t>(count)}, at);
    } catch (const std::bad_alloc&) {
        return SQLITE_IOERR_NOMEM;
    }
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
    auto& log = LogFile::of(file);
    const int code = log.write_out();
    return code == SQLITE_OK ? log.calls().xTruncate(log.below(), size) : code;
}

int sync(sqlite3_file* file, int flags) {
    auto& log = LogFile::of(file);
    const int code = log.write_out();
    return code == SQLITE_OK ? log.calls().xSync(log.below(), flags) : code;
}

int size(sqlite3_file* file, sqlite3_int64* out) {
    auto& log = LogFile::of(file);
    const int code = log.write_out();
    return code == SQLITE_OK ? log.calls().xFileSize(log.below(), out) : code;
}

int lock(sqlite3_file* file, int level) {
    auto& log = LogFile::of(file);
    return log.calls().xLock(log.below(), level);
}

int unlock(sqlite3_file* file, int level) {
    auto& log = LogFile::of(file);
    return log.calls().xUnlock(log.below(), level);
}

int reserved(sqlite3_file* file, int* out) {
    auto& log = LogFile::of(file);
    return log.calls().xCheckReservedLock(log.below(), out);
}

int control(sqlite3_file* file, int what, void* value) {
    auto& log = LogFile::of(file);
    return log.calls().xFileControl(log.below(), what, value);
}

int sector(sqlite3_file* file) {
    auto& log = LogFile::of(file);
    return log.calls().xSectorSize(log.below());
}

int traits(sqlite3_file* file) {
    auto& log = LogFile::of(file);
    return log.calls().xDeviceCharacteristics(log.below());
}

const sqlite3_io_methods* log_methods() {
    // Shared memory and mapped reading are asked of the database's file only, never of its log.
    static const sqlite3_io_methods kMethods = {1,       close,   read,     write,   truncate, sync,   size,
                                                lock,    unlock,  reserved, control, sector,   traits, nullptr,
                                                nullptr, nullptr, nullptr,  nullptr, nullptr};
    return &kMethods;
}

int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out) {
    auto& below = under(vfs);
    if ((flags & SQLITE_OPEN_WAL) == 0) return below.xOpen(&below, path, file, flags, out);
    auto& log = *new (file) LogFile{};
    const int code = below.xOpen(&below, path, log.below(), flags, out);
    if (code == SQLITE_OK) {
        log.base.pMethods = log_methods();
        return code;
    }
    if (log.below()->pMethods != nullptr) log.calls().xClose(log.below());
    log.~LogFile();
    file->pMethods = nullptr;
    return code;
}

int remove(sqlite3_vfs* vfs, const char* path, int sync_folder) {
    return under(vfs).xDelete(&under(vfs), path, sync_folder);
}

int access(sqlite3_vfs* vfs, const char* path, int flags, int* out) {
    return under(vfs).xAccess(&under(vfs), path, flags, out);
}

int full_name(sqlite3_vfs* vfs, const char* path, int size, char* out) {
    return under(vfs).xFullPathname(&under(vfs), path, size, out);
}

sqlite3_vfs* find(const std::string& name) {
    prepare_library();
    auto* found = sqlite3_vfs_find(name.empty() ? nullptr : name.c_str());
    if (found == nullptr) throw SqliteProblem{SQLITE_ERROR, "there is no VFS " + name};
    return found;
}

std::string new_name() {
    static std::atomic<std::uint64_t> made{0};  // SQLite tells them apart by their names
    return "orbridge-log-" + std::to_string(++made);
}

}  // namespace

LogVfs::LogVfs(const std::string& under) : name_(new_name()), under_(find(under)), vfs_(*under_) {
    vfs_.szOsFile = static_cast<int>(sizeof(LogFile)) + under_->szOsFile;
    vfs_.pNext = nullptr;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = under_;
    vfs_.xOpen = open;
    vfs_.xDelete = remove;
    vfs_.xAccess = access;
    vfs_.xFullPathname = full_name;
    sqlite3_vfs_register(&vfs_, 0);
}

LogVfs::~LogVfs() { sqlite3_vfs_unregister(&vfs_); }

}  // namespace orbridge
