#include <algorithm>
#include <chrono>
#include <thread>

#include "bridge/core/json.h"
#include "bridge/core/text.h"
#include "bridge/store/sqlite_keys.h"
#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_snapshot_rows.h"
#include "bridge/store/sqlite_store.h"

// How one subject is forgotten.
//
// Removed or overwritten rows are overwritten in the file too (PRAGMA secure_delete, for all that the writer does), but
// what they were still stands in the log, until it is written to the database and cut. That is the last step. Events
// go in small transactions, the youngest first, so that nobody waits long and no delivery gets its turn that is about
// to end. What is accepted meanwhile is found by the last transaction.
namespace orbridge {
namespace {

using rows::ms;

constexpr std::size_t kEraseAtOnce = 100;     // events in one transaction: others wait that long at most
constexpr std::int64_t kLookAtOnce = 20'000;  // events in one read: a long one keeps the log from being reused
constexpr int kFlushTries = 5;
constexpr std::chrono::milliseconds kBetweenFlushes{200};

constexpr const char* kFirstAndLast = "SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM events";
constexpr const char* kAbout =
    "SELECT seq, subject = '' FROM events WHERE seq > ?1 AND seq <= ?2 AND (subject = ?3 OR (subject = '' AND"
    " length(?5) > 0 AND instr(payload, ?5) > 0)) AND (?4 = '' OR source = ?4) AND state <> 2 ORDER BY seq";
constexpr const char* kWas = "SELECT state, subject = '' FROM events WHERE seq = ?1 AND state <> 2";
constexpr const char* kEraseEvent =
    "UPDATE events SET state = 2, subject = ?2, payload = x'', event_name = iif(instr(event_name, ':') = 0, event_name,"
    " substr(event_name, 1, instr(event_name, ':') - 1)) WHERE seq = ?1 AND state <> 2";
constexpr const char* kOpen =
    "SELECT seq, target, order_key FROM deliveries WHERE seq BETWEEN ? AND ? AND state <= 1 ORDER BY seq DESC";
constexpr const char* kEnd = "UPDATE deliveries SET state = 5, ended_at = ?2 WHERE seq = ?1";
constexpr const char* kBlankDeliveries =
    "UPDATE deliveries SET reason = iif(reason <> '' OR (state = 5 AND ended_at = ?3), 'erased', ''), mark = ''"
    " WHERE seq BETWEEN ?1 AND ?2";
constexpr const char* kBlankAttempts =
    "UPDATE attempts SET reason = '', answer = x'', message = '' WHERE delivery BETWEEN ? AND ?";
constexpr const char* kRemoveProgress = "DELETE FROM progress WHERE delivery BETWEEN ? AND ?";
constexpr const char* kBlankRuns = "UPDATE runs SET params = 'null', message = '' WHERE delivery BETWEEN ? AND ?";
constexpr const char* kBlankRunsNaming =
    "UPDATE runs SET params = 'null', message = '' WHERE instr(params, ?1) > 0 OR instr(message, ?1) > 0";
constexpr const char* kBlankJobs =
    "UPDATE jobs SET result = '', state = iif(next_check_at IS NULL, state, 'lost'), next_check_at = NULL"
    " WHERE delivery BETWEEN ? AND ?";
constexpr const char* kRemoveHeaders = "DELETE FROM kept_headers WHERE event = ?";
constexpr const char* kRemoveDifference = "DELETE FROM differences WHERE event = ?";

constexpr const char* kCountOpen = "SELECT count(*) FROM deliveries WHERE seq BETWEEN ? AND ? AND state <= 1";
constexpr const char* kCountAttempts = "SELECT count(*) FROM attempts WHERE delivery BETWEEN ? AND ?";
constexpr const char* kCountJobs = "SELECT count(*) FROM jobs WHERE delivery BETWEEN ? AND ?";

constexpr const char* kNextSource = "SELECT source FROM snapshots WHERE source > ? ORDER BY source LIMIT 1";
constexpr const char* kHasSnapshot = "SELECT 1 FROM keys WHERE place = ? AND key = x''";
// Only from then on the keys of what was erased are looked for, which are under its new name.
constexpr const char* kSomeErased =
    "INSERT INTO notes (key, value) VALUES ('store.erased', '1') ON CONFLICT DO NOTHING";

constexpr const char* kNaming = "SELECT number FROM audit WHERE subject = ?1 OR instr(detail, ?2) > 0";
constexpr const char* kBlankAudit =
    "UPDATE audit SET subject = iif(subject = ?2, ?3, subject), detail = '{}' WHERE number = ?1";

constexpr const char* kCheckpoint = "PRAGMA wal_checkpoint(TRUNCATE)";

std::int64_t first_of(std::int64_t event) { return rows::delivery_seq(event, 0); }
std::int64_t last_of(std::int64_t event) { return rows::delivery_seq(event, rows::kDeliveriesPerEvent - 1); }

std::uint64_t count(Database& db, const char* sql, std::int64_t event) {
    auto cursor = db.run(sql, first_of(event), last_of(event));
    return cursor.next() ? static_cast<std::uint64_t>(cursor->integer(0)) : 0;
}

struct About {
    std::vector<std::int64_t> events;
    std::uint64_t without_subject = 0;
};

void find_about(Database& db, const ErasureOrder& order, std::int64_t after, std::int64_t last, About& about) {
    const auto text = erasure_text(order);
    auto cursor =
        db.run(kAbout, after, last, std::string_view(order.subject), std::string_view(order.source), Blob{text});
    while (cursor.next()) {
        about.events.push_back(cursor->integer(0));
        about.without_subject += cursor->small(1) != 0 ? 1 : 0;
    }
}

std::vector<std::string> sources_with(Database& db, const ErasureOrder& order) {
    std::vector<std::string> all, found;
    if (!order.source.empty()) all.push_back(order.source);
    for (std::string last; order.source.empty();) {
        auto cursor = db.run(kNextSource, std::string_view(last));
        if (!cursor.next()) break;
        all.push_back(last = cursor->text(0));
    }
    for (auto& source : all) {
        if (db.run(kHasSnapshot, std::string_view(rows::place_of(source, order.subject))).next())
            found.push_back(std::move(source));
    }
    return found;
}

std::vector<std::int64_t> audit_naming(Database& db, const std::string& subject) {
    std::vector<std::int64_t> numbers;
    const auto named = json_string(subject);
    auto cursor = db.run(kNaming, std::string_view(subject), std::string_view(named));
    while (cursor.next()) numbers.push_back(cursor->integer(0));
    return numbers;
}

}  // namespace

std::string erasure_text(const ErasureOrder& order) {
    constexpr std::size_t kTooShort = 8;  // a number would be found in what has nothing to do with it
    auto text = order.text;
    if (text.empty()) {
        const auto behind = order.subject.find_last_of("/:");
        text = behind == std::string::npos ? order.subject : order.subject.substr(behind + 1);
        if (text.size() < kTooShort) return {};
    }
    const auto quoted = json_string(text);
    return quoted.substr(1, quoted.size() - 2);
}

std::string erased_name(const std::string& subject) { return "erased:" + to_hex(sha256(subject)).substr(0, 32); }

/// What a transaction of an erasure has done; begun anew if it is run again.
struct SqliteStore::Erasing {
    TimePoint now;
    std::string name;
    std::int64_t looked_to = 0;         ///< the last event that was looked at before
    std::vector<std::int64_t> audit{};  ///< rows that name the subject
    Erasure done{};
    TallyChange change{};
    std::vector<std::int64_t> ended{};

