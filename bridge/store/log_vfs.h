#pragma once

#include <sqlite3.h>

#include <string>

namespace orbridge {

/// An SQLite VFS over another one that puts together what is written to a write-ahead log between two syncs. SQLite
/// writes each page of a transaction, and the few bytes before it, by a call of its own; here they go out in large
/// pieces, at the latest with the sync. Everything else goes straight through.
///
/// For connections with `synchronous=FULL` only: those sync the log before they tell others that something is in it, so
/// that nobody looks for what is not written yet. A write that fails is told by the sync, or by the next call that
/// looks at the file, and what was put together is forgotten then, as it belongs to a transaction that fails with it.
///
/// Any thread. It must outlive the connections that use it, and the one under it must outlive it.
class LogVfs {
public:
    /// Over the registered VFS of this name; empty: SQLite's own. Throws SqliteProblem if there is none.
    explicit LogVfs(const std::string& under);
    ~LogVfs();
    LogVfs(const LogVfs&) = delete;
    LogVfs& operator=(const LogVfs&) = delete;

    const std::string& name() const { return name_; }

private:
    std::string name_;
    sqlite3_vfs* under_;
    sqlite3_vfs vfs_;
};

}  // namespace orbridge
