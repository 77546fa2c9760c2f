#include <pthread.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "bridge/app.h"
#include "bridge/cli/api.h"
#include "bridge/run/service.h"
#include "bridge/run/worker.h"

namespace orbridge::cli {
namespace {

/// Signals are taken by the main thread alone, in wait_for_signals(); every thread started later inherits the mask.
sigset_t block_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGCHLD, SIG_IGN);  // as PID 1 of a container we are left with children of others: none stays a zombie
    std::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is an error of that write, like a full disk
    return set;
}

/// A subscriber that hangs costs a socket, and there may be thousands. The usual soft limit is 1024.
void raise_file_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

Log::Level level_of(const std::string& word) {
    if (word == "debug") return Log::Level::Debug;
    if (word == "warning") return Log::Level::Warning;
    return word == "error" ? Log::Level::Error : Log::Level::Info;
}

/// Whoever waits for the file never reads half a number.
bool write_port_file(const std::string& file, int port) {
    const auto fresh = file + ".new";
    std::ofstream(fresh) << port << "\n";
    std::error_code code;
    std::filesystem::rename(fresh, file, code);
    return !code;
}

void reload(App& app, const std::string& file, Log& log) {
    service::reloading();
    Complaints complaints;
    auto settings = read_settings(ConfigNode::load(file, complaints), complaints);
    if (complaints.empty()) app.reload(std::move(settings), complaints);
    for (const auto& line : complaints.lines()) log.error("reload.refused", {{"complaint", line}});
    service::ready();
}

/// Says to systemd that we are alive, twice as often as it asks for, as long as we are. Nothing if it does not ask.
std::optional<Worker> watch(App& app, Log& log) {
    const auto interval = service::watchdog_interval();
    if (!interval) return std::nullopt;
    return std::optional<Worker>(std::in_place, [&app, &log, pause = *interval / 2] {
        if (app.alive()) {
            service::alive();
        } else {
            log.error("watchdog.no_answer", {{"reason", "the daemon does not answer itself; systemd will restart it"}});
        }
        return pause;
    });
}

void wait_for_signals(App& app, const sigset_t& signals, const std::string& file, Log& log) {
    for (;;) {
        int signal = 0;
        sigwait(&signals, &signal);
        if (signal != SIGHUP) {
            log.info("bridge.stopping", {{"signal", signal}});
            return;
        }
        reload(app, file, log);
    }
}

}  // namespace

int run_serve(const Args& args) {
    const auto signals = block_signals();
    raise_file_limit();
    Complaints complaints;
    auto settings = load_settings(args, complaints);
    if (!settings) return kConfiguration;
    const SystemClock clock;
    SystemRandom random;
    Log log(clock, level_of(settings->log_level), to_standard_error());
    const auto socket = service::inherited_socket();
    if (!socket) return fail(socket.error());
    auto app = App::start(*settings, {clock, random, log, *socket}, complaints);
    if (!complaints.empty()) {
        for (const auto& line : complaints.lines()) std::cerr << line << "\n";
        return kConfiguration;
    }
    if (!app) return fail(app.error());
    if (args.has("port-file") && !write_port_file(args.get("port-file"), (*app)->port()))
        return fail({Error::Kind::Unavailable, "cannot write " + args.get("port-file")});
    service::ready();
    auto watchdog = watch(**app, log);
    wait_for_signals(**app, signals, config_file(args), log);
    service::stopping();
    watchdog.reset();
    (*app)->stop();
    log.info("bridge.stopped");
    return kOk;
}

}  // namespace orbridge::cli
