#pragma once

#include <optional>
#include <string>

#include "bridge/core/clock.h"
#include "bridge/core/result.h"

/// What systemd and the daemon tell each other (sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3)). Started by
/// anything else all of it does nothing. The environment is read: only before there are other threads.
namespace orbridge::service {

/// The socket that systemd holds open for us over restarts. -1: there is none, listen yourself.
/// Invalid: more than one, or not a listening stream socket. Later child processes do not see it.
Result<int> inherited_socket();

/// How often alive() is expected at least; nothing: not at all.
std::optional<milliseconds> watchdog_interval();

// From any thread.
void ready();
void reloading();  ///< ready() ends it
void stopping();
void alive();
void say(const std::string& status);  ///< one line, for `systemctl status`

}  // namespace orbridge::service
