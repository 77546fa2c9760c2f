#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "bridge/core/http.h"
#include "bridge/core/json.h"
#include "bridge/core/result.h"

namespace orbridge {

/// `{"error":{"code":"…","message":"…"[,"field":"…"]}}`: the one shape of every error this program answers,
/// the lease API's excepted. `code` is for programs and never changes; `message` is for people.
inline Answer error_answer(int status, std::string_view code, std::string_view message, std::string_view field = {},
                           Headers extra = {}) {
    JsonWriter json;
    json.object().key("error").object().member("code", code).member("message", message);
    if (!field.empty()) json.member("field", field);
    json.end().end();
    return Answer{.status = status, .body = std::move(json).text(), .headers = std::move(extra)};
}

/// The status that says what the caller can do about it.
inline Answer error_answer(const Error& error) {
    switch (error.kind) {
        case Error::Kind::Invalid: return error_answer(400, "invalid", error.message);
        case Error::Kind::Unauthorized: return error_answer(401, "unauthorized", error.message);
        case Error::Kind::NotFound: return error_answer(404, "not_found", error.message);
        case Error::Kind::Conflict: return error_answer(409, "conflict", error.message);
        case Error::Kind::Unavailable:
            return error_answer(503, "unavailable", error.message, {}, {{"Retry-After", "1"}});
        case Error::Kind::Internal: break;
    }
    return error_answer(500, "internal", error.message);
}

}  // namespace orbridge
