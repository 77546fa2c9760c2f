#pragma once

#include <optional>
#include <string>

#include "bridge/core/json.h"

namespace orbridge::postgresql {

/// The text of a bound parameter of the type that the server expects (its oid in pg_type). JSON columns take any value
/// as JSON; arrays take arrays; all else takes texts as they are and numbers and booleans as written. Nothing: NULL.
std::optional<std::string> bound(const Json& value, unsigned oid);

/// A value of a row as JSON: numbers, booleans and JSON as they are, all else as texts.
std::string to_json(std::string_view text, unsigned oid);

}  // namespace orbridge::postgresql
