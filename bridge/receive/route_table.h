#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bridge/core/http.h"
#include "bridge/receive/respond.h"

namespace orbridge {

/// What a pattern's placeholders stood for, percent-decoded. The rest behind a final `/**` is named `**`
/// and stays as sent.
class PathValues {
public:
    /// Empty if there is no such placeholder.
    const std::string& operator[](std::string_view name) const;
    void add(std::string_view name, std::string value) { values_.emplace_back(name, std::move(value)); }

private:
    std::vector<std::pair<std::string, std::string>> values_;
};

using RouteHandler = std::function<Answer(const InboundRequest&, const PathValues&)>;
/// The values are gone when it returns.
using LaterRouteHandler = std::function<void(const InboundRequest&, const PathValues&, Respond)>;

/// Which handler serves which method and path. Filled once, then safe from any thread; itself a LaterHandler.
class RouteTable {
public:
    /// `/ingest/{source}`; `{name}` stands for one segment that is not empty, a final `/**` for any rest, empty
    /// or not. Method `*` is every method. Among patterns that fit, the one with the earlier literal wins,
    /// whatever the order of adding: `/a/b` before `/a/{x}` before `/a/**`. Of equal ones the first wins.
    RouteTable& add(std::string_view method, std::string_view pattern, RouteHandler handler);
    /// One that answers by itself, perhaps after it has returned.
    RouteTable& add_later(std::string_view method, std::string_view pattern, LaterRouteHandler handler);

    /// The handler's answer; 404 if no pattern fits; 405 with `Allow` if one fits for other methods only.
    /// HEAD is served by GET's handler.
    void operator()(const InboundRequest& request, Respond respond) const;

private:
    struct Segment {
        enum class Kind { Rest, Value, Literal };  // from the weakest on
        Kind kind;
        std::string text;
    };
    struct Route {
        std::string method;
        std::vector<Segment> segments;
        LaterRouteHandler handler;
    };
    static bool fits(const Route& route, const std::vector<std::string_view>& path);
    static bool beats(const Route& route, const Route& other);
    static PathValues values_of(const Route& route, std::string_view path);

    std::vector<Route> routes_;
};

}  // namespace orbridge
