#include "bridge/api/token_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

Error cannot(const std::string& what, const std::string& file) {
    return {Error::Kind::Unavailable, "cannot " + what + " " + file + ": " + std::generic_category().message(errno)};
}

std::string new_token(Random& random) {
    std::string bytes;
    for (int i = 0; i < 4; ++i) {
        const auto bits = random.bits();
        bytes.append(reinterpret_cast<const char*>(&bits), sizeof bits);
    }
    return to_hex(bytes);
}

Result<Secret> read_token(const std::string& file) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    const auto token = trim(line);
    if (token.size() < 16) return Error{Error::Kind::Invalid, file + ": expected a token of 16 characters or more"};
    return Secret(std::string(token));
}

}  // namespace

Result<Secret> read_or_make_token(const std::string& file, Random& random) {
    const int handle = ::open(file.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (handle < 0) return errno == EEXIST ? read_token(file) : Result<Secret>(cannot("make", file));
    const auto token = new_token(random);
    const auto line = token + "\n";
    const bool written = ::write(handle, line.data(), line.size()) == static_cast<ssize_t>(line.size());
    ::close(handle);
    if (written) return Secret(token);
    ::unlink(file.c_str());
    return cannot("write", file);
}

}  // namespace orbridge
