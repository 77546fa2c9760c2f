#include <algorithm>
#include <limits>

#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_store.h"

namespace orbridge {
namespace {

using rows::code;
using rows::ms;
using rows::promote;
using rows::State;

constexpr std::size_t kAnswerBytesMax = 20'000;
// Where a claim begins.
constexpr int kManyPassed = 16;
constexpr int kClaimsFromThere = 32;
constexpr std::size_t kPlacesMax = 1'000;
constexpr int kEndAtOnce = 500;  // in one transaction: others wait that long at most

constexpr const char* kDue =
    "SELECT seq, due_at FROM deliveries INDEXED BY deliveries_due WHERE state = 0 AND target = ?1 AND due_at >= ?2"
    " ORDER BY due_at, seq";
constexpr const char* kFirstDue =
    "SELECT due_at FROM deliveries INDEXED BY deliveries_due WHERE state = 0 AND target = ? ORDER BY due_at LIMIT 1";
constexpr const char* kLoad = "SELECT " ORBRIDGE_EVENT_COLUMNS
                              ", d.id, d.route, d.order_key, d.attempts, d.unclear, d.replayed, d.mark, x.before,"
                              " x.changed, p.done, p.attempts FROM deliveries d JOIN events e ON e.seq = d.seq / 65536"
                              " LEFT JOIN differences x ON x.event = e.seq"
                              " LEFT JOIN progress p ON p.delivery = d.seq"
                              " WHERE d.seq = ? AND d.state = 0";
constexpr const char* kEnd =
    "UPDATE deliveries SET state = ?2, ended_at = ?3, attempts = ?4, unclear = ?5, reason = ?6, reference = ?7"
    " WHERE seq = ?1 AND state = 0";
constexpr const char* kYoungest = "SELECT max(seq) FROM deliveries WHERE order_key = ? AND state <= 1";
constexpr const char* kRetry =
    "UPDATE deliveries SET due_at = ?2, attempts = ?3, unclear = ?4, reason = ?5 WHERE seq = ?1 AND state = 0";
// Replaces its like: what was undone after a failed sync may yet be found in the log when the file is reopened.
constexpr const char* kInsertAttempt =
    "INSERT OR REPLACE INTO attempts (delivery, number, started_at, duration, status, outcome, reason, answer, task,"
    " step, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kAdvance = "INSERT OR REPLACE INTO progress (delivery, attempts, done) VALUES (?, ?, ?)";
constexpr const char* kRemoveProgress = "DELETE FROM progress WHERE delivery = ?";
constexpr const char* kInsertJob =
    "INSERT INTO jobs (delivery, target, job, state, result, checks, next_check_at)"
    " VALUES (?, ?, ?, 'waiting', '', 0, ?) ON CONFLICT DO NOTHING";
constexpr const char* kOpenOfTarget =
    "SELECT seq, target, order_key FROM deliveries INDEXED BY deliveries_due WHERE state = 0 AND target = ?"
    " ORDER BY due_at LIMIT ?";
constexpr const char* kOpenById = "SELECT seq, target, order_key FROM deliveries WHERE id = ? AND state <= 1";
constexpr const char* kEndUnasked = "UPDATE deliveries SET state = ?4, ended_at = ?2, reason = ?3 WHERE seq = ?1";

struct OpenDelivery {
    std::int64_t seq = 0;
    TargetId target{};
    std::optional<std::int64_t> order_key{};
};

std::vector<OpenDelivery> read_open(Cursor cursor) {
    std::vector<OpenDelivery> open;
    while (cursor.next()) {
        open.push_back({cursor->integer(0), {cursor->text(1)}, std::nullopt});
        if (!cursor->is_null(2)) open.back().order_key = cursor->integer(2);
    }
    return open;
}

void record_attempt(Database& db, std::int64_t seq, const Settle& settle) {
    const auto& attempt = settle.attempt;
    db.exec(kInsertAttempt, seq, settle.claim.delivery.attempts_made + 1, ms(attempt.started_at),
            std::int64_t{attempt.duration.count()}, attempt.status, std::string_view(attempt.outcome),
            std::string_view(attempt.reason), Blob{std::string_view(attempt.answer).substr(0, kAnswerBytesMax)},
            std::string_view(attempt.task), std::string_view(attempt.step), std::string_view(attempt.message));
}

/// How far a delivery of several steps has come; what has ended needs it no more.
void record_progress(Database& db, std::int64_t seq, const Settle& settle, bool ended) {
    if (settle.progress) {
        db.exec(kAdvance, seq, settle.progress->attempts, std::string_view(settle.progress->done));
    } else if (settle.claim.delivery.progress.attempts > 0 && ended) {
        db.exec(kRemoveProgress, seq);
    }
}

/// Why it is not tried again: something younger waits that makes it superfluous.
std::optional<std::string> superseded(Database& db, const ClaimTable::Hold& hold, const Settle& settle) {
    if (!settle.gives_way || !hold.order_key || !std::holds_alternative<RetryAt>(settle.settlement))
        return std::nullopt;
    std::int64_t youngest = 0;
    {
        auto cursor = db.run(kYoungest, *hold.order_key);
        if (!cursor.next() || cursor->is_null(0)) return std::nullopt;
        youngest = cursor->integer(0);
    }
    if (youngest <= hold.delivery) return std::nullopt;
    return rows::superseded_by(db, youngest);
}

/// How a delivery ends.
struct End {
    State state;
    std::string reason{};
};

/// Nothing: it is tried again.
std::optional<End> end_of(Database& db, const ClaimTable::Hold& hold, const Settle& settle) {
    if (std::holds_alternative<Finished>(settle.settlement)) return End{State::Delivered};
    if (const auto* dead = std::get_if<Dead>(&settle.settlement)) return End{State::Dead, dead->reason};
    if (auto reason = superseded(db, hold, settle)) return End{State::Cancelled, *std::move(reason)};
    return std::nullopt;
}

/// False: the delivery is not open any more.
bool record_settlement(Database& db, const ClaimTable::Hold& hold, const Settle& settle, const std::optional<End>& end,
                       TimePoint now) {
    const auto attempts = settle.claim.delivery.attempts_made + 1;
    if (!end) {
        const auto due = std::get<RetryAt>(settle.settlement).due;
        return db.exec(kRetry, hold.delivery, ms(due), attempts, settle.unclear,
                       std::string_view(settle.attempt.reason)) == 1;
    }
    const bool open = db.exec(kEnd, hold.delivery, code(end->state), ms(now), attempts, settle.unclear,
                              std::string_view(end->reason), std::string_view(settle.reference)) == 1;
    if (open) promote(db, hold.order_key);
    return open;
}

bool record(Database& db, const ClaimTable::Hold& hold, const Settle& settle, TimePoint now,
            const rows::RunLimits& runs, TallyChange& change) {
    const auto end = end_of(db, hold, settle);
    if (!record_settlement(db, hold, settle, end, now)) return false;
    record_attempt(db, hold.delivery, settle);
    record_progress(db, hold.delivery, settle, end.has_value());
    if (settle.run) rows::keep_run(db, *settle.run, hold.delivery, runs);
    const auto& target = settle.claim.delivery.target;
    if (settle.follow_job)
        db.exec(kInsertJob, hold.delivery, std::string_view(target.value), std::string_view(settle.reference), ms(now));
    if (end) change.moves.push_back({target, DeliveryState::Pending, rows::shown(end->state)});
    return true;
}

}  // namespace

Result<ClaimBatch> SqliteStore::claim(const TargetId& target, TimePoint now, milliseconds hold, int limit) {
    return attempt("claim deliveries", [&]() -> Result<ClaimBatch> {
        ClaimBatch batch;
        // The lock spans the read: what ends after the read has its hold until then, so it is passed over.
        const auto candidates = claims_.with(
            [&](ClaimTable& table) { return hold_due(table, target, now, now + hold, limit, batch.next_due); });
        try {
            batch.claims = load_claims(target, candidates);
            for (auto& claim : batch.claims) claim.until = now + hold;
        } catch (const SqliteProblem&) {
            claims_.with([&](ClaimTable& table) { drop(table, candidates); });
            throw;
        }
        return batch;
    });
}

/// Nobody got them: they must not wait for the end of a hold.
void SqliteStore::drop(ClaimTable& table, const std::vector<Candidate>& candidates) {
    for (const auto& candidate : candidates) table.drop_token(candidate.token);
}

/// Those in flight, or ended and not yet recorded, stand before all that may be handed out. So that each claim does not
/// walk past all of them, it begins where the one before ended. What came to stand before that meanwhile is seen by the
/// claims that begin at the beginning: the first of a few, and each that finds less than it may have.
std::vector<SqliteStore::Candidate> SqliteStore::hold_due(ClaimTable& table, const TargetId& target, TimePoint now,
                                                          TimePoint until, int limit,
                                                          std::optional<TimePoint>& next_due) {
    DueScan scan{now, until, static_cast<std::size_t>(limit)};
    try {
        const auto place = claimed_to_.find(target);
        const bool shorter = place != claimed_to_.end() && place->second.claims-- > 0;
        if (shorter) scan_due(table, target, place->second.due_at, scan);
        if (!scan.is_full()) {
            scan.passed = 0;
            scan_due(table, target, std::numeric_limits<std::int64_t>::min(), scan);
            claimed_to_.erase(target);
        }
        remember_place(target, scan);
    } catch (const SqliteProblem&) {
        drop(table, scan.found);
        throw;
    }
    next_due = scan.next_due;
    return std::move(scan.found);
}

void SqliteStore::remember_place(const TargetId& target, const DueScan& scan) {
    if (!scan.is_full()) return;
    const auto place = claimed_to_.find(target);
    if (place != claimed_to_.end()) {
        place->second.due_at = scan.last_due;
    } else if (scan.passed >= kManyPassed && claimed_to_.size() < kPlacesMax) {
        claimed_to_.emplace(target, ClaimedTo{scan.last_due, kClaimsFromThere});
    }
}

void SqliteStore::scan_due(ClaimTable& table, const TargetId& target, std::int64_t from, DueScan& scan) {
    const auto earliest = [&](TimePoint at) { scan.next_due = std::min(scan.next_due.value_or(at), at); };
    auto cursor = claim_reader_.run(kDue, std::string_view(target.value), from);
    while (cursor.next()) {
        const auto seq = cursor->integer(0);
        const auto due = rows::time(cursor->integer(1));
        if (const auto held = table.held_until(seq, scan.now)) {
            earliest(*held);
            ++scan.passed;
            continue;
        }
        if (due > scan.now || scan.is_full()) {
            earliest(due);
            return;
        }
        scan.found.push_back({seq, table.hold(seq, scan.until)});
        scan.last_due = ms(due);
    }
}

std::vector<Claim> SqliteStore::load_claims(const TargetId& target, const std::vector<Candidate>& candidates) {
    std::vector<std::optional<Claim>> found;
    found.reserve(candidates.size());
    for (const auto& candidate : candidates) found.push_back(fresh_claim(target, candidate));
    if (std::any_of(found.begin(), found.end(), [](const auto& claim) { return !claim; })) {
        readers_.with([&](Database& db) {
            for (std::size_t i = 0; i < candidates.size(); ++i)
                if (!found[i]) found[i] = load_claim(db, target, candidates[i]);
        });
    }
    std::vector<Claim> claims;
    claims.reserve(found.size());
    for (auto& claim : found)
        if (claim) claims.push_back(*std::move(claim));
    return claims;
}

std::optional<Claim> SqliteStore::fresh_claim(const TargetId& target, const Candidate& candidate) {
    auto entry = fresh_.with([&](Fresh& fresh) { return fresh.take(candidate.seq); });
    if (!entry) return std::nullopt;
    note_order(candidate, entry->order_key);
    Claim claim;
    claim.token = candidate.token;
    if (entry->sole) {
        claim.delivery.event = std::move(*entry->event);
    } else {
        claim.delivery.event = *entry->event;
    }
    claim.delivery.id = std::move(entry->id);
    claim.delivery.target = target;
    claim.route = std::move(entry->route);
    claim.delivery.replayed = entry->replayed;
    claim.delivery.mark = std::move(entry->mark);
    return claim;
}

void SqliteStore::note_order(const Candidate& candidate, const std::optional<std::int64_t>& order_key) {
    if (!order_key) return;
    claims_.with([&](ClaimTable& table) {
        if (auto* held = table.find(candidate.token)) held->order_key = order_key;
    });
}

std::optional<Claim> SqliteStore::load_claim(Database& db, const TargetId& target, const Candidate& candidate) {
    auto cursor = db.run(kLoad, candidate.seq);
    if (!cursor.next()) {  // cancelled meanwhile
        claims_.with([&](ClaimTable& table) { table.drop_token(candidate.token); });
        return std::nullopt;
    }
    auto& row = cursor.row();
    Claim claim;
    claim.token = candidate.token;
    claim.delivery.event = rows::read_event(row, 0);
    claim.delivery.id.value = unpack_uuid(row.view(rows::kEventColumns));
    claim.delivery.target = target;
    claim.route = row.text(rows::kEventColumns + 1);
    if (!row.is_null(rows::kEventColumns + 2)) note_order(candidate, row.integer(rows::kEventColumns + 2));
    claim.delivery.attempts_made = row.small(rows::kEventColumns + 3);
    claim.delivery.unclear = row.small(rows::kEventColumns + 4) != 0;
    claim.delivery.replayed = row.small(rows::kEventColumns + 5) != 0;
    claim.delivery.mark = row.text(rows::kEventColumns + 6);
    if (!row.is_null(rows::kEventColumns + 8))
        claim.delivery.difference = Difference{row.text(rows::kEventColumns + 7), row.text(rows::kEventColumns + 8)};
    if (!row.is_null(rows::kEventColumns + 9))
        claim.delivery.progress = {row.text(rows::kEventColumns + 9), row.small(rows::kEventColumns + 10)};
    return claim;
}

Result<std::vector<bool>> SqliteStore::settle(const std::vector<Settle>& settles, TimePoint now) {
    const auto holds = begin_settling(settles, now);
    std::vector<bool> recorded(settles.size());
    TallyChange change;
    auto work = [&](Database& db) -> Status {
        change.clear();
        for (std::size_t i = 0; i < settles.size(); ++i)
            recorded[i] = holds[i].token != 0 && record(db, holds[i], settles[i], now, run_limits_, change);
        return Ok{};
    };
    const bool any = std::any_of(holds.begin(), holds.end(), [](const auto& hold) { return hold.token != 0; });
    const auto written = any ? writer_.write("record attempts", work) : Status(Ok{});
    end_settling(holds, written.has_value());
    if (!written) return written.error();
    tally_.apply(change);
    return recorded;
}

/// One hold for each; token 0 where the claim is lost.
std::vector<ClaimTable::Hold> SqliteStore::begin_settling(const std::vector<Settle>& settles, TimePoint now) {
    std::vector<ClaimTable::Hold> holds(settles.size());
    claims_.with([&](ClaimTable& table) {
        for (std::size_t i = 0; i < settles.size(); ++i) {
            auto* hold = table.find(settles[i].claim.token);
            if (hold == nullptr || hold->settling || hold->until <= now) continue;
            hold->settling = true;
            holds[i] = *hold;
        }
    });
    return holds;
}

void SqliteStore::end_settling(const std::vector<ClaimTable::Hold>& holds, bool recorded) {
    claims_.with([&](ClaimTable& table) {
        for (const auto& hold : holds) {
            auto* held = table.find(hold.token);
            if (held == nullptr) continue;
            if (recorded) {
                table.drop_token(hold.token);
            } else {
                held->settling = false;
            }
        }
    });
}

void SqliteStore::release(const std::vector<Claim>& claims) {
    claims_.with([&](ClaimTable& table) {
        for (const auto& claim : claims) {
            const auto* hold = table.find(claim.token);
            if (hold != nullptr && !hold->settling) table.drop_token(claim.token);
        }
    });
}

Result<std::vector<std::pair<TargetId, TimePoint>>> SqliteStore::pending_targets() {
    using Targets = std::vector<std::pair<TargetId, TimePoint>>;
    return attempt("list targets", [&]() -> Result<Targets> {
        return readers_.with([&](Database& db) {
            Targets targets;
            for (auto& target : tally_.targets_with_pending()) {
                auto cursor = db.run(kFirstDue, std::string_view(target.value));
                if (cursor.next()) targets.emplace_back(std::move(target), rows::time(cursor->integer(0)));
            }
            return targets;
        });
    });
}

Result<std::uint64_t> SqliteStore::end_pending(const std::optional<TargetId>& target,
                                               const std::optional<DeliveryId>& delivery, DeliveryState as,
                                               const std::string& reason, TimePoint now) {
    std::optional<Key16> key;
    if (delivery && !(key = pack_uuid(delivery->value))) return std::uint64_t{0};
    if (!target && !key) return std::uint64_t{0};
    std::uint64_t total = 0;
    while (true) {
        const auto some = end_some(target, key, as, reason, now);
        if (!some) return some.error();
        total += *some;
        if (*some == 0 || key) return total;
    }
}

Result<std::uint64_t> SqliteStore::end_some(const std::optional<TargetId>& target, const std::optional<Key16>& delivery,
                                            DeliveryState as, const std::string& reason, TimePoint now) {
    std::vector<OpenDelivery> ended;
    const auto find = [&](Database& db) {
        if (delivery) return read_open(db.run(kOpenById, Blob{delivery->view()}));
        return read_open(db.run(kOpenOfTarget, std::string_view(target->value), kEndAtOnce));
    };
    auto work = [&](Database& db) -> Status {
        ended.clear();
        // Ending one promotes the next of its key, which the next round finds.
        for (auto open = find(db); !open.empty() && ended.size() < kEndAtOnce; open = find(db)) {
            if (target && open.front().target != *target) return Ok{};
            for (const auto& one : open) {
                db.exec(kEndUnasked, one.seq, ms(now), std::string_view(reason),
                        code(as == DeliveryState::Expired ? State::Expired : State::Cancelled));
                promote(db, one.order_key);
                ended.push_back(one);
            }
        }
        return Ok{};
    };
    const auto written = writer_.write("end deliveries", work);
    if (!written) return written.error();
    TallyChange change;
    for (const auto& one : ended) change.moves.push_back({one.target, DeliveryState::Pending, as});
    tally_.apply(change);
    claims_.with([&](ClaimTable& table) {
        for (const auto& one : ended) table.drop_delivery(one.seq);
    });
    return std::uint64_t{ended.size()};
}

}  // namespace orbridge
