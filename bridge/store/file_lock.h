#pragma once

#include <string>
#include <utility>

#include "bridge/core/result.h"

namespace orbridge {

/// Holds `<path>.lock` for this process: claims live in memory, so two processes on one file would each
/// hand out the same delivery. The kernel lets go when the process ends, however it ends.
class FileLock {
public:
    /// Conflict: another process has it. Invalid: the folder is missing or not writable.
    static Result<FileLock> take(const std::string& path);
    FileLock(FileLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
    FileLock& operator=(FileLock&&) = delete;
    ~FileLock();

private:
    explicit FileLock(int file) : file_(file) {}
    int file_;
};

}  // namespace orbridge
