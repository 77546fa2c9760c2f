#include "bridge/normalize/mapping.h"

#include <set>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

Error invalid(std::string message) { return {Error::Kind::Invalid, std::move(message)}; }

Result<Template::Part> parse_hole(std::string_view inside) {
    using How = Template::Part::How;
    const auto words = split(trim(inside), ' ');
    if (words.size() == 1 && !words[0].empty()) return Template::Part{How::Plain, std::string(words[0])};
    if (words.size() == 2 && words[0] == "lower") return Template::Part{How::Lower, std::string(words[1])};
    if (words.size() == 2 && words[0] == "slug") return Template::Part{How::Slug, std::string(words[1])};
    return invalid("{" + std::string(inside) + "}: expected {field}, {lower field} or {slug field}");
}

void append_literal(Template& made, std::string_view text) {
    if (text.empty()) return;
    const bool joins = !made.parts.empty() && made.parts.back().how == Template::Part::How::Literal;
    if (!joins) made.parts.emplace_back();
    made.parts.back().text += text;
}

}  // namespace

Result<Template> parse_template(std::string_view text) {
    Template made;
    while (!text.empty()) {
        const auto brace = text.find('{');
        append_literal(made, text.substr(0, brace));
        if (brace == std::string_view::npos) return made;
        text.remove_prefix(brace + 1);
        if (!text.empty() && text.front() == '{') {
            append_literal(made, "{");
            text.remove_prefix(1);
            continue;
        }
        const auto close = text.find('}');
        if (close == std::string_view::npos) return invalid("a { without its } (a literal { is written {{)");
        auto hole = parse_hole(text.substr(0, close));
        if (!hole) return hole.error();
        made.parts.push_back(std::move(*hole));
        text.remove_prefix(close + 1);
    }
    return made;
}

Result<Place> parse_place(std::string_view text) {
    Place place;
    using From = Place::From;
    static constexpr std::pair<std::string_view, From> kPrefixes[] = {
        {"root:", From::Root}, {"parent:", From::Parent}, {"header:", From::Header}};
    for (const auto& [prefix, from] : kPrefixes) {
        if (!text.starts_with(prefix)) continue;
        place.from = from;
        text.remove_prefix(prefix.size());
        break;
    }
    if (text.empty()) return invalid("an empty path");
    auto path = parse_template(text);
    if (!path) return path.error();
    place.path = std::move(*path);
    return place;
}

bool is_secret_header(std::string_view name) {
    static const std::set<std::string, std::less<>> kNames = {
        "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-orbridge-secret"};
    const auto lower = to_lower(name);
    const auto has = [&](const char* word) { return lower.find(word) != std::string::npos; };
    return kNames.count(lower) != 0 || has("signature") || has("secret") || has("token") || has("password");
}

MappingSet::MappingSet(std::vector<Mapping> mappings) : mappings_(std::move(mappings)) {
    std::map<std::string, std::vector<SecretPath>> secrets;
    std::vector<SecretPath> all;
    for (const auto& mapping : mappings_) {
        all.insert(all.end(), mapping.never_store.begin(), mapping.never_store.end());
        for (const auto& type : mapping.source_types) {
            auto& served = by_type_[type];
            served.mappings.push_back(&mapping);
            served.headers.insert(served.headers.end(), mapping.headers.begin(), mapping.headers.end());
            secrets[type].insert(secrets[type].end(), mapping.never_store.begin(), mapping.never_store.end());
        }
    }
    for (auto& [type, paths] : secrets) by_type_[type].redactor = Redactor(std::move(paths));
    unserved_.redactor = Redactor(std::move(all));
}

const std::vector<const Mapping*>& MappingSet::serving(std::string_view source_type) const {
    const auto found = by_type_.find(source_type);
    return found == by_type_.end() ? unserved_.mappings : found->second.mappings;
}

const std::vector<std::string>& MappingSet::headers(std::string_view source_type) const {
    const auto found = by_type_.find(source_type);
    return found == by_type_.end() ? unserved_.headers : found->second.headers;
}

std::vector<std::string> MappingSet::source_types() const {
    std::vector<std::string> types;
    types.reserve(by_type_.size());
    for (const auto& [type, served] : by_type_) types.push_back(type);
    return types;
}

const Redactor& MappingSet::redactor(std::string_view source_type) const {
    const auto found = by_type_.find(source_type);
    return found == by_type_.end() ? unserved_.redactor : found->second.redactor;
}

}  // namespace orbridge
