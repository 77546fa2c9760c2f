/// Durable accepts per second through SqliteStore::accept, beside a bare SQLite loop that commits as many
/// rows at once as there are threads: one table, one unique index, no queue, no threads.
///     bench_store_accept [seconds=3] [folder]
#include <sqlite3.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "bridge/core/ids.h"
#include "bridge/core/random.h"
#include "bridge/store/open.h"
#include "bridge/store/sqlite.h"

namespace {

using namespace orbridge;
namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kPayloadBytes = 2048;

struct Figures {
    double per_second = 0, cpu_us = 0, p50_ms = 0, p99_ms = 0;
};

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds_of = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

class Folder {
public:
    explicit Folder(const fs::path& path) : path_(path) {
        fs::remove_all(path_);
        fs::create_directories(path_);
    }
    ~Folder() { fs::remove_all(path_); }
    std::string file() const { return (path_ / "bench.db").string(); }

private:
    fs::path path_;
};

NewEvent make_event(IdMaker& ids, const Clock& clock, const std::string& payload) {
    NewEvent made;
    const auto uuid = ids.uuid_v7();
    made.event = {{uuid},
                  0,
                  {"cloud"},
                  Intake::Webhooks,
                  EventState::Mapped,
                  "OCA\\OpenRegister\\Event\\ObjectCreatedEvent",
                  "Object",
                  "created:zaken:aanvraag:" + uuid,
                  "object:3/12/" + uuid,
                  clock.now(),
                  clock.now(),
                  payload};
    made.dedup_key = "created:" + uuid;
    made.deliveries = {
        {ids.delivery_id(), {"on-object"}, "routes[0]", "cloud/object:3/12/" + uuid, clock.now(), false}};
    return made;
}

double percentile(std::vector<double>& sorted, double share) {
    if (sorted.empty()) return 0;
    return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

/// What one thread does: accepts until told to stop.
std::vector<double> accept_until(Store& store, IdMaker& ids, const Clock& clock, const std::atomic<bool>& stop) {
    const std::string payload(kPayloadBytes, 'x');
    std::vector<double> took_ms;
    while (!stop) {
        const auto event = make_event(ids, clock, payload);
        const auto start = Steady::now();
        const auto accepted = store.accept(event);
        if (!accepted) {
            std::fprintf(stderr, "%s\n", accepted.error().message.c_str());
            std::exit(1);
        }
        took_ms.push_back(std::chrono::duration<double, std::milli>(Steady::now() - start).count());
    }
    return took_ms;
}

Figures measure_store(const fs::path& where, int threads, std::chrono::duration<double> time) {
    const Folder folder(where);
    const SystemClock clock;
    SeededRandom random(1);
    IdMaker ids(clock, random);
    Log log(clock, Log::Level::Error, to_nowhere());
    StoreSettings settings;
    settings.path = folder.file();
    const auto store = open_store(settings, clock, log);
    if (!store) std::exit(1);
    std::atomic<bool> stop = false;
    std::vector<std::vector<double>> took(static_cast<std::size_t>(threads));
    const auto cpu = cpu_seconds();
    const auto start = Steady::now();
    {
        std::vector<std::jthread> running;
        for (auto& one : took) running.emplace_back([&] { one = accept_until(**store, ids, clock, stop); });
        std::this_thread::sleep_for(time);
        stop = true;
    }
    const std::chrono::duration<double> elapsed = Steady::now() - start;
    std::vector<double> all;
    for (const auto& one : took) all.insert(all.end(), one.begin(), one.end());
    std::sort(all.begin(), all.end());
    const auto count = static_cast<double>(all.size());
    return {count / elapsed.count(), (cpu_seconds() - cpu) / count * 1e6, percentile(all, 0.5), percentile(all, 0.99)};
}

constexpr const char* kInsert = "INSERT INTO t (id, payload) VALUES (?, ?)";

Figures measure_reference(const fs::path& where, int batch, std::chrono::duration<double> time) {
    const Folder folder(where);
    const SystemClock clock;
    SeededRandom random(1);
    IdMaker ids(clock, random);
    Database db(folder.file(), Database::Mode::ReadWrite);
    db.script(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "CREATE TABLE t (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, payload BLOB)");
    const std::string payload(kPayloadBytes, 'x');
    double count = 0;
    const auto cpu = cpu_seconds();
    const auto start = Steady::now();
    while (Steady::now() - start < time) {
        db.script("BEGIN IMMEDIATE");
        for (int i = 0; i < batch; ++i) db.exec(kInsert, std::string_view(ids.uuid_v7()), Blob{payload});
        db.script("COMMIT");
        count += batch;
    }
    const std::chrono::duration<double> elapsed = Steady::now() - start;
    return {count / elapsed.count(), (cpu_seconds() - cpu) / count * 1e6};
}

}  // namespace

int main(int argc, char** argv) {
    const std::chrono::duration<double> time(argc > 1 ? std::atof(argv[1]) : 3.0);
    const fs::path where = (argc > 2 ? fs::path(argv[2]) : fs::temp_directory_path()) / "orbridge-bench-store";
    std::printf("%8s %12s %10s %9s %9s %14s %8s\n", "threads", "accepts/s", "cpu us", "p50 ms", "p99 ms", "reference/s",
                "ratio");
    for (const int threads : {1, 16, 64, 256}) {
        const auto reference = measure_reference(where, std::min(threads, 128), time);
        const auto store = measure_store(where, threads, time);
        std::printf("%8d %12.0f %10.1f %9.2f %9.2f %14.0f %8.2f\n", threads, store.per_second, store.cpu_us,
                    store.p50_ms, store.p99_ms, reference.per_second, store.per_second / reference.per_second);
        std::fflush(stdout);
    }
}
