#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "bridge/core/text.h"
#include "bridge/settings/values.h"
#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_store.h"

namespace orbridge {
namespace {

using rows::code;
using rows::ms;

constexpr std::string_view kStoring = "store the event";

constexpr const char* kInsertEvent =
    "INSERT INTO events (seq, id, dedup, twin, seen, state, intake, source, class, channel, event_name, subject,"
    " occurred_at, received_at, payload, backfilled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING";
constexpr const char* kIdByDedup = "SELECT id FROM events WHERE dedup = ?";
constexpr const char* kIdByTwinDedup = "SELECT e.id FROM twins t JOIN events e ON e.seq = t.event WHERE t.dedup = ?";
constexpr const char* kSeqById = "SELECT seq FROM events WHERE id = ?";
constexpr const char* kInsertHeaders = "INSERT INTO kept_headers (event, headers) VALUES (?, ?)";
constexpr const char* kRemoveHeaders = "DELETE FROM kept_headers WHERE event = ?";
constexpr const char* kHeadersOf =
    "SELECT h.headers FROM events e JOIN kept_headers h ON h.event = e.seq WHERE e.id = ?";
constexpr const char* kTwin =
    "SELECT seq, id FROM events WHERE twin = ?1 AND received_at BETWEEN ?2 AND ?3 AND seen & ?4 = 0"
    // Polling sees whole objects, as webhooks do: only what schema hooks tell it cannot know again by itself.
    " AND (?5 = 2 OR (?5 <> 3 AND intake <> 3) OR (?5 = 3 AND intake = 2))"
    " ORDER BY seq LIMIT 1";
constexpr const char* kTwinSeen = "UPDATE events SET seen = seen | ?2 WHERE seq = ?1";
constexpr const char* kInsertTwin = "INSERT INTO twins (dedup, event) VALUES (?, ?) ON CONFLICT DO NOTHING";
constexpr const char* kEventById = "SELECT seq, state FROM events WHERE id = ?";
constexpr const char* kRemap =
    "UPDATE events SET state = 0, dedup = coalesce(?2, dedup), twin = ?3, class = ?4, channel = ?5, event_name = ?6,"
    " subject = ?7, occurred_at = ?8, payload = ?9 WHERE seq = ?1";
constexpr const char* kOtherByDedup = "SELECT id FROM events WHERE dedup = ? AND seq <> ?";
// Waits if an open delivery of the same target and key is there already. With a reason it is over already.
constexpr const char* kKnownDelivery = "SELECT 1 FROM deliveries WHERE id = ?";
constexpr const char* kInsertDelivery =
    "INSERT INTO deliveries (seq, id, order_key, state, attempts, unclear, replayed, due_at, ended_at, target, route,"
    " reason, reference, mark) VALUES (?1, ?2, ?3, CASE WHEN ?8 <> '' THEN 5 ELSE ?3 IS NOT NULL AND EXISTS (SELECT 1 "
    "FROM"
    " deliveries WHERE order_key = ?3 AND state <= 1) END, 0, 0, ?4, ?5, CASE WHEN ?8 <> '' THEN ?5 END, ?6, ?7, ?8, "
    "'', ?9)";
constexpr const char* kOpenOfKey = "SELECT seq FROM deliveries WHERE order_key = ? AND state <= 1 ORDER BY seq";
constexpr const char* kSupersede = "UPDATE deliveries SET state = 5, ended_at = ?2, reason = ?3 WHERE seq = ?1";
constexpr const char* kLastNumber = "SELECT max(seq) FROM deliveries WHERE seq BETWEEN ?1 AND ?2";
constexpr const char* kHeard =
    "INSERT INTO heard (source, intake, last_at, count) VALUES (?, ?, ?, ?) ON CONFLICT (source, intake) DO UPDATE"
    " SET last_at = excluded.last_at, count = excluded.count";

Error not_a_uuid(std::string_view what, const std::string& value) {
    return {Error::Kind::Invalid, std::string(what) + " id is not a UUID: " + value};
}

std::optional<Blob> blob(const std::optional<Key16>& key) {
    if (!key) return std::nullopt;
    return Blob{key->view()};
}

/// A name of a request, told apart from dedup keys.
std::optional<Key16> request_key(const Arrival& arrival) {
    if (arrival.request_id.empty() || arrival.events.empty()) return std::nullopt;
    return hash_key(arrival.events.front().event.source.value, "request\n" + arrival.request_id);
}

/// One header a line, as in a request.
std::string headers_text(const Headers& headers) {
    std::string text;
    for (const auto& header : headers) text.append(header.name).append(":").append(header.value).append("\n");
    return text;
}

Headers parse_headers(std::string_view text) {
    Headers headers;
    for (const auto line : split(text, '\n')) {
        const auto colon = line.find(':');
        if (colon != std::string_view::npos)
            headers.push_back({std::string(line.substr(0, colon)), std::string(line.substr(colon + 1))});
    }
    return headers;
}

std::optional<EventId> find_id(Cursor cursor) {
    if (!cursor.next()) return std::nullopt;
    return EventId{unpack_uuid(cursor->view(0))};
}

}  // namespace

namespace {

constexpr const char* kSetBookmark =
    "INSERT INTO notes (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
constexpr const char* kSnapshot =
    "SELECT version, live, polled, as_of, updated_at, event, used_at, state FROM snapshots WHERE source = ? AND "
    "subject = ?";
constexpr const char* kWriteSnapshot =
    "INSERT INTO snapshots (source, subject, version, live, polled, as_of, updated_at, event, used_at, state)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, subject) DO UPDATE SET version = excluded.version,"
    " live = excluded.live, polled = excluded.polled, as_of = excluded.as_of, updated_at = excluded.updated_at,"
    " event = excluded.event, used_at = excluded.used_at, state = excluded.state";
constexpr const char* kFloor = "SELECT version FROM snapshot_floors WHERE source = ?";
constexpr const char* kStateOfEvent = "SELECT state FROM events WHERE id = ?";
constexpr const char* kInsertDifference =
    "INSERT OR REPLACE INTO differences (event, before, changed) VALUES (?, ?, ?)";
// `event = x''` as in the index of 0009.
constexpr const char* kUntold =
    "SELECT version, live, polled, as_of, updated_at, event, used_at, state, subject FROM snapshots WHERE source = ?1"
    " AND subject > ?2 AND live = 1 AND event = x'' AND coalesce(as_of, updated_at) >= ?3"
    " AND coalesce(as_of, updated_at) < ?4 ORDER BY subject LIMIT ?5";
constexpr const char* kCountUntold =
    "SELECT count(*) FROM snapshots WHERE source = ?1 AND subject > ?2 AND live = 1 AND event = x''"
    " AND coalesce(as_of, updated_at) >= ?3 AND coalesce(as_of, updated_at) < ?4";
// What events of the past told of what is untold; the events first, as there may be few subjects and many events.
constexpr const char* kToldOf =
    "SELECT e.seq, s.subject, e.id, e.event_name FROM events e CROSS JOIN snapshots s ON s.source = e.source AND"
    " s.subject = e.subject AND s.live = 1 AND s.event = x'' WHERE e.seq > ?1 AND e.seq <= ?2 AND e.source = ?3 AND"
    " e.state = 0 ORDER BY e.seq";
constexpr const char* kMarkTold =
    "UPDATE snapshots SET event = ?3 WHERE source = ?1 AND subject = ?2 AND live = 1 AND event = x''";
constexpr const char* kLastSeq = "SELECT coalesce(max(seq), 0) FROM events";
constexpr const char* kNote = "SELECT value FROM notes WHERE key = ?";
constexpr const char* kLiveSubjects =
    "SELECT subject FROM snapshots WHERE source = ?1 AND subject > ?2 AND subject >= ?3 AND subject < ?4 AND live = 1"
    " ORDER BY subject LIMIT ?5";

Snapshot read_snapshot(Statement& row) {
    Snapshot found;
    found.version = static_cast<std::uint64_t>(row.integer(0));
    found.live = row.integer(1) != 0;
    found.polled = row.integer(2) != 0;
    found.as_of = rows::time_or_null(row, 3);
    found.updated_at = rows::time(row.integer(4));
    if (!row.view(5).empty()) found.event.value = unpack_uuid(row.view(5));
    found.used_at = rows::time(row.integer(6));
    found.state = row.text(7);
    return found;
}

std::optional<Snapshot> read_snapshot(Database& db, const SourceId& source, const std::string& subject) {
    auto cursor = db.run(kSnapshot, std::string_view(source.value), std::string_view(subject));
    if (!cursor.next()) return std::nullopt;
    return read_snapshot(cursor.row());
}

std::int64_t first_ms(const std::optional<TimePoint>& since) {
    return since ? ms(*since) : std::numeric_limits<std::int64_t>::min();
}
std::int64_t last_ms(const std::optional<TimePoint>& until) {
    return until ? ms(*until) : std::numeric_limits<std::int64_t>::max();
}

void write_snapshot(Database& db, const SourceId& source, const std::string& subject, const Snapshot& snapshot) {
    const auto event = pack_uuid(snapshot.event.value);
    std::optional<std::int64_t> as_of;
    if (snapshot.as_of) as_of = ms(*snapshot.as_of);
    db.exec(kWriteSnapshot, std::string_view(source.value), std::string_view(subject),
            static_cast<std::int64_t>(snapshot.version), snapshot.live, snapshot.polled, as_of, ms(snapshot.updated_at),
            Blob{event ? event->view() : std::string_view()}, ms(snapshot.used_at), Blob{snapshot.state});
}

/// The highest version that was ever removed at a source.
std::uint64_t floor_of(Database& db, const SourceId& source) {
    auto cursor = db.run(kFloor, std::string_view(source.value));
    return cursor.next() ? static_cast<std::uint64_t>(cursor->integer(0)) : 0;
}

bool is_erased(Database& db, const EventId& id) {
    const auto key = pack_uuid(id.value);
    auto cursor = db.run(kStateOfEvent, Blob{key ? key->view() : std::string_view()});
    return cursor.next() && cursor->small(0) == code(EventState::Erased);
}

}  // namespace

/// What comes with events, or alone: first sights, and where to go on.
void SqliteStore::store_rest(Database& db, const Arrival& arrival) {
    for (const auto& seen : arrival.seen) {
        if (read_snapshot(db, arrival.seen_at, seen.subject)) continue;
        const auto floor = floor_of(db, arrival.seen_at);
        write_snapshot(db, arrival.seen_at, seen.subject, first_sight(seen.state, floor, arrival.seen_when));
    }
    if (!arrival.bookmark) return;
    db.exec(kSetBookmark, std::string_view(arrival.bookmark->key), std::string_view(arrival.bookmark->value));
}

Result<std::optional<Snapshot>> SqliteStore::snapshot(const SourceId& source, const std::string& subject) {
    return attempt("read a snapshot", [&]() -> Result<std::optional<Snapshot>> {
        return readers_.with([&](Database& db) { return read_snapshot(db, source, subject); });
    });
}

Result<std::vector<UntoldSubject>> SqliteStore::untold(const UntoldQuery& query) {
    return attempt("read subjects", [&]() -> Result<std::vector<UntoldSubject>> {
        return readers_.with([&](Database& db) {
            std::vector<UntoldSubject> untold;
            auto cursor = db.run(kUntold, std::string_view(query.source.value), std::string_view(query.after),
                                 first_ms(query.since), last_ms(query.until), query.limit);
            while (cursor.next()) untold.push_back({cursor->text(8), read_snapshot(cursor.row())});
            return untold;
        });
    });
}

Result<std::uint64_t> SqliteStore::count_untold(const UntoldQuery& query) {
    return attempt("count subjects", [&]() -> Result<std::uint64_t> {
        return readers_.with([&](Database& db) {
            auto cursor = db.run(kCountUntold, std::string_view(query.source.value), std::string_view(query.after),
                                 first_ms(query.since), last_ms(query.until));
            return cursor.next() ? static_cast<std::uint64_t>(cursor->integer(0)) : std::uint64_t{0};
        });
    });
}

namespace {

constexpr std::int64_t kLookAtOnce = 20'000;  // events in one read: a long one keeps the log from being reused

/// By subject: the event that told of it last, or nothing if that told of its end.
using ToldBy = std::map<std::string, std::optional<EventId>>;

void find_told(Database& db, const SourceId& source, std::int64_t after, std::int64_t last, ToldBy& told) {
    for (auto cursor = db.run(kToldOf, after, last, std::string_view(source.value)); cursor.next();) {
        const bool ended = cursor->view(3).starts_with("deleted:");
        told[cursor->text(1)] = ended ? std::nullopt : std::optional(EventId{unpack_uuid(cursor->view(2))});
    }
}

std::int64_t first_number(Cursor cursor) { return cursor.next() ? cursor->integer(0) : 0; }

}  // namespace

Result<std::uint64_t> SqliteStore::mark_told(const SourceId& source) {
    const auto key = "told:" + source.value;
    ToldBy told;
    std::int64_t last = 0;
    const auto looked = attempt("look what events told of", [&]() -> Status {
        std::int64_t after = 0;
        readers_.with([&](Database& db) {
            auto from = db.run(kNote, std::string_view(key));
            if (from.next()) after = parse_integer(from->view(0)).value_or(0);
            last = first_number(db.run(kLastSeq));
        });
        for (; after < last; after += kLookAtOnce) {
            const auto to = std::min(last, after + kLookAtOnce);
            readers_.with([&](Database& db) { find_told(db, source, after, to, told); });
        }
        return Ok{};
    });
    if (!looked) return looked.error();
    std::uint64_t marked = 0;
    const auto written = writer_.write("mark what was told of", [&](Database& db) -> Status {
        marked = 0;
        for (const auto& [subject, by] : told) {
            const auto id = by ? pack_uuid(by->value) : std::nullopt;
            if (!id) continue;
            marked += static_cast<std::uint64_t>(
                db.exec(kMarkTold, std::string_view(source.value), std::string_view(subject), Blob{id->view()}));
        }
        const auto text = std::to_string(last);
        db.exec(kSetBookmark, std::string_view(key), std::string_view(text));
        return Ok{};
    });
    if (!written) return written.error();
    return marked;
}

Result<std::vector<std::string>> SqliteStore::live_subjects(const SourceId& source, const std::string& beginning,
                                                            const std::string& after, int limit) {
    return attempt("read subjects", [&]() -> Result<std::vector<std::string>> {
        return readers_.with([&](Database& db) {
            std::vector<std::string> subjects;
            const auto end = beginning + "\xf4\x8f\xbf\xbf";  // above all text that begins so
            auto cursor = db.run(kLiveSubjects, std::string_view(source.value), std::string_view(after),
                                 std::string_view(beginning), std::string_view(end), limit);
            while (cursor.next()) subjects.push_back(cursor->text(0));
            return subjects;
        });
    });
}

// Everything that can be computed before the writer's thread has to wait for it.
struct SqliteStore::PackedDelivery {
    const NewDelivery* from = nullptr;
    Key16 id{};
    std::optional<std::int64_t> order_key{};
};

struct SqliteStore::PackedEvent {
    const NewEvent* from = nullptr;
    Key16 id{};
    std::optional<Key16> dedup{}, twin{};
    std::vector<PackedDelivery> deliveries{};
};

Result<std::vector<SqliteStore::PackedDelivery>> SqliteStore::pack(const std::vector<NewDelivery>& deliveries) {
    if (deliveries.size() >= rows::kDeliveriesPerEvent)
        return Error{Error::Kind::Invalid, "an event cannot have that many deliveries"};
    std::vector<PackedDelivery> packed;
    packed.reserve(deliveries.size());
    for (const auto& delivery : deliveries) {
        const auto id = pack_uuid(delivery.id.value);
        if (!id) return not_a_uuid("delivery", delivery.id.value);
        packed.push_back({&delivery, *id, std::nullopt});
        if (!delivery.order_key.empty())
            packed.back().order_key = hash_order(delivery.target.value, delivery.order_key);
    }
    return packed;
}

Result<SqliteStore::PackedEvent> SqliteStore::pack(const NewEvent& event) {
    const auto id = pack_uuid(event.event.id.value);
    if (!id) return not_a_uuid("event", event.event.id.value);
    auto deliveries = pack(event.deliveries);
    if (!deliveries) return deliveries.error();
    PackedEvent packed{.from = &event, .id = *id, .deliveries = *std::move(deliveries)};
    const auto& source = event.event.source.value;
    if (!event.dedup_key.empty()) packed.dedup = hash_key(source, event.dedup_key);
    if (!event.twin_key.empty()) packed.twin = hash_key(source, event.twin_key);
    return packed;
}

Result<std::vector<SqliteStore::PackedEvent>> SqliteStore::pack(const std::vector<NewEvent>& events) {
    std::vector<PackedEvent> all;
    all.reserve(events.size());
    for (const auto& event : events) {
        auto packed = pack(event);
        if (!packed) return packed.error();
        all.push_back(std::move(*packed));
    }
    return all;
}

/// What is between the pieces of one acceptance.
struct SqliteStore::Accepting {
    const Arrival& arrival;
    std::vector<PackedEvent> packed;
    std::optional<Key16> request;
    std::vector<IntakeHeard> heard{};
    std::vector<Accepted> accepted{};
    TallyChange change{};
};

Result<std::vector<Accepted>> SqliteStore::accept(const Arrival& arrival) {
    if (arrival.events.empty()) {
        if (arrival.seen.empty() && !arrival.bookmark) return std::vector<Accepted>{};
        auto written = writer_.write("store what was seen", [&](Database& db) -> Status {
            store_rest(db, arrival);
            return Ok{};
        });
        if (!written) return written.error();
        return std::vector<Accepted>{};
    }
    auto begun = begin_accept(arrival);
    if (!begun) return begun.error();
    auto& accepting = **begun;
    const auto stored = writer_.write(kStoring, [&](Database& db) { return write_arrival(db, accepting); });
    return end_accept(accepting, stored);
}

void SqliteStore::accept_later(const Arrival& arrival, const Told& told) {
    if (arrival.events.empty()) return told(accept(arrival));
    auto begun = begin_accept(arrival);
    if (!begun) return told(begun.error());
    const std::shared_ptr<Accepting> accepting = std::move(*begun);
    writer_.write_later(
        kStoring, [this, accepting](Database& db) { return write_arrival(db, *accepting); },
        [this, accepting, told](const Status& stored) { told(end_accept(*accepting, stored)); });
}

Result<std::unique_ptr<SqliteStore::Accepting>> SqliteStore::begin_accept(const Arrival& arrival) {
    auto packed = pack(arrival.events);
    if (!packed) return packed.error();
    auto accepting = std::make_unique<Accepting>(Accepting{arrival, std::move(*packed), request_key(arrival)});
    if (!arrival.only_if_known) accepting->heard = heard_.rows_to_write(arrival.events.front().event.received_at);
    return accepting;
}

/// On the writer's thread, perhaps twice.
Status SqliteStore::write_arrival(Database& db, Accepting& accepting) {
    const auto& arrival = accepting.arrival;
    let_go(accepting.change, false);
    accepting.change.clear();
    accepting.accepted =
        store_arrival(db, accepting.packed, accepting.request, arrival.only_if_known, accepting.change);
    if (!accepting.accepted.empty()) store_rest(db, arrival);
    write_heard(db, accepting.heard);
    return Ok{};
}

Result<std::vector<Accepted>> SqliteStore::end_accept(Accepting& accepting, const Status& stored) {
    let_go(accepting.change, stored.has_value());
    if (!stored) return stored.error();
    tally_.apply(accepting.change);
    for (const auto& each : accepting.arrival.events) {
        if (each.event.backfilled) continue;  // nothing was heard just now
        heard_.note(each.event.source.value, each.event.intake, each.event.received_at);
    }
    if (accepting.accepted.empty()) return Error{Error::Kind::Unavailable, "cannot store the event: it is new"};
    return std::move(accepting.accepted);
}

/// None: something is new, and only what is known was wanted.
std::vector<Accepted> SqliteStore::store_arrival(Database& db, const std::vector<PackedEvent>& packed,
                                                 const std::optional<Key16>& request, bool only_if_known,
                                                 TallyChange& change) {
    if (request && has_twins_) {
        if (const auto earlier = find_id(db.run(kIdByTwinDedup, blob(request))))
            return std::vector<Accepted>(packed.size(), Accepted{*earlier, true});
    }
    std::vector<Accepted> accepted;
    accepted.reserve(packed.size());
    for (const auto& event : packed) {
        auto one = store_event(db, event, only_if_known, change);
        if (!one) return {};
        accepted.push_back(std::move(*one));
    }
    if (request && !only_if_known) {
        const auto id = pack_uuid(accepted.front().id.value);
        auto cursor = db.run(kSeqById, blob(id));
        if (cursor.next()) insert_twin(db, *request, cursor->integer(0));
    }
    return accepted;
}

/// Held against its subject's snapshot first. Nothing: it is new, and only a known one was wanted.
std::optional<Accepted> SqliteStore::store_event(Database& db, const PackedEvent& packed, bool only_if_known,
                                                 TallyChange& change) {
    const auto& leaves = packed.from->leaves;
    const auto& event = packed.from->event;
    if (event.backfilled) return store_backfilled(db, packed, only_if_known, change);
    if (!leaves || event.subject.empty()) return store_new(db, packed, only_if_known, change);
    const auto before = read_snapshot(db, event.source, event.subject);
    const bool late = event.sequence != 0;
    const auto verdict = late ? judge_late(before, *leaves, event) : judge(before, *leaves, event.intake);
    if (verdict.same) return Accepted{before->event.value.empty() ? event.id : before->event, true};
    auto as_stored = packed;
    if (verdict.real) {
        as_stored.twin.reset();
        if (packed.dedup && find_id(db.run(kIdByDedup, blob(packed.dedup))))
            as_stored.dedup = hash_key(event.source.value, again_key(packed.from->dedup_key, before->version));
    }
    auto accepted = store_new(db, as_stored, only_if_known, change);
    const bool news = accepted && !accepted->duplicate && !verdict.keep;
    if (!news && (!accepted || before || is_erased(db, accepted->id))) return accepted;
    if (leave_snapshot(db, before, packed, accepted->id, news ? last_seq_ : 0)) {
        fresh_.with([&](Fresh& fresh) {  // who claims them reads the difference along
            for (std::size_t number = 0; number < packed.deliveries.size(); ++number)
                fresh.drop(rows::delivery_seq(last_seq_, static_cast<std::int64_t>(number)));
        });
    }
    return accepted;
}

/// True: it is kept what event `seq` changed; 0: that is not wanted.
bool SqliteStore::leave_snapshot(Database& db, const std::optional<Snapshot>& before, const PackedEvent& packed,
                                 const EventId& stored_as, std::int64_t seq) const {
    const auto& event = packed.from->event;
    const auto floor = before ? 0 : floor_of(db, event.source);
    const auto update = following(before, floor, *packed.from->leaves, event, stored_as, old_state_bytes_max_);
    write_snapshot(db, event.source, event.subject, update.after);
    if (seq == 0 || !update.difference) return false;
    db.exec(kInsertDifference, seq, Blob{update.difference->before}, std::string_view(update.difference->changed));
    return true;
}

/// Whatever was heard of its subject since it was read is younger, and is told already.
std::optional<Accepted> SqliteStore::store_backfilled(Database& db, const PackedEvent& packed, bool only_if_known,
                                                      TallyChange& change) {
    const auto& event = packed.from->event;
    auto known = read_snapshot(db, event.source, event.subject);
    const auto& leaves = packed.from->leaves;
    if (!known && leaves) known = first_sight(*leaves, floor_of(db, event.source), event.received_at);
    if (!is_untold(known)) return Accepted{known && !known->event.value.empty() ? known->event : event.id, true};
    auto accepted = store_new(db, packed, only_if_known, change);
    if (!accepted || is_erased(db, accepted->id)) return accepted;
    known->event = accepted->id;
    write_snapshot(db, event.source, event.subject, *known);
    return accepted;
}

/// Nothing: it is new, and only a known one was wanted.
std::optional<Accepted> SqliteStore::store_new(Database& db, const PackedEvent& packed, bool only_if_known,
                                               TallyChange& change) {
    if (packed.twin) {
        if (const auto earlier = find_twin(db, packed)) return *earlier;
    }
    if (only_if_known) return find_same(db, packed);
    const auto& event = packed.from->event;
    const auto seq = last_seq_ + 1;
    const auto inserted =
        db.exec(kInsertEvent, seq, Blob{packed.id.view()}, blob(packed.dedup), blob(packed.twin),
                1 << code(event.intake), code(event.state), code(event.intake), std::string_view(event.source.value),
                std::string_view(event.event_class), std::string_view(event.channel),
                std::string_view(event.event_name), std::string_view(event.subject), ms(event.occurred_at),
                ms(event.received_at), Blob{event.payload}, event.backfilled);
    if (inserted == 0) {
        const auto earlier = packed.dedup ? find_id(db.run(kIdByDedup, blob(packed.dedup))) : std::nullopt;
        return Accepted{earlier.value_or(event.id), true};  // else the same event once more
    }
    last_seq_ = seq;
    store_deliveries(db, seq, event.id.value, 0, packed.deliveries, change);
    keep_fresh(seq, packed, change);
    const auto& headers = packed.from->headers;
    if (event.state == EventState::Unmapped && !headers.empty()) {
        const auto text = headers_text(headers);
        db.exec(kInsertHeaders, seq, std::string_view(text));
    }
    change.events += 1;
    change.unmapped += event.state == EventState::Unmapped ? 1 : 0;
    return Accepted{event.id, false};
}

/// By its own dedup key, or the very same event.
std::optional<Accepted> SqliteStore::find_same(Database& db, const PackedEvent& packed) {
    if (packed.dedup) {
        if (const auto same = find_id(db.run(kIdByDedup, blob(packed.dedup)))) return Accepted{*same, true};
    }
    if (db.run(kEventById, Blob{packed.id.view()}).next()) return Accepted{packed.from->event.id, true};
    return std::nullopt;
}

/// An event that came already: by its own dedup key, by that of a twin, or now as a twin.
std::optional<Accepted> SqliteStore::find_twin(Database& db, const PackedEvent& packed) {
    if (packed.dedup) {
        if (const auto same = find_id(db.run(kIdByDedup, blob(packed.dedup)))) return Accepted{*same, true};
        const auto same = has_twins_ ? find_id(db.run(kIdByTwinDedup, blob(packed.dedup))) : std::nullopt;
        if (same) return Accepted{*same, true};
    }
    const auto& event = packed.from->event;
    const int seen = 1 << code(event.intake);
    std::int64_t seq = 0;
    EventId id;
    {
        auto cursor = db.run(kTwin, blob(packed.twin), ms(event.received_at - twin_window_),
                             ms(event.received_at + twin_window_), seen, code(event.intake));
        if (!cursor.next()) return std::nullopt;
        seq = cursor->integer(0);
        id.value = unpack_uuid(cursor->view(1));
    }
    db.exec(kTwinSeen, seq, seen);
    if (packed.dedup) insert_twin(db, *packed.dedup, seq);
    return Accepted{id, true};
}

void SqliteStore::insert_twin(Database& db, const Key16& dedup, std::int64_t event) {
    has_twins_ = true;
    db.exec(kInsertTwin, Blob{dedup.view()}, event);
}

void SqliteStore::store_deliveries(Database& db, std::int64_t event, std::string_view by, std::int64_t first_number,
                                   const std::vector<PackedDelivery>& deliveries, TallyChange& change) {
    auto seq = rows::delivery_seq(event, first_number);
    for (const auto& delivery : deliveries) {
        const auto& from = *delivery.from;
        const bool cut = !from.cut.empty();
        if (from.latest_only && !cut) supersede(db, delivery, by, change);
        db.exec(kInsertDelivery, seq++, Blob{delivery.id.view()}, delivery.order_key, from.replayed, ms(from.due_at),
                std::string_view(from.target.value), std::string_view(from.route), std::string_view(from.cut),
                std::string_view(from.mark));
        change.moves.push_back({from.target, std::nullopt, cut ? DeliveryState::Cancelled : DeliveryState::Pending});
    }
}

/// Held from here to the commit, so that none is handed out that is about to end.
void SqliteStore::supersede(Database& db, const PackedDelivery& with, std::string_view by, TallyChange& change) {
    if (!with.order_key) return;
    std::vector<std::int64_t> waiting;
    {
        auto cursor = db.run(kOpenOfKey, *with.order_key);
        while (cursor.next()) waiting.push_back(cursor->integer(0));
    }
    constexpr milliseconds kUntilCommitted{60'000};
    claims_.with([&](ClaimTable& table) {
        std::erase_if(waiting, [&](std::int64_t seq) { return table.holds(seq); });
        for (const auto seq : waiting) table.hold(seq, with.from->due_at + kUntilCommitted);
    });
    const auto reason = "superseded by " + std::string(by);
    for (const auto seq : waiting) {
        db.exec(kSupersede, seq, ms(with.from->due_at), std::string_view(reason));
        change.moves.push_back({with.from->target, DeliveryState::Pending, DeliveryState::Cancelled});
        change.superseded.push_back(seq);
    }
}

/// They are not claimed before the commit, and then from here.
void SqliteStore::keep_fresh(std::int64_t seq, const PackedEvent& packed, TallyChange& change) {
    if (packed.deliveries.empty()) return;
    auto event = std::make_shared<Event>(packed.from->event);
    event->id.value = unpack_uuid(packed.id.view());
    event->sequence = static_cast<std::uint64_t>(seq);
    const auto bytes = 512 + event->payload.size() / packed.deliveries.size();
    fresh_.with([&](Fresh& fresh) {
        auto number = rows::delivery_seq(seq, 0);
        for (const auto& delivery : packed.deliveries) {
            const auto& from = *delivery.from;
            change.fresh.push_back(number);
            fresh.put(number++, {event,
                                 {unpack_uuid(delivery.id.view())},
                                 from.route,
                                 from.mark,
                                 delivery.order_key,
                                 from.replayed,
                                 bytes,
                                 packed.deliveries.size() == 1});
        }
    });
}

void SqliteStore::let_go(TallyChange& change, bool stored) {
    if (!stored && !change.fresh.empty()) {
        fresh_.with([&](Fresh& fresh) {
            for (const auto seq : change.fresh) fresh.drop(seq);
        });
    }
    change.fresh.clear();
    if (change.superseded.empty()) return;
    claims_.with([&](ClaimTable& table) {
        for (const auto seq : change.superseded) table.drop_delivery(seq);
    });
    change.superseded.clear();
}

void SqliteStore::write_heard(Database& db, const std::vector<IntakeHeard>& heard) {
    for (const auto& row : heard) {
        db.exec(kHeard, std::string_view(row.source), code(row.intake), ms(row.last_at),
                static_cast<std::int64_t>(row.count));
    }
}

/// The number that an event's next delivery gets.
static std::int64_t next_number(Database& db, std::int64_t event) {
    auto cursor =
        db.run(kLastNumber, rows::delivery_seq(event, 0), rows::delivery_seq(event, rows::kDeliveriesPerEvent - 1));
    if (!cursor.next() || cursor->is_null(0)) return 0;
    return cursor->integer(0) % rows::kDeliveriesPerEvent + 1;
}

static std::optional<std::pair<std::int64_t, EventState>> find_event(Database& db, const Key16& id) {
    auto cursor = db.run(kEventById, Blob{id.view()});
    if (!cursor.next()) return std::nullopt;
    return std::pair{cursor->integer(0), static_cast<EventState>(cursor->small(1))};
}

static Error was_erased(const EventId& id) {
    return {Error::Kind::NotFound, "the event " + id.value + " was erased: there is nothing left to deliver"};
}

static Error no_event(const EventId& id) { return {Error::Kind::NotFound, "there is no event " + id.value}; }

Status SqliteStore::remap(const EventId& id, const std::vector<NewEvent>& mapped) {
    const auto key = pack_uuid(id.value);
    if (!key) return no_event(id);
    auto packed = pack(mapped);
    if (!packed) return packed.error();
    TallyChange change;
    Status outcome = Ok{};
    auto work = [&](Database& db) -> Status {
        let_go(change, false);
        change.clear();
        outcome = remap_event(db, *key, *packed, change);
        return Ok{};
    };
    auto written = writer_.write("map the event anew", work);
    let_go(change, written.has_value());
    if (!written) return written;
    if (outcome) tally_.apply(change);
    return outcome;
}

Status SqliteStore::remap_event(Database& db, const Key16& key, const std::vector<PackedEvent>& packed,
                                TallyChange& change) {
    const auto id = unpack_uuid(key.view());
    const auto found = find_event(db, key);
    if (!found) return no_event({id});
    const auto [seq, state] = *found;
    if (state != EventState::Unmapped) return Error{Error::Kind::Conflict, "the event is mapped already"};
    std::string earlier;
    bool has_form = false;
    for (const auto& event : packed) {
        if (has_form) {
            store_event(db, event, false, change);
            continue;
        }
        const auto other = event.dedup ? find_id(db.run(kOtherByDedup, blob(event.dedup), seq)) : std::nullopt;
        if (other) {
            earlier = other->value;
        } else {
            give_form(db, seq, id, event, change);
            has_form = true;
        }
    }
    if (has_form) return Ok{};
    return Error{Error::Kind::Conflict, earlier.empty() ? "the mapping makes no event of it"
                                                        : "the same event is stored already as " + earlier};
}

void SqliteStore::give_form(Database& db, std::int64_t seq, std::string_view id, const PackedEvent& packed,
                            TallyChange& change) {
    const auto& event = packed.from->event;
    db.exec(kRemap, seq, blob(packed.dedup), blob(packed.twin), std::string_view(event.event_class),
            std::string_view(event.channel), std::string_view(event.event_name), std::string_view(event.subject),
            ms(event.occurred_at), Blob{event.payload});
    db.exec(kRemoveHeaders, seq);
    store_deliveries(db, seq, id, next_number(db, seq), packed.deliveries, change);
    change.unmapped -= 1;
    if (!packed.from->leaves || event.subject.empty()) return;
    const auto before = read_snapshot(db, event.source, event.subject);
    if (judge_late(before, *packed.from->leaves, event).keep) return;
    leave_snapshot(db, before, packed, EventId{std::string(id)}, seq);
}

Result<Headers> SqliteStore::kept_headers(const EventId& id) {
    return attempt("read the event", [&]() -> Result<Headers> {
        const auto key = pack_uuid(id.value);
        if (!key) return Headers{};
        return readers_.with([&](Database& db) {
            auto cursor = db.run(kHeadersOf, Blob{key->view()});
            return cursor.next() ? parse_headers(cursor->view(0)) : Headers{};
        });
    });
}

Status SqliteStore::add_deliveries(const EventId& id, const std::vector<NewDelivery>& deliveries) {
    const auto key = pack_uuid(id.value);
    if (!key) return no_event(id);
    const auto packed = pack(deliveries);
    if (!packed) return packed.error();
    TallyChange change;
    Status outcome = Ok{};
    auto work = [&](Database& db) -> Status {
        let_go(change, false);
        change.clear();
        const auto found = find_event(db, *key);
        outcome = found ? Status(Ok{}) : Status(no_event(id));
        if (found && found->second == EventState::Erased) outcome = was_erased(id);
        if (!outcome) return Ok{};
        auto unknown = *packed;
        std::erase_if(unknown,
                      [&](const auto& delivery) { return db.run(kKnownDelivery, Blob{delivery.id.view()}).next(); });
        const auto number = next_number(db, found->first);
        if (number + static_cast<std::int64_t>(unknown.size()) > rows::kDeliveriesPerEvent) {
            outcome = Error{Error::Kind::Invalid, "the event has too many deliveries already"};
        } else {
            store_deliveries(db, found->first, id.value, number, unknown, change);
        }
        return Ok{};
    };
    auto written = writer_.write("add deliveries", work);
    let_go(change, written.has_value());
    if (!written) return written;
    tally_.apply(change);
    return outcome;
}

}  // namespace orbridge
