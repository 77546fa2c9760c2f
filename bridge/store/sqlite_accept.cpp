#include <utility>

#include "bridge/core/text.h"
#include "bridge/store/sqlite_keys.h"
#include "bridge/store/sqlite_packed.h"
#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_snapshot_rows.h"
#include "bridge/store/sqlite_store.h"

namespace orbridge {
namespace {

using rows::blob;
using rows::code;
using rows::find_id;
using rows::floor_of;
using rows::ms;
using rows::place_of;
using rows::read_snapshot;

constexpr std::string_view kStoring = "store the event";

constexpr const char* kInsertEvent =
    "INSERT INTO events (seq, id, dedup, twin, seen, state, intake, source, class, channel, event_name, subject,"
    " occurred_at, received_at, payload, backfilled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING";
constexpr const char* kIdBySeq = "SELECT id FROM events WHERE seq = ?";
constexpr const char* kIdByTwinDedup = "SELECT e.id FROM twins t JOIN events e ON e.seq = t.event WHERE t.dedup = ?";
constexpr const char* kSeqById = "SELECT seq FROM events WHERE id = ?";
constexpr const char* kInsertHeaders = "INSERT INTO kept_headers (event, headers) VALUES (?, ?)";
constexpr const char* kTwin =
    "SELECT e.seq, e.id FROM keys k CROSS JOIN events e ON e.seq = k.ref WHERE k.place = ?6 AND k.key = ?1"
    " AND e.received_at BETWEEN ?2 AND ?3 AND e.seen & ?4 = 0"
    // Polling sees whole objects, as webhooks do: only what schema hooks tell it cannot know again by itself.
    " AND (?5 = 2 OR (?5 <> 3 AND e.intake <> 3) OR (?5 = 3 AND e.intake = 2))"
    " ORDER BY k.ref LIMIT 1";
constexpr const char* kTwinSeen = "UPDATE events SET seen = seen | ?2 WHERE seq = ?1";
constexpr const char* kInsertTwin = "INSERT INTO twins (dedup, event) VALUES (?, ?) ON CONFLICT DO NOTHING";
constexpr const char* kInsertDelivery =
    "INSERT INTO deliveries (seq, id, order_key, state, attempts, unclear, replayed, due_at, ended_at, target, route,"
    " reason, reference, mark) VALUES (?1, ?2, ?3, CASE WHEN ?8 <> '' THEN 5 ELSE ?3 IS NOT NULL AND EXISTS (SELECT 1 "
    "FROM"
    " deliveries WHERE order_key = ?3 AND state <= 1) END, 0, 0, ?4, ?5, CASE WHEN ?8 <> '' THEN ?5 END, ?6, ?7, ?8, "
    "'', ?9)";
constexpr const char* kOpenOfKey = "SELECT seq FROM deliveries WHERE order_key = ? AND state <= 1 ORDER BY seq";
constexpr const char* kSupersede = "UPDATE deliveries SET state = 5, ended_at = ?2, reason = ?3 WHERE seq = ?1";
constexpr const char* kHeard =
    "INSERT INTO heard (source, intake, last_at, count) VALUES (?, ?, ?, ?) ON CONFLICT (source, intake) DO UPDATE"
    " SET last_at = excluded.last_at, count = excluded.count";

Error not_a_uuid(std::string_view what, const std::string& value) {
    return {Error::Kind::Invalid, std::string(what) + " id is not a UUID: " + value};
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

constexpr const char* kSetBookmark =
    "INSERT INTO notes (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
constexpr const char* kStateOfEvent = "SELECT state FROM events WHERE id = ?";
constexpr const char* kInsertDifference =
    "INSERT OR REPLACE INTO differences (event, before, changed) VALUES (?, ?, ?)";

bool is_erased(Database& db, const EventId& id) {
    const auto key = pack_uuid(id.value);
    auto cursor = db.run(kStateOfEvent, Blob{key ? key->view() : std::string_view()});
    return cursor.next() && cursor->small(0) == code(EventState::Erased);
}

}  // namespace

/// What comes with events, or alone: first sights, and where to go on.
void SqliteStore::store_rest(Database& db, const Arrival& arrival) {
    for (const auto& seen : arrival.seen) {
        if (read_snapshot(db, place_of(arrival.seen_at.value, seen.subject))) continue;
        const auto floor = floor_of(db, arrival.seen_at);
        rows::add_snapshot(db, arrival.seen_at, seen.subject, first_sight(seen.state, floor, arrival.seen_when));
    }
    if (!arrival.bookmark) return;
    db.exec(kSetBookmark, std::string_view(arrival.bookmark->key), std::string_view(arrival.bookmark->value));
}

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
    packed.place = place_of(source, event.event.subject);
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
std::vector<Accepted> SqliteStore::store_arrival(Database& db, std::vector<PackedEvent>& packed,
                                                 const std::optional<Key16>& request, bool only_if_known,
                                                 TallyChange& change) {
    if (request && has_twins_) {
        if (const auto earlier = find_id(db.run(kIdByTwinDedup, blob(request))))
            return std::vector<Accepted>(packed.size(), Accepted{*earlier, true});
    }
    std::vector<Accepted> accepted;
    accepted.reserve(packed.size());
    for (auto& event : packed) {
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
std::optional<Accepted> SqliteStore::store_event(Database& db, PackedEvent& packed, bool only_if_known,
                                                 TallyChange& change) {
    const auto& leaves = packed.from->leaves;
    const auto& event = packed.from->event;
    // Of a subject that nobody has heard of there is nothing to be looked up.
    packed.heard_of = has_erased_ || rows::has_keys(db, packed.place);
    if (event.backfilled) return store_backfilled(db, packed, only_if_known, change);
    if (!leaves || event.subject.empty()) return store_new(db, packed, only_if_known, change);
    const auto before = packed.heard_of ? read_snapshot(db, packed.place) : std::nullopt;
    const bool late = event.sequence != 0;
    const auto verdict = late ? judge_late(before, *leaves, event) : judge(before, *leaves, event.intake);
    if (verdict.same) return Accepted{before->event.value.empty() ? event.id : before->event, true};
    auto as_stored = packed;
    if (verdict.real) {
        as_stored.twin.reset();
        if (packed.dedup && find_by_dedup(db, packed))
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
    if (before) {
        rows::change_snapshot(db, packed.place, update.after);
    } else {
        rows::add_snapshot(db, event.source, event.subject, update.after);
    }
    if (seq == 0 || !update.difference) return false;
    db.exec(kInsertDifference, seq, Blob{update.difference->before}, std::string_view(update.difference->changed));
    return true;
}

/// Whatever was heard of its subject since it was read is younger, and is told already.
std::optional<Accepted> SqliteStore::store_backfilled(Database& db, const PackedEvent& packed, bool only_if_known,
                                                      TallyChange& change) {
    const auto& event = packed.from->event;
    auto known = read_snapshot(db, packed.place);
    const bool there = known.has_value();
    const auto& leaves = packed.from->leaves;
    if (!known && leaves) known = first_sight(*leaves, floor_of(db, event.source), event.received_at);
    if (!is_untold(known)) return Accepted{known && !known->event.value.empty() ? known->event : event.id, true};
    auto accepted = store_new(db, packed, only_if_known, change);
    if (!accepted || is_erased(db, accepted->id)) return accepted;
    known->event = accepted->id;
    if (there) {
        rows::change_snapshot(db, packed.place, *known);
    } else {
        rows::add_snapshot(db, event.source, event.subject, *known);
    }
    return accepted;
}

/// Nothing: it is new, and only a known one was wanted.
std::optional<Accepted> SqliteStore::store_new(Database& db, const PackedEvent& packed, bool only_if_known,
                                               TallyChange& change) {
    if (const auto earlier = find_earlier(db, packed)) return *earlier;
    const auto& event = packed.from->event;
    if (only_if_known) {
        if (!db.run(kSeqById, Blob{packed.id.view()}).next()) return std::nullopt;
        return Accepted{event.id, true};
    }
    const auto seq = last_seq_ + 1;
    const auto inserted =
        db.exec(kInsertEvent, seq, Blob{packed.id.view()}, blob(packed.dedup), blob(packed.twin),
                1 << code(event.intake), code(event.state), code(event.intake), std::string_view(event.source.value),
                std::string_view(event.event_class), std::string_view(event.channel),
                std::string_view(event.event_name), std::string_view(event.subject), ms(event.occurred_at),
                ms(event.received_at), Blob{event.payload}, event.backfilled);
    if (inserted == 0) return Accepted{event.id, true};  // the same event once more
    last_seq_ = seq;
    rows::add_keys(db, packed.place, packed.dedup, packed.twin, seq);
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

/// By its own dedup key, also where an erased one's is. `but`: not this event.
std::optional<EventId> SqliteStore::find_by_dedup(Database& db, const PackedEvent& packed, std::int64_t but) const {
    if (!packed.dedup || !packed.heard_of) return std::nullopt;
    auto seq = rows::find_dedup(db, packed.place, *packed.dedup, but);
    if (!seq && has_erased_) {
        const auto& event = packed.from->event;
        seq = rows::find_dedup(db, place_of(event.source.value, erased_name(event.subject)), *packed.dedup, but);
    }
    if (!seq) return std::nullopt;
    return find_id(db.run(kIdBySeq, *seq));
}

/// An event that came already: by its own dedup key, by that of a twin, or now as a twin.
std::optional<Accepted> SqliteStore::find_earlier(Database& db, const PackedEvent& packed) {
    if (!packed.heard_of) return std::nullopt;
    if (const auto same = find_by_dedup(db, packed)) return Accepted{*same, true};
    if (!packed.twin) return std::nullopt;
    if (packed.dedup && has_twins_) {
        if (const auto same = find_id(db.run(kIdByTwinDedup, blob(packed.dedup)))) return Accepted{*same, true};
    }
    const auto& event = packed.from->event;
    const int seen = 1 << code(event.intake);
    const auto entry = rows::twin_entry(*packed.twin);
    std::int64_t seq = 0;
    EventId id;
    {
        auto cursor =
            db.run(kTwin, Blob{entry}, ms(event.received_at - twin_window_), ms(event.received_at + twin_window_), seen,
                   code(event.intake), std::string_view(packed.place));
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
        std::string outdated;
        if (from.latest_only && from.cut.empty()) outdated = supersede(db, delivery, seq, by, change);
        const std::string_view cut = outdated.empty() ? from.cut : outdated;
        db.exec(kInsertDelivery, seq++, Blob{delivery.id.view()}, delivery.order_key, from.replayed, ms(from.due_at),
                std::string_view(from.target.value), std::string_view(from.route), cut, std::string_view(from.mark));
        change.moves.push_back(
            {from.target, std::nullopt, cut.empty() ? DeliveryState::Pending : DeliveryState::Cancelled});
    }
}

/// Ends what is older and waits: held from here to the commit, so that none is handed out that is about to end.
/// Not empty: why the new one itself is over.
std::string SqliteStore::supersede(Database& db, const PackedDelivery& with, std::int64_t at, std::string_view by,
                                   TallyChange& change) {
    if (!with.order_key) return {};
    std::vector<std::int64_t> waiting;
    {
        auto cursor = db.run(kOpenOfKey, *with.order_key);
        while (cursor.next()) waiting.push_back(cursor->integer(0));
    }
    if (!waiting.empty() && at < waiting.back()) return rows::superseded_by(db, waiting.back());
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
    return {};
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

}  // namespace orbridge
