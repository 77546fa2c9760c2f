#include "bridge/core/text.h"
#include "bridge/store/sqlite_rows.h"
#include "bridge/store/sqlite_store.h"

namespace orbridge {
namespace {

using rows::ms;

constexpr const char* kAll =
    "SELECT registration, hook, product, url, channel, event_filter, token, secret, secret_before,"
    " secret_before_until, notices, gone, registered_at, leased_at, lease_end FROM subscriptions ORDER BY registration";
constexpr const char* kRemoveHook = "DELETE FROM subscriptions WHERE hook = ?";
constexpr const char* kPut =
    "INSERT INTO subscriptions (hook, product, url, channel, event_filter, token, secret, secret_before,"
    " secret_before_until, notices, gone, registered_at, leased_at, lease_end)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING registration";
constexpr const char* kUpdate =
    "UPDATE subscriptions SET leased_at = ?2, lease_end = ?3, gone = ?4, secret = ?5, secret_before = ?6"
    " WHERE registration = ?1";
constexpr const char* kRemove = "DELETE FROM subscriptions WHERE registration = ?";
constexpr const char* kTokens = "SELECT name, hash, created_at, reads FROM api_tokens ORDER BY name";
constexpr const char* kPutToken =
    "INSERT INTO api_tokens (name, hash, created_at, reads) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
constexpr const char* kRemoveToken = "DELETE FROM api_tokens WHERE name = ?";

Subscription read_subscription(Statement& row) {
    Subscription one;
    one.registration = static_cast<std::uint64_t>(row.integer(0));
    one.hook = row.text(1);
    one.product = row.text(2);
    one.url = row.text(3);
    one.channel = row.text(4);
    one.event_filter = row.text(5);
    one.token = row.text(6);
    one.secret = Secret(row.text(7));
    one.secret_before = Secret(row.text(8));
    one.secret_before_until = rows::time(row.integer(9));
    one.notices = row.small(10) != 0;
    one.gone = row.small(11) != 0;
    one.registered_at = rows::time(row.integer(12));
    one.leased_at = rows::time(row.integer(13));
    one.lease_end = rows::time(row.integer(14));
    return one;
}

ApiToken read_token(Statement& row) {
    ApiToken token{row.text(0), row.text(1), rows::time(row.integer(2))};
    for (const auto source : split(row.view(3), ','))
        if (!source.empty()) token.reads.emplace_back(source);
    return token;
}

std::int64_t insert(Database& db, const Subscription& one) {
    const auto text = [](const std::string& value) { return std::string_view(value); };
    auto cursor = db.run(kPut, text(one.hook), text(one.product), text(one.url), text(one.channel),
                         text(one.event_filter), text(one.token), text(one.secret.reveal()),
                         text(one.secret_before.reveal()), ms(one.secret_before_until), one.notices, one.gone,
                         ms(one.registered_at), ms(one.leased_at), ms(one.lease_end));
    std::int64_t registration = 0;
    while (cursor.next()) registration = cursor->integer(0);
    return registration;
}

}  // namespace

Result<std::vector<Subscription>> SqliteStore::subscriptions() {
    return attempt("list subscriptions", [&]() -> Result<std::vector<Subscription>> {
        return readers_.with([](Database& db) {
            std::vector<Subscription> all;
            for (auto cursor = db.run(kAll); cursor.next();) all.push_back(read_subscription(cursor.row()));
            return all;
        });
    });
}

Result<std::uint64_t> SqliteStore::put_subscription(const Subscription& subscription) {
    std::int64_t registration = 0;
    const auto written = writer_.write("store the subscription", [&](Database& db) -> Status {
        db.exec(kRemoveHook, std::string_view(subscription.hook));
        registration = insert(db, subscription);
        return Ok{};
    });
    if (!written) return written.error();
    return static_cast<std::uint64_t>(registration);
}

Status SqliteStore::update_subscriptions(const std::vector<Subscription>& subscriptions) {
    return writer_.write("update subscriptions", [&](Database& db) -> Status {
        for (const auto& one : subscriptions) {
            db.exec(kUpdate, static_cast<std::int64_t>(one.registration), ms(one.leased_at), ms(one.lease_end),
                    one.gone, std::string_view(one.secret.reveal()), std::string_view(one.secret_before.reveal()));
        }
        return Ok{};
    });
}

Status SqliteStore::remove_subscriptions(const std::vector<std::uint64_t>& registrations) {
    return writer_.write("remove subscriptions", [&](Database& db) -> Status {
        for (const auto registration : registrations) db.exec(kRemove, static_cast<std::int64_t>(registration));
        return Ok{};
    });
}

Result<std::vector<ApiToken>> SqliteStore::api_tokens() {
    return attempt("list tokens", [&]() -> Result<std::vector<ApiToken>> {
        return readers_.with([](Database& db) {
            std::vector<ApiToken> all;
            for (auto cursor = db.run(kTokens); cursor.next();) all.push_back(read_token(cursor.row()));
            return all;
        });
    });
}

Status SqliteStore::put_api_token(const ApiToken& token) {
    const auto reads = join(token.reads, ",");
    return writer_.write("store the token", [&](Database& db) -> Status {
        if (db.exec(kPutToken, std::string_view(token.name), std::string_view(token.hash), ms(token.created_at),
                    std::string_view(reads)) != 0)
            return Ok{};
        return Error{Error::Kind::Conflict, "there is a token named " + token.name};
    });
}

Status SqliteStore::remove_api_token(const std::string& name) {
    return writer_.write("remove the token", [&](Database& db) -> Status {
        if (db.exec(kRemoveToken, std::string_view(name)) != 0) return Ok{};
        return Error{Error::Kind::NotFound, "there is no token named " + name};
    });
}

}  // namespace orbridge
