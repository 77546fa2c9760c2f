#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/core/http.h"

/// The rules for a request's head, as pure functions. They are stricter than RFC 9112 asks, because
/// two readers of one byte stream who disagree on where a request ends are a way in for an attacker.
namespace orbridge {

/// Why a request is not served. `code` is stable, for programs; `message` is for people.
struct Refusal {
    int status = 400;
    std::string code;
    std::string message;
    std::string field{};  ///< the header field at fault, if it is one
};

struct RequestHead {
    InboundRequest request;
    bool http11 = true;
    bool keep_alive = true;
    bool expects_continue = false;
    bool chunked = false;
    std::size_t content_length = 0;
};

/// `POST /path?query HTTP/1.1`, without the line end. Fills method, path, query and version.
std::optional<Refusal> read_request_line(std::string_view line, std::size_t target_bytes_max, RequestHead& head);

/// `Name: value`, without the line end. Adds to the headers.
std::optional<Refusal> read_field(std::string_view line, Headers& headers);

/// Once all fields are there: how long the body is, whether the connection goes on, what is missing.
std::optional<Refusal> settle_framing(RequestHead& head);

}  // namespace orbridge
