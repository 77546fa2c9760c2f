#include <algorithm>
#include <tuple>

#include "bridge/settings/config_node.h"
#include "bridge/settings/values.h"

namespace orbridge {
namespace {

/// `file:line:column` or a file alone.
std::tuple<std::string, std::int64_t, std::int64_t> sort_key(const std::string& where) {
    const auto second = where.rfind(':');
    if (second == std::string::npos || second == 0) return {where, 0, 0};
    const auto first = where.rfind(':', second - 1);
    if (first == std::string::npos) return {where, 0, 0};
    const auto line = parse_integer(std::string_view(where).substr(first + 1, second - first - 1));
    const auto column = parse_integer(std::string_view(where).substr(second + 1));
    if (!line || !column) return {where, 0, 0};
    return {where.substr(0, first), *line, *column};
}

}  // namespace

void Complaints::add(std::string where, std::string path, std::string what) {
    lines_.push_back({std::move(where), std::move(path), std::move(what)});
}

void Complaints::take(Complaints other) {
    for (auto& line : other.lines_) lines_.push_back(std::move(line));
}

std::vector<std::string> Complaints::lines() const {
    auto sorted = lines_;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Line& a, const Line& b) { return sort_key(a.where) < sort_key(b.where); });
    std::vector<std::string> texts;
    texts.reserve(sorted.size());
    for (const auto& line : sorted)
        texts.push_back(line.where + ": " + (line.path.empty() ? "" : line.path + ": ") + line.what);
    return texts;
}

}  // namespace orbridge
