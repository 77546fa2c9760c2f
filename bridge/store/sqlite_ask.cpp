#include <sys/statvfs.h>

#include <algorithm>

#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_store.h"

namespace orbridge {
namespace {

using rows::code;
using rows::ms;
using rows::State;

constexpr std::int64_t kSeqMax = std::int64_t{1} << 47;  // times 65536 is the largest rowid
constexpr milliseconds kDisorder = std::chrono::hours{1};
constexpr std::uint64_t kFewOpen = 20'000;  // sorted faster than found among all that ended

constexpr const char* kEvent = "SELECT " ORBRIDGE_EVENT_COLUMNS " FROM events e WHERE e.id = ?";
#define ORBRIDGE_EVENT_FILTER                                                                         \
    " AND (?4 = '' OR e.source = ?4) AND (?5 = '' OR e.channel = ?5) AND (?6 = '' OR e.subject = ?6)" \
    " AND e.received_at >= ?7 AND e.received_at < ?8 ORDER BY e.seq"
constexpr const char* kEvents =
    "SELECT " ORBRIDGE_EVENT_COLUMNS
    " FROM events e WHERE e.seq >= ?1 AND e.seq < ?2 AND (?3 < 0 OR e.state = ?3)" ORBRIDGE_EVENT_FILTER
    " DESC LIMIT ?9";
constexpr const char* kEventsUpward =
    "SELECT " ORBRIDGE_EVENT_COLUMNS
    " FROM events e WHERE e.seq >= ?1 AND e.seq < ?2 AND (?3 < 0 OR e.state = ?3)" ORBRIDGE_EVENT_FILTER " LIMIT ?9";
constexpr const char* kUnmappedEvents = "SELECT " ORBRIDGE_EVENT_COLUMNS
                                        " FROM events e INDEXED BY events_unmapped WHERE e.seq >= ?1 AND e.seq < ?2"
                                        " AND e.state = 1 AND ?3 = 1" ORBRIDGE_EVENT_FILTER " DESC LIMIT ?9";
constexpr const char* kEventAt = "SELECT seq, received_at FROM events WHERE seq >= ? ORDER BY seq LIMIT 1";
constexpr const char* kLastSeq = "SELECT coalesce(max(seq), 0) FROM events";
constexpr const char* kEventSeq = "SELECT seq FROM events WHERE id = ?";

#define ORBRIDGE_DELIVERY_COLUMNS                                                                        \
    "SELECT d.seq, d.id, e.id, d.target, d.route, d.state, d.attempts, d.unclear, d.replayed, d.due_at," \
    " d.ended_at, d.reason, d.reference, e.class, e.channel, e.event_name, e.subject"
#define ORBRIDGE_JOIN_EVENT " JOIN events e ON e.seq = d.seq / 65536"
#define ORBRIDGE_DELIVERY_FILTER                                                             \
    " d.id >= ?1 AND d.id < ?2 AND d.state BETWEEN ?3 AND ?4 AND (?5 = '' OR d.target = ?5)" \
    " AND d.seq BETWEEN ?6 AND ?7 ORDER BY d.id"
#define ORBRIDGE_NEWEST_FIRST " DESC LIMIT ?8"
#define ORBRIDGE_OLDEST_FIRST " LIMIT ?8"
constexpr const char* kDelivery = ORBRIDGE_DELIVERY_COLUMNS " FROM deliveries d" ORBRIDGE_JOIN_EVENT " WHERE d.id = ?";
#define ORBRIDGE_ALL_DELIVERIES \
    ORBRIDGE_DELIVERY_COLUMNS   \
    " FROM deliveries d INDEXED BY deliveries_id" ORBRIDGE_JOIN_EVENT " WHERE" ORBRIDGE_DELIVERY_FILTER
#define ORBRIDGE_DELIVERIES_OF_EVENT \
    ORBRIDGE_DELIVERY_COLUMNS " FROM deliveries d NOT INDEXED" ORBRIDGE_JOIN_EVENT " WHERE" ORBRIDGE_DELIVERY_FILTER
#define ORBRIDGE_FAILED_DELIVERIES                                                                  \
    ORBRIDGE_DELIVERY_COLUMNS " FROM deliveries d INDEXED BY deliveries_failed" ORBRIDGE_JOIN_EVENT \
                              " WHERE d.state >= 3 AND" ORBRIDGE_DELIVERY_FILTER
constexpr const char* kDeliveries = ORBRIDGE_ALL_DELIVERIES ORBRIDGE_NEWEST_FIRST;
constexpr const char* kDeliveriesUpward = ORBRIDGE_ALL_DELIVERIES ORBRIDGE_OLDEST_FIRST;
constexpr const char* kDeliveriesOfEvent = ORBRIDGE_DELIVERIES_OF_EVENT ORBRIDGE_NEWEST_FIRST;
constexpr const char* kDeliveriesOfEventUpward = ORBRIDGE_DELIVERIES_OF_EVENT ORBRIDGE_OLDEST_FIRST;
constexpr const char* kFailedDeliveries = ORBRIDGE_FAILED_DELIVERIES ORBRIDGE_NEWEST_FIRST;
constexpr const char* kFailedDeliveriesUpward = ORBRIDGE_FAILED_DELIVERIES ORBRIDGE_OLDEST_FIRST;
constexpr const char* kOpenDeliveries = ORBRIDGE_DELIVERY_COLUMNS
    " FROM (SELECT seq AS open FROM deliveries INDEXED BY deliveries_due WHERE state = 0 UNION"
    " SELECT seq FROM deliveries INDEXED BY deliveries_order WHERE state <= 1 AND order_key IS NOT NULL)"
    " CROSS JOIN deliveries d ON d.seq = open" ORBRIDGE_JOIN_EVENT
    " WHERE" ORBRIDGE_DELIVERY_FILTER ORBRIDGE_NEWEST_FIRST;

constexpr const char* kAttempts =
    "SELECT a.number, a.started_at, a.duration, a.status, a.outcome, a.reason, a.answer, a.task, a.step,"
    " a.message FROM deliveries d"
    " JOIN attempts a ON a.delivery = d.seq WHERE d.id = ? ORDER BY a.number";
// A delivery that was never tried is due since it was created, so the first due and the first of those
// tried before are the only two that can be the oldest.
constexpr const char* kOldestFresh =
    "SELECT id FROM deliveries INDEXED BY deliveries_due WHERE state = 0 AND target = ? ORDER BY due_at LIMIT 1";
constexpr const char* kOldestRetrying =
    "SELECT id FROM deliveries INDEXED BY deliveries_retrying WHERE state = 0 AND attempts > 0 AND target = ?"
    " ORDER BY seq LIMIT 1";

constexpr const char* kPages = "PRAGMA page_count";
constexpr const char* kFreePages = "PRAGMA freelist_count";
constexpr const char* kPageSize = "PRAGMA page_size";

struct StateRange {
    State from = State::Claimable, to = State::Cancelled;
};

StateRange range_of(const std::optional<DeliveryState>& state) {
    if (!state) return {};
    if (*state == DeliveryState::Pending) return {State::Claimable, State::Waiting};
    const auto stored = static_cast<State>(static_cast<int>(*state) + 1);
    return {stored, stored};
}

/// The first event received at `time` or later, give or take what clocks and threads disorder.
std::int64_t seq_received_at(Database& db, TimePoint time) {
    auto last = db.run(kLastSeq);
    std::int64_t low = 1;
    std::int64_t high = last.next() ? last->integer(0) + 1 : 1;
    while (low < high) {
        const auto middle = low + (high - low) / 2;
        auto cursor = db.run(kEventAt, middle);
        if (!cursor.next() || rows::time(cursor->integer(1)) >= time) {
            high = middle;
        } else {
            low = cursor->integer(0) + 1;
        }
    }
    return low;
}

struct SeqRange {
    std::int64_t from = 0, before = kSeqMax;
};

SeqRange range_of(Database& db, const EventQuery& query) {
    SeqRange range;
    if (query.since) range.from = seq_received_at(db, *query.since - kDisorder);
    if (query.until) range.before = seq_received_at(db, *query.until + kDisorder) + 1;
    if (query.before_sequence != 0)
        range.before = std::min(range.before, static_cast<std::int64_t>(query.before_sequence));
    range.from = std::max(range.from, static_cast<std::int64_t>(query.after_sequence) + 1);
    return range;
}

const char* event_sql(const EventQuery& query) {
    if (query.oldest_first) return kEventsUpward;
    return query.state == EventState::Unmapped ? kUnmappedEvents : kEvents;
}

std::optional<TimePoint> created_at(Cursor cursor) {
    if (!cursor.next()) return std::nullopt;
    return time_of_uuid(cursor->view(0));
}

std::optional<TimePoint> oldest_pending(Database& db, const TargetId& target) {
    const auto fresh = created_at(db.run(kOldestFresh, std::string_view(target.value)));
    const auto retrying = created_at(db.run(kOldestRetrying, std::string_view(target.value)));
    if (fresh && retrying) return std::min(*fresh, *retrying);
    return fresh ? fresh : retrying;
}

const char* delivery_sql(const DeliveryQuery& query, bool few_open) {
    const bool upward = query.oldest_first;
    if (!query.event.empty()) return upward ? kDeliveriesOfEventUpward : kDeliveriesOfEvent;
    const auto states = range_of(query.state);
    if (states.from >= State::Dead) return upward ? kFailedDeliveriesUpward : kFailedDeliveries;
    if (upward) return kDeliveriesUpward;
    return query.state == DeliveryState::Pending && few_open ? kOpenDeliveries : kDeliveries;
}

/// The deliveries' seqs that an event's are among. Nothing: there is no such event.
std::optional<SeqRange> deliveries_of(Database& db, const std::string& event) {
    if (event.empty()) return SeqRange{0, std::numeric_limits<std::int64_t>::max()};
    const auto key = pack_uuid(event);
    if (!key) return std::nullopt;
    auto cursor = db.run(kEventSeq, Blob{key->view()});
    if (!cursor.next()) return std::nullopt;
    const auto seq = cursor->integer(0);
    return SeqRange{rows::delivery_seq(seq, 0), rows::delivery_seq(seq, rows::kDeliveriesPerEvent - 1)};
}

Key16 next_after(Key16 key) {
    for (auto byte = key.bytes.rbegin(); byte != key.bytes.rend() && ++*byte == 0; ++byte) {
    }
    return key;
}

Key16 largest_uuid() {
    Key16 key;
    key.bytes.fill('\xff');
    return key;
}

}  // namespace

Result<Event> SqliteStore::event(const EventId& id) {
    return attempt("read the event", [&]() -> Result<Event> {
        const auto key = pack_uuid(id.value);
        return readers_.with([&](Database& db) -> Result<Event> {
            if (key) {
                auto cursor = db.run(kEvent, Blob{key->view()});
                if (cursor.next()) return rows::read_event(cursor.row(), 0);
            }
            return Error{Error::Kind::NotFound, "there is no event " + id.value};
        });
    });
}

Result<std::vector<Event>> SqliteStore::events(const EventQuery& query) {
    return attempt("list events", [&]() -> Result<std::vector<Event>> {
        return readers_.with([&](Database& db) {
            const auto range = range_of(db, query);
            auto cursor = db.run(event_sql(query), range.from, range.before, query.state ? code(*query.state) : -1,
                                 std::string_view(query.source), std::string_view(query.channel),
                                 std::string_view(query.subject), ms(query.since.value_or(TimePoint::min())),
                                 ms(query.until.value_or(TimePoint::max())), std::max(0, query.limit));
            std::vector<Event> events;
            while (cursor.next()) events.push_back(rows::read_event(cursor.row(), 0));
            return events;
        });
    });
}

Result<DeliveryRow> SqliteStore::delivery(const DeliveryId& id) {
    return attempt("read the delivery", [&]() -> Result<DeliveryRow> {
        const auto key = pack_uuid(id.value);
        auto found = readers_.with([&](Database& db) {
            return key ? read_delivery_rows(db.run(kDelivery, Blob{key->view()})) : std::vector<DeliveryRow>{};
        });
        if (found.empty()) return Error{Error::Kind::NotFound, "there is no delivery " + id.value};
        return std::move(found.front());
    });
}

Result<std::vector<DeliveryRow>> SqliteStore::deliveries(const DeliveryQuery& query) {
    auto before = query.until ? first_uuid_at(*query.until) : largest_uuid();
    if (!query.before_id.empty()) {
        const auto id = pack_uuid(query.before_id);
        if (!id) return Error{Error::Kind::Invalid, "no delivery id: " + query.before_id};
        before = std::min(before, *id);
    }
    auto since = first_uuid_at(query.since.value_or(TimePoint{}));
    if (!query.after_id.empty()) {
        const auto id = pack_uuid(query.after_id);
        if (!id) return Error{Error::Kind::Invalid, "no delivery id: " + query.after_id};
        since = std::max(since, next_after(*id));
    }
    const auto states = range_of(query.state);
    return attempt("list deliveries", [&]() -> Result<std::vector<DeliveryRow>> {
        return readers_.with([&](Database& db) {
            const auto range = deliveries_of(db, query.event);
            if (!range) return std::vector<DeliveryRow>{};
            return read_delivery_rows(db.run(
                delivery_sql(query, pending() <= kFewOpen), Blob{since.view()}, Blob{before.view()}, code(states.from),
                code(states.to), std::string_view(query.target), range->from, range->before, std::max(0, query.limit)));
        });
    });
}

std::vector<DeliveryRow> SqliteStore::read_delivery_rows(Cursor cursor) const {
    std::vector<DeliveryRow> found;
    while (cursor.next()) found.push_back(read_delivery_row(cursor.row()));
    return found;
}

DeliveryRow SqliteStore::read_delivery_row(Statement& row) const {
    DeliveryRow delivery;
    const auto seq = row.integer(0);
    const auto state = static_cast<State>(row.small(5));
    delivery.id.value = unpack_uuid(row.view(1));
    delivery.created_at = time_of_uuid(row.view(1));
    delivery.event.value = unpack_uuid(row.view(2));
    delivery.target.value = row.text(3);
    delivery.route = row.text(4);
    delivery.state = rows::shown(state);
    delivery.waiting_for_order = state == State::Waiting;
    delivery.in_flight =
        state == State::Claimable && claims_.with([seq](const ClaimTable& table) { return table.holds(seq); });
    delivery.attempts_made = row.small(6);
    delivery.unclear = row.small(7) != 0;
    delivery.replayed = row.small(8) != 0;
    if (delivery.state == DeliveryState::Pending) delivery.due_at = rows::time(row.integer(9));
    delivery.ended_at = rows::time_or_null(row, 10);
    delivery.reason = row.text(11);
    delivery.reference = row.text(12);
    delivery.event_class = row.text(13);
    delivery.channel = row.text(14);
    delivery.event_name = row.text(15);
    delivery.subject = row.text(16);
    return delivery;
}

Result<std::vector<Attempt>> SqliteStore::attempts(const DeliveryId& id) {
    return attempt("read the attempts", [&]() -> Result<std::vector<Attempt>> {
        return readers_.with([&](Database& db) {
            std::vector<Attempt> attempts;
            const auto key = pack_uuid(id.value);
            if (!key) return attempts;
            for (auto cursor = db.run(kAttempts, Blob{key->view()}); cursor.next();) {
                attempts.push_back({cursor->small(0), rows::time(cursor->integer(1)), milliseconds{cursor->integer(2)},
                                    cursor->small(3), cursor->text(4), cursor->text(5), cursor->text(6),
                                    cursor->text(7), cursor->text(8), cursor->text(9)});
            }
            return attempts;
        });
    });
}

Result<StoreCounts> SqliteStore::counts() {
    return attempt("count", [&]() -> Result<StoreCounts> {
        auto counts = tally_.counts();
        readers_.with([&](Database& db) {
            for (auto& [target, row] : counts.targets)
                if (row.pending != 0) row.oldest_pending = oldest_pending(db, target);
        });
        return counts;
    });
}

/// Not through the readers, as whoever accepts events must not wait for those who look through them.
Result<StoreSpace> SqliteStore::space() {
    return attempt("measure the store", [&]() -> Result<StoreSpace> {
        StoreSpace space;
        claims_.with([&](ClaimTable&) {
            const auto number = [&](const char* pragma) {
                auto cursor = claim_reader_.run(pragma);
                return cursor.next() ? cursor->integer(0) : 0;
            };
            const auto pages = number(kPages) - number(kFreePages);
            space.bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, pages) * number(kPageSize));
        });
        struct statvfs disk {};
        if (::statvfs(path_.c_str(), &disk) == 0) space.disk_free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
        return space;
    });
}

Result<std::vector<IntakeHeard>> SqliteStore::intakes_heard() { return heard_.rows(); }

}  // namespace orbridge
