#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bridge/store/sqlite.h"
#include "bridge/store/sqlite_store.h"
#include "tests/conformance/store_world.h"
#include "tests/support/power_loss_vfs.h"

namespace orbridge::testing {

/// A store on a disk that can fail.
struct OnBadDisk {
    explicit OnBadDisk(std::uint64_t seed) : disk("bad-disk", seed) {}
    TemporaryFolder folder;
    PowerLossVfs disk;
    std::vector<std::string> lines;
    HandClock log_clock;
    Log log{log_clock, Log::Level::Info, [this](const std::string& line) { lines.push_back(line); }};

    std::string path() const { return (folder.path / "store.db").string(); }
    Result<std::unique_ptr<SqliteStore>> open(const Clock& clock) {
        StoreSettings settings;
        settings.path = path();
        return SqliteStore::open(settings, clock, log, disk.name());
    }
    bool said(const std::string& name) const {
        for (const auto& line : lines)
            if (line.find(name) != std::string::npos) return true;
        return false;
    }
};

/// Two deliveries, one of them with one of a few order keys.
inline NewEvent event_for_two(Maker& maker, std::size_t number) {
    return maker.event_with({maker.delivery_to("a", "key-" + std::to_string(number % 5)), maker.delivery_to("b")},
                            "dedup-" + std::to_string(number));
}

/// What can never be seen, however things went: in words, or nothing.
inline std::string nonsense_in(const std::string& path) {
    struct Rule {
        const char* what;
        const char* sql;
    };
    static constexpr Rule kRules[] = {
        {"an event without its deliveries",
         "SELECT 1 FROM events e WHERE (SELECT count(*) FROM deliveries WHERE seq / 65536 = e.seq AND seq BETWEEN"
         " e.seq * 65536 AND e.seq * 65536 + 65535) <> 2 LIMIT 1"},
        {"a delivery without its event",
         "SELECT 1 FROM deliveries WHERE seq / 65536 NOT IN (SELECT seq FROM events) LIMIT 1"},
        {"an end without an attempt",
         "SELECT 1 FROM deliveries WHERE state IN (2, 3) AND seq NOT IN (SELECT delivery FROM attempts) LIMIT 1"},
        {"an attempt that is not counted",
         "SELECT 1 FROM attempts a JOIN deliveries d ON d.seq = a.delivery WHERE a.number > d.attempts LIMIT 1"},
        {"a key with none or two claimable",
         "SELECT 1 FROM deliveries WHERE order_key IS NOT NULL AND state <= 1 GROUP BY order_key"
         " HAVING sum(state = 0) <> 1 LIMIT 1"},
        {"keys that are not those of the events and snapshots",
         "WITH wanted AS (SELECT source || char(10) || subject AS place, x'' AS key, id AS ref FROM snapshots"
         " UNION ALL SELECT source || char(10) || subject, dedup, seq FROM events WHERE dedup IS NOT NULL"
         " UNION ALL SELECT source || char(10) || subject, CAST(x'54' || twin AS BLOB), seq FROM events"
         " WHERE twin IS NOT NULL) SELECT 1 FROM (SELECT * FROM wanted EXCEPT SELECT place, key, ref FROM keys)"
         " UNION ALL SELECT 1 FROM (SELECT place, key, ref FROM keys EXCEPT SELECT * FROM wanted) LIMIT 1"},
    };
    Database db(path, Database::Mode::ReadOnly);
    auto integrity = db.run("PRAGMA integrity_check");
    if (!integrity.next() || integrity->view(0) != "ok") return "integrity_check: " + integrity->text(0);
    for (const auto& rule : kRules)
        if (db.run(rule.sql).next()) return rule.what;
    return "";
}

}  // namespace orbridge::testing