    void begin() {
        done = {};
        change.clear();
        ended.clear();
    }
    void end_open(Database& db, std::int64_t event) {
        struct Open {
            std::int64_t seq;
            std::string target;
            std::optional<std::int64_t> order_key;
        };
        std::vector<Open> open;
        for (auto cursor = db.run(kOpen, first_of(event), last_of(event)); cursor.next();) {
            open.push_back({cursor->integer(0), cursor->text(1), std::nullopt});
            if (!cursor->is_null(2)) open.back().order_key = cursor->integer(2);
        }
        for (const auto& one : open) {
            db.exec(kEnd, one.seq, ms(now));
            rows::promote(db, one.order_key);
            change.moves.push_back({{one.target}, DeliveryState::Pending, DeliveryState::Cancelled});
            done.woken.push_back({one.target});
            ended.push_back(one.seq);
        }
        done.deliveries += open.size();
    }
    void erase_event(Database& db, std::int64_t event) {
        bool had_subject = false;
        {
            auto was = db.run(kWas, event);
            if (!was.next()) return;  // pruned meanwhile
            change.unmapped -= was->small(0) == rows::code(EventState::Unmapped) ? 1 : 0;
            had_subject = was->small(1) == 0;
        }
        done.without_subject += had_subject ? 0 : 1;
        if (had_subject) rows::take_keys(db, event);
        db.exec(kEraseEvent, event, std::string_view(name));
        if (had_subject) rows::put_keys(db, event);  // else it comes again without one
        ++done.events;
        end_open(db, event);
        db.exec(kBlankDeliveries, first_of(event), last_of(event), ms(now));
        done.attempts += static_cast<std::uint64_t>(db.exec(kBlankAttempts, first_of(event), last_of(event)));
        db.exec(kRemoveProgress, first_of(event), last_of(event));
        db.exec(kBlankRuns, first_of(event), last_of(event));
        done.jobs += static_cast<std::uint64_t>(db.exec(kBlankJobs, first_of(event), last_of(event)));
        db.exec(kRemoveHeaders, event);
        db.exec(kRemoveDifference, event);
    }
    void erase_rest(Database& db, const ErasureOrder& order) {
        for (const auto& source : sources_with(db, order)) {
            const auto version = rows::remove_snapshot(db, rows::place_of(source, order.subject));
            rows::raise_floor(db, source, version.value_or(0));
            ++done.snapshots;
        }
        db.exec(kBlankRunsNaming, std::string_view(order.subject));
        for (const auto number : audit) {
            db.exec(kBlankAudit, number, std::string_view(order.subject), std::string_view(name));
            ++done.audit;
        }
    }
};

namespace {

void add(Erasure& sum, const Erasure& more) {
    sum.events += more.events;
    sum.without_subject += more.without_subject;
    sum.deliveries += more.deliveries;
    sum.attempts += more.attempts;
    sum.jobs += more.jobs;
    sum.snapshots += more.snapshots;
    sum.audit += more.audit;
    for (const auto& target : more.woken)
        if (std::find(sum.woken.begin(), sum.woken.end(), target) == sum.woken.end()) sum.woken.push_back(target);
}

}  // namespace

/// Youngest first.
std::vector<std::int64_t> SqliteStore::events_about(const ErasureOrder& order, std::int64_t& last,
                                                    std::uint64_t& without_subject) {
    std::int64_t first = 0;
    readers_.with([&](Database& db) {
        auto cursor = db.run(kFirstAndLast);
        if (!cursor.next()) return;
        first = cursor->integer(0);
        last = cursor->integer(1);
    });
    About about;
    for (auto after = first - 1; after < last; after += kLookAtOnce) {
        const auto to = std::min(last, after + kLookAtOnce);
        readers_.with([&](Database& db) { find_about(db, order, after, to, about); });
    }
    std::reverse(about.events.begin(), about.events.end());
    without_subject = about.without_subject;
    return std::move(about.events);
}

Erasure SqliteStore::count_what_is_kept(const ErasureOrder& order, const std::vector<std::int64_t>& events) {
    Erasure found;
    found.events = events.size();
    readers_.with([&](Database& db) {
        for (const auto event : events) {
            found.deliveries += count(db, kCountOpen, event);
            found.attempts += count(db, kCountAttempts, event);
            found.jobs += count(db, kCountJobs, event);
        }
        found.snapshots = sources_with(db, order).size();
        found.audit = audit_naming(db, order.subject).size();
    });
    return found;
}

Status SqliteStore::erase_some(const ErasureOrder& order, const std::vector<std::int64_t>& events, bool last,
                               Erasing& erasing) {
    auto work = [&](Database& db) -> Status {
        erasing.begin();
        db.exec(kSomeErased);
        has_erased_ = true;
        if (last) {
            About since;
            find_about(db, order, erasing.looked_to, last_seq_, since);
            for (const auto event : since.events) erasing.erase_event(db, event);
            erasing.erase_rest(db, order);
        }
        for (const auto event : events) erasing.erase_event(db, event);
        return Ok{};
    };
    auto written = writer_.write("erase a subject", work);
    if (!written) return written;
    tally_.apply(erasing.change);
    claims_.with([&](ClaimTable& table) {
        for (const auto seq : erasing.ended) table.drop_delivery(seq);
    });
    fresh_.with([&](Fresh& fresh) {
        for (const auto seq : erasing.ended) fresh.drop(seq);
    });
    return Ok{};
}

/// Writes the log to the database and cuts it. False: somebody is still reading what was.
bool SqliteStore::flush() {
    for (int tried = 0; tried < kFlushTries; ++tried) {
        if (tried > 0) std::this_thread::sleep_for(kBetweenFlushes);
        const auto flushed = attempt("write the log to the database", [&]() -> Status {
            Database db(path_, Database::Mode::ReadWrite, vfs_);
            (void)db.run(kFirstAndLast).next();  // only who has read knows that there is a log
            auto cursor = db.run(kCheckpoint);
            if (cursor.next() && cursor->small(0) == 0) return Ok{};
            return Error{Error::Kind::Unavailable, "the log is being read"};
        });
        if (flushed) return true;
    }
    log_.warn("erase.not_flushed", {{"path", path_}});
    return false;
}

Result<Erasure> SqliteStore::erase(const ErasureOrder& order, TimePoint now) {
    return attempt("erase a subject", [&]() -> Result<Erasure> {
        if (order.subject.empty()) return Error{Error::Kind::Invalid, "subject: must not be empty"};
        Erasing erasing{.now = now, .name = erased_name(order.subject)};
        std::uint64_t without_subject = 0;
        const auto events = events_about(order, erasing.looked_to, without_subject);
        Erasure sum;
        if (order.dry_run) {
            sum = count_what_is_kept(order, events);
            sum.without_subject = without_subject;
            sum.name = erased_name(order.subject);
            sum.searched = !erasure_text(order).empty();
            return sum;
        }
        erasing.audit = readers_.with([&](Database& db) { return audit_naming(db, order.subject); });
        for (std::size_t at = 0; at <= events.size(); at += kEraseAtOnce) {
            const auto end = std::min(events.size(), at + kEraseAtOnce);
            const std::vector<std::int64_t> some(events.begin() + static_cast<std::ptrdiff_t>(at),
                                                 events.begin() + static_cast<std::ptrdiff_t>(end));
            const bool last = at + kEraseAtOnce > events.size();
            if (auto erased = erase_some(order, some, last, erasing); !erased) return erased.error();
            add(sum, erasing.done);
        }
        sum.name = erasing.name;
        sum.searched = !erasure_text(order).empty();
        sum.flushed = flush();
        return sum;
    });
}

}  // namespace orbridge
