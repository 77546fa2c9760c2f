#include "bridge/run/service.h"

#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <string>
#include <system_error>

namespace orbridge::service {

Result<int> inherited_socket() {
    const int count = sd_listen_fds(1);
    if (count == 0) return -1;
    if (count < 0) {
        const auto why = std::generic_category().message(-count);
        return Error{Error::Kind::Invalid, "the sockets handed over cannot be read: " + why};
    }
    if (count > 1) {
        return Error{Error::Kind::Invalid, std::to_string(count) +
                                               " sockets were handed over, expected one: the socket unit must have one "
                                               "ListenStream="};
    }
    if (sd_is_socket(SD_LISTEN_FDS_START, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
        return Error{Error::Kind::Invalid, "what was handed over is not a listening stream socket"};
    return SD_LISTEN_FDS_START;
}

std::optional<milliseconds> watchdog_interval() {
    std::uint64_t microseconds = 0;
    if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
    return std::chrono::duration_cast<milliseconds>(std::chrono::microseconds{microseconds});
}

void ready() { sd_notify(0, "READY=1"); }
void reloading() { sd_notify(0, "RELOADING=1"); }
void stopping() { sd_notify(0, "STOPPING=1"); }
void alive() { sd_notify(0, "WATCHDOG=1"); }
void say(const std::string& status) { sd_notify(0, ("STATUS=" + status).c_str()); }

}  // namespace orbridge::service
