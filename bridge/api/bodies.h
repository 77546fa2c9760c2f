#pragma once

#include <string>

#include "bridge/core/http.h"
#include "bridge/core/json.h"
#include "bridge/core/result.h"

/// JSON in and out of the admin API.
namespace orbridge {

inline constexpr const char* kNoObject = "the body must be a JSON object";

/// Invalid: it is no JSON, with where it is wrong, or kNoObject.
inline Result<JsonPtr> object_of(const std::string& body) {
    auto document = JsonDocument::parse(body);
    if (document && !(*document)->root().is_object()) return Error{Error::Kind::Invalid, kNoObject};
    return document;
}

inline Answer ok(const JsonWriter& json) { return {.status = 200, .body = json.text()}; }

}  // namespace orbridge
