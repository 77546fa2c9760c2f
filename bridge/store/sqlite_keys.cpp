#include "bridge/store/sqlite_keys.h"

namespace orbridge::rows {
namespace {

constexpr char kTwin = 'T';
constexpr const char* kAny = "SELECT 1 FROM keys WHERE place = ? LIMIT 1";
constexpr const char* kFindDedup = "SELECT ref FROM keys WHERE place = ? AND key = ? AND ref <> ? ORDER BY ref LIMIT 1";
constexpr const char* kAdd = "INSERT INTO keys (place, key, ref) VALUES (?, ?, ?)";

// What had no subject when it was erased kept its place.
#define ORBRIDGE_PLACES                                                          \
    "place IN (SELECT source || char(10) || subject FROM events WHERE seq = ?1 " \
    "UNION ALL SELECT source || char(10) FROM events WHERE seq = ?1 AND state = 2)"
constexpr const char* kTakeDedup =
    "DELETE FROM keys WHERE " ORBRIDGE_PLACES " AND key = (SELECT dedup FROM events WHERE seq = ?1) AND ref = ?1";
constexpr const char* kTakeTwin =
    "DELETE FROM keys WHERE " ORBRIDGE_PLACES
    " AND key = (SELECT CAST(x'54' || twin AS BLOB) FROM events WHERE seq = ?1) AND ref = ?1";
constexpr const char* kPutDedup =
    "INSERT INTO keys (place, key, ref) SELECT source || char(10) || subject, dedup, seq FROM events"
    " WHERE seq = ?1 AND dedup IS NOT NULL";
constexpr const char* kPutTwin =
    "INSERT INTO keys (place, key, ref) SELECT source || char(10) || subject, CAST(x'54' || twin AS BLOB), seq"
    " FROM events WHERE seq = ?1 AND twin IS NOT NULL";

}  // namespace

std::string place_of(std::string_view source, std::string_view subject) {
    std::string place;
    place.reserve(source.size() + 1 + subject.size());
    return place.append(source).append(1, '\n').append(subject);
}

bool has_keys(Database& db, std::string_view place) { return db.run(kAny, place).next(); }

std::optional<std::int64_t> find_dedup(Database& db, std::string_view place, const Key16& dedup, std::int64_t but) {
    auto cursor = db.run(kFindDedup, place, Blob{dedup.view()}, but);
    if (!cursor.next()) return std::nullopt;
    return cursor->integer(0);
}

std::string twin_entry(const Key16& twin) { return std::string(1, kTwin).append(twin.view()); }

void add_keys(Database& db, std::string_view place, const std::optional<Key16>& dedup, const std::optional<Key16>& twin,
              std::int64_t event) {
    if (dedup) db.exec(kAdd, place, Blob{dedup->view()}, event);
    if (!twin) return;
    const auto entry = twin_entry(*twin);
    db.exec(kAdd, place, Blob{entry}, event);
}

void take_keys(Database& db, std::int64_t event) {
    db.exec(kTakeDedup, event);
    db.exec(kTakeTwin, event);
}

void put_keys(Database& db, std::int64_t event) {
    db.exec(kPutDedup, event);
    db.exec(kPutTwin, event);
}

}  // namespace orbridge::rows
