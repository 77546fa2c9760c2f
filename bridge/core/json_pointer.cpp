#include "bridge/core/json_pointer.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace orbridge {
namespace {

std::string unescaped(std::string_view step) {
    std::string name;
    for (std::size_t i = 0; i < step.size(); ++i) {
        if (step[i] == '~' && i + 1 < step.size()) {
            name += step[++i] == '1' ? '/' : '~';
        } else {
            name += step[i];
        }
    }
    return name;
}

Json element(const Json& list, const std::string& name) {
    std::size_t index = 0;
    const auto* end = name.data() + name.size();
    const auto read = std::from_chars(name.data(), end, index);
    const bool leading_zero = name.size() > 1 && name.front() == '0';
    return read.ec == std::errc{} && read.ptr == end && !leading_zero ? list.at(index) : Json();
}

}  // namespace

bool is_json_pointer(std::string_view pointer) {
    if (!pointer.empty() && pointer.front() != '/') return false;
    for (std::size_t i = 0; i < pointer.size(); ++i) {
        if (pointer[i] != '~') continue;
        if (i + 1 == pointer.size() || (pointer[i + 1] != '0' && pointer[i + 1] != '1')) return false;
    }
    return true;
}

Json follow(const Json& from, std::string_view pointer) {
    if (!is_json_pointer(pointer)) return {};
    auto at = from;
    while (!pointer.empty()) {
        pointer.remove_prefix(1);
        const auto end = std::min(pointer.find('/'), pointer.size());
        const auto name = unescaped(pointer.substr(0, end));
        at = at.is_array() ? element(at, name) : at[name];
        pointer.remove_prefix(end);
    }
    return at;
}

}  // namespace orbridge
