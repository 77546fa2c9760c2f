#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/json.h"
#include "bridge/core/result.h"

namespace orbridge::postgresql {

/// A statement with its values apart from it: nothing of an event is ever part of the text but the names of columns,
/// and these are quoted by the library.
struct Sql {
    std::string text;
    std::vector<Json> values;  ///< of $1, $2, …; of the documents they were taken from
};

/// An identifier with quotes around it (libpq's PQescapeIdentifier). Invalid: it cannot be one.
using Quote = std::function<Result<std::string>(std::string_view name)>;

/// `name` or `schema.name`.
Result<std::string> quoted_table(std::string_view table, const Quote& quote);

/// `key`, `values` and `initial` are objects of columns. A row with this key gets the values, else one is made of all
/// three. Invalid: what is wrong with them.
Result<Sql> upsert(std::string_view table, const Json& key, const Json& values, const Json& initial,
                   const Quote& quote);

/// The rows with this key.
Result<Sql> remove(std::string_view table, const Json& key, const Quote& quote);

}  // namespace orbridge::postgresql
