/// Accepting and delivering end to end through the real binary, as ratios to raw limits of the same run.
///     bench_fanout [rounds=5] [scenario…]     scenarios: one ten latency hang8 hang2000 burst million retention
#include <sched.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "tests/bench/bridge.h"
#include "tests/bench/load.h"
#include "tests/bench/sink.h"

namespace {

using namespace orbridge::bench;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string path_of(int target) { return "/api/w/main/jobs/run/p/f/bench/t" + std::to_string(target); }

std::string target(const std::string& name, int port, const std::string& path, const std::string& more = "") {
    return "  " + name + ": {adapter: windmill, token: t, url: 'http://127.0.0.1:" + std::to_string(port) + path + "'" +
           more + "}\n";
}

/// `count` targets that take every event; those before `hanging` never answer.
std::string configuration(int port, int count, int hanging = 0, const std::string& more = "") {
    std::string targets = "targets:\n";
    std::string routes = "routes:\n";
    for (int i = 0; i < count; ++i) {
        const auto name = "t" + std::to_string(i);
        targets +=
            target(name, port, i < hanging ? "/api/w/main/jobs/run/p/f/hang/t" + std::to_string(i) : path_of(i), more);
        routes += "  - {channel: Object, to: " + name + "}\n";
    }
    return targets + routes;
}

bool wait_for(std::uint64_t count, const Sink& sink, std::chrono::seconds limit) {
    const auto end = Clock::now() + limit;
    while (sink.arrived() < count && Clock::now() < end) std::this_thread::sleep_for(2ms);
    return sink.arrived() >= count;
}

/// Client and sink together on one core: what a loopback POST costs at least.
double raw_posts_per_second() {
    cpu_set_t all;
    sched_getaffinity(0, sizeof all, &all);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    double rate = 0;
    {
        Sink sink;
        const std::string request =
            "POST " + path_of(0) +
            "?job_id=0190d3e2-6f4b-7a00-8000-000000000001 HTTP/1.1\r\nHost: x\r\nContent-Length: 1024\r\n\r\n" +
            std::string(1024, 'x');
        rate = run_load(sink.port(), 16, 1s, [&] { return request; }).per_second;
    }
    sched_setaffinity(0, sizeof all, &all);
    return rate;
}

struct Run {
    double accepts = 0, deliveries = 0, cpu_each_us = 0, rss_peak = 0;
};

/// Accepts for a while, then waits until all was delivered.
Run accept_and_deliver(const fs::path& folder, int targets, int hanging, std::chrono::milliseconds time,
                       int connections = 256) {
    fs::create_directories(folder);
    Run run;
    {
        Sink sink;
        Bridge bridge(folder, configuration(sink.port(), targets, hanging));
        Requests requests;
        const auto start = Clock::now();
        const auto load = run_load(bridge.port(), connections, time, [&] { return requests.next(); });
        const auto wanted = load.answered * static_cast<std::uint64_t>(targets - hanging);
        if (!wait_for(wanted, sink, 120s))
            std::printf("  only %llu of %llu arrived\n", static_cast<unsigned long long>(sink.arrived()),
                        static_cast<unsigned long long>(wanted));
        run.accepts = static_cast<double>(load.answered) / since(start);
        run.deliveries = static_cast<double>(sink.arrived()) / since(start);
        run.cpu_each_us = bridge.cpu_seconds() * 1e6 / static_cast<double>(std::max<std::uint64_t>(1, sink.arrived()));
        run.rss_peak = bridge.rss_peak_mib();
    }
    fs::remove_all(folder);
    return run;
}

std::vector<Run> repeat(const fs::path& folder, int rounds, int targets, int hanging, std::chrono::milliseconds time) {
    std::vector<Run> runs;
    for (int i = 0; i < rounds; ++i) runs.push_back(accept_and_deliver(folder, targets, hanging, time));
    return runs;
}

double median_of(const std::vector<Run>& runs, double Run::*figure) {
    std::vector<double> values;
    for (const auto& run : runs) values.push_back(run.*figure);
    return median(values);
}

void fan_out(const fs::path& folder, int rounds, int targets, double raw) {
    const auto runs = repeat(folder, rounds, targets, 0, 2s);
    const auto figure = median_of(runs, targets == 1 ? &Run::accepts : &Run::deliveries);
    std::printf("accept and deliver to %d: %.0f %s/s, ratio to one core's raw POSTs %.2f; %.0f us CPU a delivery\n",
                targets, figure, targets == 1 ? "events" : "deliveries", figure / raw,
                median_of(runs, &Run::cpu_each_us));
}

/// At a steady rate: time from sending the event to its arrival at the sink.
void latency(const fs::path& folder, double raw) {
    fs::create_directories(folder);
    std::vector<double> ms;
    const auto fsync = fsync_rate(folder);
    {
        Sink sink;
        std::mutex mutex;
        std::unordered_map<std::string, Clock::time_point> sent;
        sink.when_arrived([&](std::string_view, std::string_view body) {
            const auto at = body.find("\"uuid\":\"");
            const std::lock_guard lock(mutex);
            const auto found = sent.find(std::string(body.substr(at + 8, 36)));
            if (found != sent.end()) ms.push_back(since(found->second) * 1000);
        });
        Bridge bridge(folder, configuration(sink.port(), 1));
        Requests requests;
        auto next = Clock::now();
        const auto paced = [&] {
            next += 2ms;
            std::this_thread::sleep_until(next);
            auto request = requests.next();
            const std::lock_guard lock(mutex);
            sent[requests.last_uuid()] = Clock::now();
            return request;
        };
        run_load(bridge.port(), 1, 5s, paced);
        std::this_thread::sleep_for(500ms);
    }
    std::sort(ms.begin(), ms.end());
    if (ms.empty()) return;
    const double least = 1000 / fsync + 1000 / raw;
    std::printf(
        "at up to 500 events/s: receipt to arrival p50 %.2f ms, p99 %.2f ms; one fsync and one POST %.2f ms, ratio "
        "%.1f\n",
        ms[ms.size() / 2], ms[ms.size() * 99 / 100], least, ms[ms.size() / 2] / least);
    fs::remove_all(folder);
}

void one_of_eight_hangs(const fs::path& folder, int rounds) {
    const auto without = median_of(repeat(folder, rounds, 7, 0, 1s), &Run::deliveries);
    const auto with = median_of(repeat(folder, rounds, 8, 1, 1s), &Run::deliveries);
    std::printf("1 of 8 targets hangs: the other 7 get %.0f deliveries/s, without it %.0f, ratio %.2f\n", with, without,
                with / without);
}

/// 2,000 targets of which one event each hangs; then a healthy one is measured.
void two_thousand_hang(const fs::path& folder) {
    constexpr int kHanging = 2'000;
    const auto measure = [&](int hanging, double& rss) {
        fs::create_directories(folder);
        double rate = 0;
        {
            Sink sink;
            std::string targets =
                "deliver: {in_flight_max: 4096}\ntargets:\n" + target("healthy", sink.port(), path_of(0));
            std::string routes = "routes:\n  - {channel: Object, to: healthy}\n";
            for (int i = 0; i < hanging; ++i) {
                const auto name = "h" + std::to_string(i);
                targets += target(name, sink.port(), "/api/w/main/jobs/run/p/f/hang/" + name,
                                  ", timeout: 60s, in_flight_max: 1");
                routes += "  - {channel: Register, to: " + name + "}\n";
            }
            Bridge bridge(folder, targets + routes);
            Requests requests;
            const auto before = bridge.rss_mib();
            Requests feed("RegisterCreatedEvent.standard.http");
            run_load(bridge.port(), 1, 1ms, [&] { return feed.next(); });
            const auto end = Clock::now() + 20s;
            while (sink.hanging() < static_cast<std::uint64_t>(hanging) && Clock::now() < end)
                std::this_thread::sleep_for(5ms);
            rss = (bridge.rss_mib() - before) * 1024 / std::max(1, hanging);
            std::printf("  %llu hang\n", static_cast<unsigned long long>(sink.hanging()));
            const auto arrived = sink.arrived();
            const auto start = Clock::now();
            run_load(bridge.port(), 16, 2s, [&] { return requests.next(); });
            rate = static_cast<double>(sink.arrived() - arrived) / since(start);
        }
        fs::remove_all(folder);
        return rate;
    };
    double rss = 0;
    double unused = 0;
    const auto with = measure(kHanging, rss);
    const auto without = measure(0, unused);
    std::printf("%d targets hang: the healthy one gets %.0f/s, without them %.0f/s, ratio %.2f; %.1f KiB each\n",
                kHanging, with, without, with / without, rss);
}

/// Those that were written into the file with no time.
long old_events(const fs::path& file) {
    sqlite3* db = nullptr;
    sqlite3_open(file.c_str(), &db);
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(db, "SELECT count(*) FROM events WHERE received_at = 0", -1, &statement, nullptr);
    const long count = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return count;
}

void burst(const fs::path& folder) {
    fs::create_directories(folder);
    {
        Sink sink;
        Bridge bridge(folder, configuration(sink.port(), 1));
        Requests requests;
        const auto start = Clock::now();
        std::uint64_t sent = 0;
        const auto load = run_load(bridge.port(), 64, 5s, [&] { return ++sent, requests.next(); });
        wait_for(load.answered, sink, 120s);
        std::printf("burst of %llu events in 5 s: all delivered after %.1f s, peak RSS %.0f MiB\n",
                    static_cast<unsigned long long>(load.answered), since(start), bridge.rss_peak_mib());
    }
    fs::remove_all(folder);
}

/// A million deliveries wait for a target that refuses connections; they are written straight into the file.
void million_pending(const fs::path& folder) {
    fs::create_directories(folder);
    Sink sink;
    const auto dead = target("dead", 1, "/api/w/main/jobs/run/p/f/x/y");
    const auto both = "targets:\n" + dead + target("healthy", sink.port(), path_of(0)) +
                      "routes:\n  - {channel: Never, to: dead}\n  - {channel: Object, to: healthy}\n";
    { Bridge once(folder, both); }  // makes the schema
    sqlite3* db = nullptr;
    sqlite3_open((folder / "orbridge.db").c_str(), &db);
    char* problem = nullptr;
    const char* fill =
        "BEGIN;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) "
        "INSERT INTO events(seq, id, seen, state, intake, source, class, channel, event_name, subject, occurred_at, "
        "received_at, payload) SELECT i, randomblob(16), 2, 0, 1, 'bench', 'c', 'Never', 'created:' || i, '', 0, 0, "
        "x'7b7d' FROM n;"
        "INSERT INTO deliveries(seq, id, state, attempts, unclear, replayed, due_at, target, route, reason, reference) "
        "SELECT seq * 65536, randomblob(16), 0, 0, 0, 0, 0, 'dead', 'routes[0]', '', '' FROM events;"
        "COMMIT;";
    if (sqlite3_exec(db, fill, nullptr, nullptr, &problem) != SQLITE_OK)
        std::printf("million: cannot fill: %s\n", problem);
    sqlite3_close(db);
    {
        Bridge bridge(folder, both);
        Requests requests;
        const auto load = run_load(bridge.port(), 16, 3s, [&] { return requests.next(); });
        wait_for(load.answered, sink, 60s);
        std::printf("a million pending to a dead target: start %.1f s, RSS %.0f MiB; %.0f accepts/s, p99 %.1f ms\n",
                    bridge.seconds_to_start(), bridge.rss_peak_mib(), load.per_second, load.p99_ms);
    }
    fs::remove_all(folder);
}

/// Accepting while the retention removes what is long over, beside accepting with nothing to remove.
void retention(const fs::path& folder) {
    const auto measure = [&](bool old, long& removed) {
        fs::create_directories(folder);
        LoadResult load;
        {
            Sink sink;
            const auto one = configuration(sink.port(), 1);
            { Bridge once(folder, one); }  // makes the schema
            sqlite3* db = nullptr;
            sqlite3_open((folder / "orbridge.db").c_str(), &db);
            const char* fill =
                "BEGIN;"
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
                "INSERT INTO events(seq, id, seen, state, intake, source, class, channel, event_name, subject, "
                "occurred_at, received_at, payload) SELECT i, randomblob(16), 2, 0, 1, 'bench', 'c', 'Object', 'x', "
                "'', 0, "
                "0, randomblob(2000) FROM n;"
                "INSERT INTO deliveries(seq, id, state, attempts, unclear, replayed, due_at, ended_at, target, route, "
                "reason, reference) SELECT seq * 65536, randomblob(16), 2, 1, 0, 0, 0, 1, 't0', 'routes[0]', '', '' "
                "FROM "
                "events;"
                "COMMIT;";
            char* problem = nullptr;
            if (old && sqlite3_exec(db, fill, nullptr, nullptr, &problem) != SQLITE_OK)
                std::printf("retention: cannot fill: %s\n", problem);
            sqlite3_close(db);
            const auto before = old ? 100'000L : 0L;
            Bridge bridge(folder, one);
            Requests requests;
            load = run_load(bridge.port(), 64, 5s, [&] { return requests.next(); });
            removed = before - old_events(folder / "orbridge.db");
        }
        fs::remove_all(folder);
        return load;
    };
    long removed = 0;
    long none = 0;
    const auto without = measure(false, none);
    const auto with = measure(true, removed);
    std::printf(
        "retention removed %ld events in 5 s: accepts p50 %.1f ms, p99 %.1f ms; without it p50 %.1f ms, p99 %.1f ms, "
        "ratio of the p99 %.2f\n",
        removed, with.p50_ms, with.p99_ms, without.p50_ms, without.p99_ms, with.p99_ms / without.p99_ms);
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
    const std::set<std::string> chosen(argv + std::min(argc, 2), argv + argc);
    const auto wants = [&](const char* name) { return chosen.empty() || chosen.contains(name); };
    const auto folder = bench_folder();
    const auto raw = raw_posts_per_second();
    std::printf("raw loopback POSTs of one core, client and sink together: %.0f/s\n", raw);
    if (wants("one")) fan_out(folder / "a", rounds, 1, raw);
    if (wants("ten")) fan_out(folder / "b", rounds, 10, raw);
    if (wants("latency")) latency(folder / "c", raw);
    if (wants("hang8")) one_of_eight_hangs(folder / "d", rounds);
    if (wants("hang2000")) two_thousand_hang(folder / "e");
    if (wants("burst")) burst(folder / "f");
    if (wants("million")) million_pending(folder / "g");
    if (wants("retention")) retention(folder / "h");
    fs::remove_all(folder);
}
