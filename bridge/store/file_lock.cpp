#include "bridge/store/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

namespace orbridge {
namespace {

constexpr int kTriesMax = 8;

std::string name_of(const std::string& path) { return path + ".lock"; }

Error invalid(std::string_view doing, const std::string& name, std::string_view hint) {
    std::string message = "cannot ";
    message.append(doing).append(" ").append(name).append(": ").append(std::generic_category().message(errno));
    return {Error::Kind::Invalid, message.append(" (").append(hint).append(")")};
}

/// 0, or why not: EWOULDBLOCK if another process has it.
int lock(int file, int how) {
    int code = 0;
    do {
        code = ::flock(file, how | LOCK_NB);
    } while (code != 0 && errno == EINTR);
    return code == 0 ? 0 : errno;
}

/// Whether the name still means this file: somebody may have removed it between the opening and the locking.
bool is_still(int file, const std::string& name) {
    struct stat ours {};
    struct stat named {};
    return ::fstat(file, &ours) == 0 && ::stat(name.c_str(), &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

/// Says `<pid> <host>`. If the disk is full nothing stands there, which costs a standby a detail of its message.
void sign(int file) {
    utsname machine{};
    if (::ftruncate(file, 0) != 0 || ::uname(&machine) != 0) return;
    const auto text = std::to_string(::getpid()) + ' ' + std::string(&machine.nodename[0]) + '\n';
    [[maybe_unused]] const auto written = ::pwrite(file, text.data(), text.size(), 0);
}

StoreHolder signed_by(int file) {
    std::array<char, 512> bytes{};
    const auto size = ::pread(file, bytes.data(), bytes.size(), 0);
    const std::string_view text(bytes.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    const auto space = text.find(' ');
    const auto end = text.find('\n');
    if (end == std::string_view::npos || space >= end) return {};  // not yet whole
    StoreHolder holder{std::string(text.substr(space + 1, end - space - 1))};
    const auto read = std::from_chars(text.data(), text.data() + space, holder.pid);
    return read.ptr == text.data() + space ? holder : StoreHolder{};
}

}  // namespace

Result<FileLock> FileLock::take(const std::string& path) {
    const auto name = name_of(path);
    for (int tries = 0; tries < kTriesMax; ++tries) {
        FileLock taken(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
        if (taken.file_ < 0)
            return invalid("create the store's file", name, "does the folder exist, and may this user write to it?");
        const int refused = lock(taken.file_, LOCK_EX);
        if (refused == EWOULDBLOCK) {
            return Error{Error::Kind::Conflict,
                         "the store " + path + " is in use by another process: only one orbridge may have it open"};
        }
        if (refused != 0) {
            errno = refused;
            return invalid("lock the store's file", name, "a file system without locks? use a local disk");
        }
        if (!is_still(taken.file_, name)) continue;
        sign(taken.file_);
        return taken;
    }
    return Error{Error::Kind::Invalid, "the store's file " + name + " is replaced again and again while it is locked"};
}

std::optional<StoreHolder> FileLock::holder(const std::string& path) {
    const FileLock looked_at(::open(name_of(path).c_str(), O_RDONLY | O_CLOEXEC));
    if (looked_at.file_ < 0 || lock(looked_at.file_, LOCK_SH) != EWOULDBLOCK) return std::nullopt;
    return signed_by(looked_at.file_);
}

FileLock::~FileLock() {
    if (file_ >= 0) ::close(file_);
}

}  // namespace orbridge
