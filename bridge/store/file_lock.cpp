#include "bridge/store/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace orbridge {

Result<FileLock> FileLock::take(const std::string& path) {
    const auto name = path + ".lock";
    const int file = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0) {
        return Error{Error::Kind::Invalid, "cannot create the store's file " + name + ": " +
                                               std::generic_category().message(errno) +
                                               " (does the folder exist, and may this user write to it?)"};
    }
    FileLock lock(file);
    if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
        return Error{Error::Kind::Conflict,
                     "the store " + path + " is in use by another process: only one orbridge may have it open"};
    }
    return lock;
}

FileLock::~FileLock() {
    if (file_ >= 0) ::close(file_);
}

}  // namespace orbridge
