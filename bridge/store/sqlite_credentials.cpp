#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_store.h"

namespace orbridge {
namespace {

using rows::ms;

constexpr const char* kAll =
    "SELECT id, adapter, name, scope, sealed, key_id, version, revision, verdict, checked_at, message, created_at,"
    " updated_at FROM credentials ORDER BY adapter, name, scope";
constexpr const char* kInsert =
    "INSERT INTO credentials (id, adapter, name, scope, sealed, key_id, version, revision, verdict, checked_at, "
    "message,"
    " created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
constexpr const char* kReplace =
    "UPDATE credentials SET sealed = ?6, key_id = ?7, version = ?8, revision = revision + 1, verdict = ?9,"
    " checked_at = ?10, message = ?11, updated_at = ?12"
    " WHERE id = ?1 AND adapter = ?2 AND name = ?3 AND scope = ?4 AND revision = ?5";
constexpr std::int64_t kNever = 0;
constexpr const char* kRemove = "DELETE FROM credentials WHERE id = ?";

CredentialRow read_credential(Statement& row) {
    CredentialRow one;
    one.id = row.text(0);
    one.adapter = row.text(1);
    one.name = row.text(2);
    one.scope = row.text(3);
    one.sealed = row.text(4);
    one.key_id = row.text(5);
    one.version = static_cast<std::uint64_t>(row.integer(6));
    one.revision = static_cast<std::uint64_t>(row.integer(7));
    one.verdict = static_cast<CredentialRow::Verdict>(row.small(8));
    if (row.integer(9) != kNever) one.checked_at = rows::time(row.integer(9));
    one.message = row.text(10);
    one.created_at = rows::time(row.integer(11));
    one.updated_at = rows::time(row.integer(12));
    return one;
}

int write(Database& db, const CredentialRow& one) {
    const auto text = [](const std::string& value) { return std::string_view(value); };
    const auto version = static_cast<std::int64_t>(one.version);
    const auto revision = static_cast<std::int64_t>(one.revision);
    const auto verdict = static_cast<int>(one.verdict);
    const auto checked = one.checked_at ? ms(*one.checked_at) : kNever;
    if (revision == 0) {
        return db.exec(kInsert, text(one.id), text(one.adapter), text(one.name), text(one.scope), Blob{one.sealed},
                       text(one.key_id), version, verdict, checked, text(one.message), ms(one.created_at),
                       ms(one.updated_at));
    }
    return db.exec(kReplace, text(one.id), text(one.adapter), text(one.name), text(one.scope), revision,
                   Blob{one.sealed}, text(one.key_id), version, verdict, checked, text(one.message),
                   ms(one.updated_at));
}

}  // namespace

Result<std::vector<CredentialRow>> SqliteStore::credentials() {
    return attempt("list credentials", [&]() -> Result<std::vector<CredentialRow>> {
        return readers_.with([](Database& db) {
            std::vector<CredentialRow> all;
            for (auto cursor = db.run(kAll); cursor.next();) all.push_back(read_credential(cursor.row()));
            return all;
        });
    });
}

Result<CredentialRow> SqliteStore::put_credential(const CredentialRow& row) {
    const auto written = writer_.write("store the credentials", [&](Database& db) -> Status {
        if (write(db, row) != 0) return Ok{};
        return Error{Error::Kind::Conflict, "the credentials were changed by somebody else"};
    });
    if (!written) return written.error();
    auto stored = row;
    ++stored.revision;
    return stored;
}

Status SqliteStore::remove_credential(const std::string& id) {
    return writer_.write("remove the credentials", [&](Database& db) -> Status {
        if (db.exec(kRemove, std::string_view(id)) != 0) return Ok{};
        return Error{Error::Kind::NotFound, "there are no credentials with the id " + id};
    });
}

}  // namespace orbridge
