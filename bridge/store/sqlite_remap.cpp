#include <algorithm>
#include <utility>

#include "bridge/core/text.h"
#include "bridge/store/sqlite_keys.h"
#include "bridge/store/sqlite_packed.h"
#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_snapshot_rows.h"
#include "bridge/store/sqlite_store.h"

// What happens to events after they were stored: they are mapped, and get further deliveries.
namespace orbridge {
namespace {

using rows::blob;
using rows::ms;
using rows::read_snapshot;

constexpr const char* kEventById = "SELECT seq, state FROM events WHERE id = ?";
constexpr const char* kRemoveHeaders = "DELETE FROM kept_headers WHERE event = ?";
constexpr const char* kHeadersOf =
    "SELECT h.headers FROM events e JOIN kept_headers h ON h.event = e.seq WHERE e.id = ?";
constexpr const char* kRemap =
    "UPDATE events SET state = 0, dedup = coalesce(?2, dedup), twin = ?3, class = ?4, channel = ?5, event_name = ?6,"
    " subject = ?7, occurred_at = ?8, payload = ?9 WHERE seq = ?1";
// Waits if an open delivery of the same target and key is there already. With a reason it is over already.
constexpr const char* kKnownDelivery = "SELECT 1 FROM deliveries WHERE id = ?";
constexpr const char* kLastNumber = "SELECT max(seq) FROM deliveries WHERE seq BETWEEN ?1 AND ?2";

Headers parse_headers(std::string_view text) {
    Headers headers;
    for (const auto line : split(text, '\n')) {
        const auto colon = line.find(':');
        if (colon != std::string_view::npos)
            headers.push_back({std::string(line.substr(0, colon)), std::string(line.substr(colon + 1))});
    }
    return headers;
}

/// The number that an event's next delivery gets.
std::int64_t next_number(Database& db, std::int64_t event) {
    auto cursor =
        db.run(kLastNumber, rows::delivery_seq(event, 0), rows::delivery_seq(event, rows::kDeliveriesPerEvent - 1));
    if (!cursor.next() || cursor->is_null(0)) return 0;
    return cursor->integer(0) % rows::kDeliveriesPerEvent + 1;
}

std::optional<std::pair<std::int64_t, EventState>> find_event(Database& db, const Key16& id) {
    auto cursor = db.run(kEventById, Blob{id.view()});
    if (!cursor.next()) return std::nullopt;
    return std::pair{cursor->integer(0), static_cast<EventState>(cursor->small(1))};
}

Error was_erased(const EventId& id) {
    return {Error::Kind::NotFound, "the event " + id.value + " was erased: there is nothing left to deliver"};
}

Error no_event(const EventId& id) { return {Error::Kind::NotFound, "there is no event " + id.value}; }

}  // namespace

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

Status SqliteStore::remap_event(Database& db, const Key16& key, std::vector<PackedEvent>& packed, TallyChange& change) {
    const auto id = unpack_uuid(key.view());
    const auto found = find_event(db, key);
    if (!found) return no_event({id});
    const auto [seq, state] = *found;
    if (state != EventState::Unmapped) return Error{Error::Kind::Conflict, "the event is mapped already"};
    std::string earlier;
    bool has_form = false;
    for (auto& event : packed) {
        if (has_form) {
            store_event(db, event, false, change);
            continue;
        }
        if (const auto other = find_by_dedup(db, event, seq)) {
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
    rows::take_keys(db, seq);
    db.exec(kRemap, seq, blob(packed.dedup), blob(packed.twin), std::string_view(event.event_class),
            std::string_view(event.channel), std::string_view(event.event_name), std::string_view(event.subject),
            ms(event.occurred_at), Blob{event.payload});
    rows::put_keys(db, seq);
    db.exec(kRemoveHeaders, seq);
    store_deliveries(db, seq, id, next_number(db, seq), packed.deliveries, change);
    change.unmapped -= 1;
    if (!packed.from->leaves || event.subject.empty()) return;
    const auto before = read_snapshot(db, packed.place);
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
