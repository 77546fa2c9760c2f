#include "adapters/postgresql/sql.h"

#include <set>

#include "bridge/core/text.h"

namespace orbridge::postgresql {
namespace {

constexpr std::size_t kColumnsMax = 500;

struct Column {
    std::string name;  ///< quoted
    Json value;
};
using Columns = std::vector<Column>;

Error wrong(std::string message) { return {Error::Kind::Invalid, std::move(message)}; }

Result<Columns> columns_of(const Json& object, const char* what, const Quote& quote) {
    Columns columns;
    if (!object.present()) return columns;
    if (object.size() > kColumnsMax) return wrong(std::string(what) + ": too many columns");
    for (const auto& [name, raw_name, value] : object.members()) {
        auto quoted = quote(name);
        if (!quoted) return wrong(std::string(what) + ": " + quoted.error().message);
        columns.push_back({std::move(*quoted), value});
    }
    return columns;
}

/// A null names no row: neither a constraint nor a comparison would find it.
Result<Columns> keys_of(const Json& object, const Quote& quote) {
    auto keys = columns_of(object, "key", quote);
    if (!keys) return keys;
    if (keys->empty()) return wrong("key: expected the columns that name the row");
    for (const auto& column : *keys)
        if (column.value.is_null()) return wrong("key: " + column.name + " is null, which names no row");
    return keys;
}

Status once_each(const Columns& columns) {
    std::set<std::string_view> seen;
    for (const auto& column : columns)
        if (!seen.insert(column.name).second) return wrong("column " + column.name + " is given twice");
    return Ok{};
}

std::string names_of(const Columns& columns) {
    std::vector<std::string> names;
    names.reserve(columns.size());
    for (const auto& column : columns) names.push_back(column.name);
    return join(names, ", ");
}

std::string placeholders(std::size_t count) {
    std::vector<std::string> all;
    all.reserve(count);
    for (std::size_t i = 1; i <= count; ++i) all.push_back('$' + std::to_string(i));
    return join(all, ", ");
}

std::string updates_of(const Columns& columns) {
    std::vector<std::string> all;
    all.reserve(columns.size());
    for (const auto& column : columns) all.push_back(column.name + " = EXCLUDED." + column.name);
    return join(all, ", ");
}

void append(Columns& columns, const Columns& more) { columns.insert(columns.end(), more.begin(), more.end()); }

}  // namespace

Result<std::string> quoted_table(std::string_view table, const Quote& quote) {
    const auto parts = split(table, '.');
    if (parts.size() > 2) return wrong("table: expected `name` or `schema.name`");
    std::vector<std::string> quoted;
    for (const auto part : parts) {
        auto name = quote(part);
        if (!name) return wrong("table: " + name.error().message);
        quoted.push_back(std::move(*name));
    }
    return join(quoted, ".");
}

Result<Sql> upsert(std::string_view table, const Json& key, const Json& values, const Json& initial,
                   const Quote& quote) {
    const auto name = quoted_table(table, quote);
    if (!name) return name.error();
    const auto keys = keys_of(key, quote);
    const auto changed = columns_of(values, "values", quote);
    const auto first = columns_of(initial, "initial", quote);
    for (const auto* each : {&keys, &changed, &first})
        if (!*each) return each->error();
    auto all = *keys;
    append(all, *changed);
    append(all, *first);
    if (auto once = once_each(all); !once) return once.error();
    Sql sql;
    sql.text = "INSERT INTO " + *name + " (" + names_of(all) + ") VALUES (" + placeholders(all.size()) +
               ") ON CONFLICT (" + names_of(*keys) + ") DO " +
               (changed->empty() ? std::string("NOTHING") : "UPDATE SET " + updates_of(*changed));
    for (const auto& column : all) sql.values.push_back(column.value);
    return sql;
}

Result<Sql> remove(std::string_view table, const Json& key, const Quote& quote) {
    const auto name = quoted_table(table, quote);
    if (!name) return name.error();
    const auto keys = keys_of(key, quote);
    if (!keys) return keys.error();
    if (auto once = once_each(*keys); !once) return once.error();
    Sql sql;
    std::vector<std::string> conditions;
    for (const auto& column : *keys) {
        sql.values.push_back(column.value);
        conditions.push_back(column.name + " = $" + std::to_string(sql.values.size()));
    }
    sql.text = "DELETE FROM " + *name + " WHERE " + join(conditions, " AND ");
    return sql;
}

}  // namespace orbridge::postgresql
