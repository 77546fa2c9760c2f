#include "bridge/core/canonical_json.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace orbridge {
namespace {

using Members = std::vector<Json::Member>;

/// Between its quotes there is nothing that is written in more ways than one.
bool is_plain(std::string_view quoted) {
    quoted = quoted.substr(1, quoted.size() - 2);
    return std::all_of(quoted.begin(), quoted.end(),
                       [](unsigned char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

/// By key; of equal keys the last counts, as with everybody who reads JSON into a map. Without those that are null.
std::vector<const Json::Member*> in_order(const Members& members) {
    std::vector<const Json::Member*> sorted;
    sorted.reserve(members.size());
    for (const auto& member : members)
        if (!member.value.is_null()) sorted.push_back(&member);
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
        const auto order = a->key.compare(b->key);
        return order != 0 ? order < 0 : a > b;  // the last of equal ones first
    });
    const auto same = [](const auto* a, const auto* b) { return a->key == b->key; };
    sorted.erase(std::unique(sorted.begin(), sorted.end(), same), sorted.end());
    return sorted;
}

void write_canonical(const Json& value, std::string& out);

void write_object(const Members& members, std::string& out) {
    out += '{';
    bool first = true;
    for (const auto* member : in_order(members)) {
        if (!std::exchange(first, false)) out += ',';
        if (is_plain(member->raw_key)) {
            out += member->raw_key;
        } else {
            out += json_string(member->key);
        }
        out += ':';
        write_canonical(member->value, out);
    }
    out += '}';
}

void write_array(const Members& elements, std::string& out) {
    out += '[';
    bool first = true;
    for (const auto& element : elements) {
        if (!std::exchange(first, false)) out += ',';
        write_canonical(element.value, out);
    }
    out += ']';
}

void write_canonical(const Json& value, std::string& out) {
    if (value.is_object()) return write_object(value.members(), out);
    if (value.is_array()) return write_array(value.members(), out);
    if (value.is_string() && !is_plain(value.raw())) {
        out += json_string(*value.string());
    } else {
        out += value.raw();
    }
}

}  // namespace

std::string canonical_json(const Json& value) {
    std::string out;
    if (!value.present()) return out;
    out.reserve(value.raw().size());
    write_canonical(value, out);
    return out;
}

std::string canonical_without(const Json& object, const std::vector<std::string>& left_out) {
    auto members = object.members();
    std::erase_if(members, [&](const Json::Member& member) {
        return std::find(left_out.begin(), left_out.end(), member.key) != left_out.end();
    });
    std::string out;
    out.reserve(object.raw().size());
    write_object(members, out);
    return out;
}

}  // namespace orbridge
