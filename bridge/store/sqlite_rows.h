#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "bridge/store/keys.h"
#include "bridge/store/sqlite.h"
#include "bridge/store/store.h"

/// How values look in the SQLite tables (migrations/sqlite/): shared by the parts of SqliteStore.
namespace orbridge::rows {

/// deliveries.state. `Waiting` is Pending to everybody else.
enum class State { Claimable, Waiting, Delivered, Dead, Expired, Cancelled };

inline int code(State state) { return static_cast<int>(state); }
inline int code(EventState state) { return static_cast<int>(state); }
inline int code(Intake intake) { return static_cast<int>(intake); }
inline DeliveryState shown(State state) {
    return state <= State::Waiting ? DeliveryState::Pending : static_cast<DeliveryState>(code(state) - 1);
}

inline std::int64_t ms(TimePoint time) { return time.time_since_epoch().count(); }
inline TimePoint time(std::int64_t stored) { return TimePoint{milliseconds{stored}}; }
inline std::optional<TimePoint> time_or_null(Statement& row, int column) {
    if (row.is_null(column)) return std::nullopt;
    return time(row.integer(column));
}

/// deliveries.seq = event's seq * 65536 + number.
constexpr int kDeliveriesPerEvent = 65536;
inline std::int64_t delivery_seq(std::int64_t event, std::int64_t number) {
    return event * kDeliveriesPerEvent + number;
}
inline std::int64_t event_of(std::int64_t delivery) { return delivery / kDeliveriesPerEvent; }

/// The delivery before it has ended: the next one with its order key is claimable.
inline void promote(Database& db, const std::optional<std::int64_t>& order_key) {
    static constexpr const char* kPromote =
        "UPDATE deliveries SET state = 0 WHERE state = 1 AND seq = (SELECT seq FROM deliveries WHERE order_key = ?1"
        " AND state <= 1 ORDER BY seq LIMIT 1) AND NOT EXISTS (SELECT 1 FROM deliveries WHERE order_key = ?1"
        " AND state <= 1 AND state = 0)";
    if (order_key) db.exec(kPromote, *order_key);
}

/// Why a delivery is over whose like, of this younger delivery's event, has not ended.
inline std::string superseded_by(Database& db, std::int64_t younger) {
    static constexpr const char* kIdBySeq = "SELECT id FROM events WHERE seq = ?";
    auto cursor = db.run(kIdBySeq, event_of(younger));
    return "superseded by " + (cursor.next() ? unpack_uuid(cursor->view(0)) : std::string("a later event"));
}

/// Versions up to this one do not come again.
inline void raise_floor(Database& db, std::string_view source, std::int64_t version) {
    static constexpr const char* kRaise =
        "INSERT INTO snapshot_floors (source, version) VALUES (?, ?) ON CONFLICT (source) DO UPDATE"
        " SET version = max(version, excluded.version)";
    db.exec(kRaise, source, version);
}

/// How large the history of runs may be.
struct RunLimits {
    std::size_t bytes_max = 0, params_bytes_max = 0;
};

/// Adds a run, and removes the oldest that are too many by it. `delivery`: its seq; 0: by hand.
void keep_run(Database& db, const RunRow& given, std::int64_t delivery, const RunLimits& limits);

inline std::optional<Blob> blob(const std::optional<Key16>& key) {
    if (!key) return std::nullopt;
    return Blob{key->view()};
}

/// Of the first row, if there is one.
inline std::optional<EventId> find_id(Cursor cursor) {
    if (!cursor.next()) return std::nullopt;
    return EventId{unpack_uuid(cursor->view(0))};
}

/// Columns that read_event expects, in this order.
#define ORBRIDGE_EVENT_COLUMNS                                                                               \
    "e.seq, e.id, e.state, e.intake, e.source, e.class, e.channel, e.event_name, e.subject, e.occurred_at, " \
    "e.received_at, e.payload, e.backfilled"
constexpr int kEventColumns = 13;

inline Event read_event(Statement& row, int at) {
    Event event;
    event.sequence = static_cast<std::uint64_t>(row.integer(at));
    event.id.value = unpack_uuid(row.view(at + 1));
    event.state = static_cast<EventState>(row.small(at + 2));
    event.intake = static_cast<Intake>(row.small(at + 3));
    event.source.value = row.text(at + 4);
    event.event_class = row.text(at + 5);
    event.channel = row.text(at + 6);
    event.event_name = row.text(at + 7);
    event.subject = row.text(at + 8);
    event.occurred_at = time(row.integer(at + 9));
    event.received_at = time(row.integer(at + 10));
    event.payload = row.text(at + 11);
    event.backfilled = row.small(at + 12) != 0;
    return event;
}

}  // namespace orbridge::rows
