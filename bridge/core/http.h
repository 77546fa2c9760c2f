#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/result.h"

namespace orbridge {

struct Header {
    std::string name;
    std::string value;
    friend bool operator==(const Header&, const Header&) = default;
};
using Headers = std::vector<Header>;

/// Compares names without case. The first one, or nullptr.
const std::string* find_header(const Headers& headers, std::string_view name);
/// How many times it occurs.
std::size_t count_header(const Headers& headers, std::string_view name);

bool equal_ignoring_case(std::string_view a, std::string_view b);

// ---- coming in ----------------------------------------------------------------------------------

/// A request that was read whole: the body is exactly as long as announced, within the limit.
struct InboundRequest {
    std::string method;  ///< upper case
    std::string path;    ///< as sent, percent-encoding and all, without the query
    std::string query;   ///< as sent, without the question mark
    Headers headers;     ///< as received, in order
    std::string body;
    std::string peer;  ///< address of the other end
};

struct Answer {
    int status = 200;
    std::string body{};
    std::string content_type = "application/json";
    Headers headers{};
};

// ---- going out ----------------------------------------------------------------------------------

/// One exchange to be made. The URL may hold credentials: log only `where()` of it.
struct HttpRequest {
    std::string method = "POST";
    std::string url;
    std::string unix_socket{};  ///< a file to connect to instead of the URL's host
    Headers headers{};
    std::string body{};
    milliseconds connect_timeout{5'000};
    milliseconds timeout{20'000};  ///< the whole exchange, answer body included
    std::size_t answer_bytes_max = 20'000;
    /// Asked, on the transport's thread, with each IP address before it is connected to, and again before the
    /// request is written (the connection may be an earlier one). Empty: any address. Invalid: why not.
    std::function<Status(const std::string& address)> may_connect{};
};

struct HttpResponse {
    int status = 0;
    Headers headers{};
    std::string body{};     ///< at most answer_bytes_max of it
    bool body_cut = false;  ///< there was more
};

/// No answer came. How far it got decides what may be repeated.
struct TransportFailure {
    enum class Reached {
        NothingSent,  ///< certainly not seen by the other side
        Unclear,      ///< may have been received and acted upon
    };
    Reached reached = Reached::Unclear;
    bool timed_out = false;
    std::string reason;
};

using Exchange = std::variant<HttpResponse, TransportFailure>;

/// How this machine reaches what listens so: `http://127.0.0.1:8080` for `0.0.0.0:8080`, `http://localhost` for
/// `unix:<file>`, whose file is unix_socket_of().
std::string local_url(const std::string& listen);
/// The file of `unix:<file>`, else nothing.
std::string unix_socket_of(const std::string& listen);

/// `https://host:port/path` without user info and query: fit for logs.
std::string where(std::string_view url);

/// Percent-encodes everything but unreserved characters (RFC 3986).
std::string percent_encode(std::string_view text);
/// Decodes %XX, and '+' only if asked for (form and query values).
std::string percent_decode(std::string_view text, bool plus_is_space);
/// Value of `name` in `a=b&c=d`, decoded; empty if absent.
std::string query_value(std::string_view query, std::string_view name);

}  // namespace orbridge
