#include "bridge/receive/connection.h"

#include <sys/socket.h>

#include <cerrno>

namespace orbridge {
namespace {

Moved moved(ssize_t count) {
    if (count >= 0) return {.bytes = static_cast<std::size_t>(count)};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {.would_block = true};
    return {.ended = true};
}

}  // namespace

Moved receive_some(const Fd& socket, char* buffer, std::size_t size) {
    ssize_t count = 0;
    do count = ::recv(socket.get(), buffer, size, 0);
    while (count < 0 && errno == EINTR);
    if (count == 0) return {.ended = true};
    return moved(count);
}

Moved send_some(const Fd& socket, std::string_view bytes) {
    ssize_t count = 0;
    do count = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    while (count < 0 && errno == EINTR);
    return moved(count);
}

}  // namespace orbridge
