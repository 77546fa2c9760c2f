#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "bridge/core/result.h"

namespace orbridge {

/// Who has a store, in its own words: for people, never for decisions. Empty host: it did not say.
struct StoreHolder {
    std::string host;
    std::int64_t pid = 0;
    bool operator==(const StoreHolder&) const = default;
};

/// Holds `<path>.lock` for this process: claims live in memory, so two processes on one file would each
/// hand out the same delivery. The kernel lets go when the process ends, however it ends; no program that it starts
/// inherits it.
class FileLock {
public:
    /// Conflict: another process has it. Invalid: the folder is missing or not writable, or its file system gives no
    /// locks.
    static Result<FileLock> take(const std::string& path);
    /// Who has it, without taking it. Nothing: nobody, or it cannot be told, and then take() says why.
    static std::optional<StoreHolder> holder(const std::string& path);
    FileLock(FileLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
    FileLock& operator=(FileLock&&) = delete;
    ~FileLock();

private:
    explicit FileLock(int file) : file_(file) {}
    int file_;
};

}  // namespace orbridge
