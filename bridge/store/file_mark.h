#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <utility>

namespace orbridge {

/// Which files stand under the names of a database and its log. An open file that lost its name still takes
/// writes, and loses them when it is closed.
struct FileMark {
    using FileId = std::pair<dev_t, ino_t>;
    std::optional<FileId> database, log;

    static FileMark of(const std::string& path) { return {id_of(path), id_of(path + "-wal")}; }
    friend bool operator==(const FileMark&, const FileMark&) = default;

private:
    static std::optional<FileId> id_of(const std::string& path) {
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0) return std::nullopt;
        return FileId{status.st_dev, status.st_ino};
    }
};

}  // namespace orbridge
