#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "bridge/app.h"
#include "bridge/cli/api.h"
#include "bridge/plan.h"
#include "bridge/run/service.h"
#include "bridge/run/worker.h"
#include "bridge/standby.h"

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

/// What one run of the daemon goes through its stages with.
struct Run {
    const Args& args;
    const sigset_t& signals;
    App::Tools tools;
    Settings settings;
    Complaints& complaints;
    std::unique_ptr<Standby> standby{};  ///< only while another process has the store
};

Status tell_where(const Run& run, int port) {
    if (run.args.has("port-file") && !write_port_file(run.args.get("port-file"), port))
        return Error{Error::Kind::Unavailable, "cannot write " + run.args.get("port-file")};
    return Ok{};
}

/// 0: none came in time.
int next_signal(const sigset_t& signals, milliseconds within) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(within);
    const timespec limit{seconds.count(), std::chrono::nanoseconds(within - seconds).count()};
    const int signal = sigtimedwait(&signals, nullptr, &limit);
    return signal > 0 ? signal : 0;
}

/// SIGHUP to one that waits: what is wrong with the configuration is said now, and not when it must take over.
void read_again(Run& run) {
    service::reloading();
    auto& log = run.tools.log;
    Complaints complaints;
    auto fresh = read_settings(ConfigNode::load(config_file(run.args), complaints), complaints);
    if (complaints.empty()) make_plan(fresh, {}, complaints);
    for (const auto& line : complaints.lines()) log.error("reload.refused", {{"complaint", line}});
    if (complaints.empty()) {
        for (const auto& line : differences(run.settings, fresh)) log.info("reload.changed", {{"what", line}});
        fresh.http.listen = run.settings.http.listen;
        fresh.store.path = run.settings.store.path;
        fresh.standby.enabled = true;
        run.settings = std::move(fresh);
        log.info("reload.done");
    }
    service::ready();
}

Status stand_by(Run& run) {
    if (run.standby) return Ok{};
    auto standby = Standby::start(run.settings, run.tools.log, run.tools.inherited_socket);
    if (!standby) return standby.error();
    run.standby = *std::move(standby);
    if (auto told = tell_where(run, run.standby->port()); !told) return told;
    service::say("stands by: another process has the store");
    service::ready();
    return Ok{};
}

/// True: nobody has the store any more. False: a signal ends us.
bool wait_for_store(Run& run) {
    const auto watchdog = service::watchdog_interval();
    while (!run.standby->store_is_free()) {
        service::alive();
        const auto poll = run.settings.standby.poll;
        const int signal = next_signal(run.signals, watchdog ? std::min(poll, *watchdog / 2) : poll);
        if (signal == SIGHUP) read_again(run);
        if (signal == 0 || signal == SIGHUP) continue;
        run.tools.log.info("bridge.stopping", {{"signal", signal}});
        return false;
    }
    return true;
}

/// Through the socket of the standby, if there is one. That goes on answering until the App does, so that nobody who
/// connects meanwhile is refused.
Result<std::unique_ptr<App>> start_once(Run& run) {
    if (!run.standby) return App::start(run.settings, run.tools, run.complaints);
    auto socket = run.standby->socket();
    if (!socket) return Error{Error::Kind::Unavailable, "cannot take over: too many open files"};
    run.tools.log.info("bridge.taking_over", {{"store", run.settings.store.path}});
    auto tools = run.tools;
    tools.inherited_socket = socket.get();
    tools.socket_outlives = run.tools.inherited_socket >= 0;
    auto app = App::start(run.settings, tools, run.complaints);
    const bool still_ours = !app && app.error().kind == Error::Kind::Conflict;
    if (!still_ours) socket.release();
    if (app) run.standby.reset();
    return app;
}

/// Nothing: a signal came while another process had the store.
Result<std::unique_ptr<App>> start(Run& run) {
    for (;;) {
        auto app = start_once(run);
        const bool taken = !app && run.complaints.empty() && app.error().kind == Error::Kind::Conflict;
        if (!taken || !run.settings.standby.enabled) return app;
        if (auto stands_by = stand_by(run); !stands_by) return stands_by.error();
        if (!wait_for_store(run)) return std::unique_ptr<App>();
    }
}

int serve(Run& run) {
    auto app = start(run);
    if (!run.complaints.empty()) {
        for (const auto& line : run.complaints.lines()) std::cerr << line << "\n";
        return kConfiguration;
    }
    if (!app) return fail(app.error());
    auto& log = run.tools.log;
    if (*app) {
        if (auto told = tell_where(run, (*app)->port()); !told) return fail(told.error());
        service::say("works");
        service::ready();
        auto watchdog = watch(**app, log);
        wait_for_signals(**app, run.signals, config_file(run.args), log);
        service::stopping();
        watchdog.reset();
        (*app)->stop();
    }
    log.info("bridge.stopped");
    return kOk;
}

}  // namespace

int run_serve(const Args& args) {
    const auto signals = block_signals();
    raise_file_limit();
    Complaints complaints;
    auto settings = load_settings(args, complaints);
    if (!settings) return kConfiguration;
    if (args.has("standby")) settings->standby.enabled = true;
    const SystemClock clock;
    SystemRandom random;
    Log log(clock, level_of(settings->log_level), to_standard_error());
    const auto socket = service::inherited_socket();
    if (!socket) return fail(socket.error());
    Run run{args, signals, {clock, random, log, *socket}, *std::move(settings), complaints};
    return serve(run);
}

}  // namespace orbridge::cli
