#include "bridge/receive/route_table.h"

#include <algorithm>
#include <set>

#include "bridge/core/text.h"
#include "bridge/receive/error_answer.h"

namespace orbridge {
namespace {

/// `/a/b` has the segments "a" and "b"; `/a/` has "a" and "".
std::vector<std::string_view> segments_of(std::string_view path) {
    if (path.starts_with('/')) path.remove_prefix(1);
    return split(path, '/');
}

bool equal_decoded(std::string_view sent, std::string_view literal) {
    if (sent.find('%') == std::string_view::npos) return sent == literal;
    return percent_decode(sent, false) == literal;
}

bool serves(std::string_view route_method, std::string_view method) {
    return route_method == "*" || route_method == method || (route_method == "GET" && method == "HEAD");
}

Answer method_not_allowed(const std::set<std::string>& allowed) {
    const auto list = join({allowed.begin(), allowed.end()}, ", ");
    return error_answer(405, "method_not_allowed", "This path takes " + list, {}, {{"Allow", list}});
}

}  // namespace

const std::string& PathValues::operator[](std::string_view name) const {
    static const std::string kNone;
    const auto found =
        std::find_if(values_.begin(), values_.end(), [&](const auto& value) { return value.first == name; });
    return found == values_.end() ? kNone : found->second;
}

RouteTable& RouteTable::add(std::string_view method, std::string_view pattern, RouteHandler handler) {
    return add_later(method, pattern,
                     [handler = std::move(handler)](const InboundRequest& request, const PathValues& values,
                                                    const Respond& respond) { respond(handler(request, values)); });
}

RouteTable& RouteTable::add_later(std::string_view method, std::string_view pattern, LaterRouteHandler handler) {
    Route route{std::string(method), {}, std::move(handler)};
    for (const auto segment : segments_of(pattern)) {
        if (segment == "**") {
            route.segments.push_back({Segment::Kind::Rest, "**"});
        } else if (segment.starts_with('{') && segment.ends_with('}')) {
            route.segments.push_back({Segment::Kind::Value, std::string(segment.substr(1, segment.size() - 2))});
        } else {
            route.segments.push_back({Segment::Kind::Literal, std::string(segment)});
        }
    }
    routes_.push_back(std::move(route));
    return *this;
}

bool RouteTable::fits(const Route& route, const std::vector<std::string_view>& path) {
    for (std::size_t i = 0; i < route.segments.size(); ++i) {
        const auto& segment = route.segments[i];
        if (i >= path.size()) return false;
        if (segment.kind == Segment::Kind::Rest) return true;
        if (segment.kind == Segment::Kind::Value && path[i].empty()) return false;
        if (segment.kind == Segment::Kind::Literal && !equal_decoded(path[i], segment.text)) return false;
    }
    return path.size() == route.segments.size();
}

bool RouteTable::beats(const Route& route, const Route& other) {
    const auto weaker = [](const Segment& a, const Segment& b) { return a.kind < b.kind; };
    return std::lexicographical_compare(other.segments.begin(), other.segments.end(), route.segments.begin(),
                                        route.segments.end(), weaker);
}

PathValues RouteTable::values_of(const Route& route, std::string_view path) {
    PathValues values;
    const auto segments = segments_of(path);
    for (std::size_t i = 0; i < route.segments.size(); ++i) {
        const auto& segment = route.segments[i];
        if (segment.kind == Segment::Kind::Value) values.add(segment.text, percent_decode(segments[i], false));
        if (segment.kind == Segment::Kind::Rest)
            values.add("**", std::string(path.substr(static_cast<std::size_t>(segments[i].data() - path.data()))));
    }
    return values;
}

void RouteTable::operator()(const InboundRequest& request, Respond respond) const {
    const auto path = segments_of(request.path);
    const Route* best = nullptr;
    std::set<std::string> allowed;
    for (const auto& route : routes_) {
        if (!fits(route, path)) continue;
        if (!serves(route.method, request.method)) {
            allowed.insert(route.method);
            if (route.method == "GET") allowed.insert("HEAD");
        } else if (best == nullptr || beats(route, *best)) {
            best = &route;
        }
    }
    if (best != nullptr) return best->handler(request, values_of(*best, request.path), std::move(respond));
    if (!allowed.empty()) return respond(method_not_allowed(allowed));
    respond(error_answer(404, "not_found", "There is nothing at this path"));
}

}  // namespace orbridge
