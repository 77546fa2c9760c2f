#include "bridge/adapt/template.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "bridge/core/http.h"
#include "bridge/core/text.h"
#include "bridge/settings/values.h"

namespace orbridge {
namespace {

constexpr JsonLimits kLimits{.depth_max = 512, .values_max = 1'000'000};

Error wrong(std::string message) { return {Error::Kind::Invalid, std::move(message)}; }

bool is_path(std::string_view text) {
    if (text.empty() || text.front() == '.' || text.back() == '.') return false;
    return std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-' || c == '@' || c == '\\';
    });
}

/// A value as a text: objects and arrays as their JSON.
std::string plain(const Json& value) {
    if (!value.present() || value.is_null()) return {};
    if (const auto scalar = value.scalar()) return *scalar;
    return std::string(value.raw());
}

std::string to_upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(c < 0x80 ? std::toupper(c) : c); });
    return text;
}

/// One paragraph a line (developer.atlassian.com, "Atlassian Document Format").
std::string adf_of(std::string_view text) {
    JsonWriter json;
    json.object().member("type", "doc").member("version", 1).key("content").array();
    for (auto line : split(text, '\n')) {
        if (line.ends_with('\r')) line.remove_suffix(1);
        json.object().member("type", "paragraph").key("content").array();
        if (!line.empty()) json.object().member("type", "text").member("text", line).end();
        json.end().end();
    }
    return json.end().end().text();
}

std::string encoded_segments(std::string_view text) {
    std::vector<std::string> segments;
    for (const auto segment : split(text, '/')) segments.push_back(percent_encode(segment));
    return join(segments, "/");
}

/// What a server would take for the way up, or for a collection instead of one of its members.
bool is_bad_segment(std::string_view segment) { return segment.empty() || segment == "." || segment == ".."; }

}  // namespace

Status Scope::set(const std::string& root, std::string_view json) {
    auto document = JsonDocument::parse(json, kLimits);
    if (!document) return wrong(root + ": " + document.error().message);
    roots_[root] = std::move(*document);
    return Ok{};
}

Json Scope::find(std::string_view path) const {
    const auto dot = path.find('.');
    const auto root = roots_.find(path.substr(0, dot));
    if (root == roots_.end()) return {};
    return dot == std::string_view::npos ? root->second->root() : root->second->root().path(path.substr(dot + 1));
}

bool ValueTemplate::Part::has(Filter filter) const {
    return std::find(filters.begin(), filters.end(), filter) != filters.end();
}

Result<ValueTemplate::Part> ValueTemplate::parse_variable(std::string_view inside) {
    static const std::map<std::string, Filter, std::less<>> kFilters = {
        {"segments", Filter::Segments}, {"text", Filter::Text},     {"lower", Filter::Lower}, {"upper", Filter::Upper},
        {"trim", Filter::Trim},         {"base64", Filter::Base64}, {"json", Filter::Json},   {"adf", Filter::Adf}};
    const auto words = split(inside, '|');
    Part part;
    part.path = trim(words.front());
    if (!is_path(part.path)) return wrong("`" + std::string(trim(inside)) + "` is not a variable like params.title");
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto known = kFilters.find(trim(words[i]));
        if (known == kFilters.end()) {
            std::vector<std::string> names;
            names.reserve(kFilters.size());
            for (const auto& [name, filter] : kFilters) names.push_back(name);
            return wrong("no filter `" + std::string(trim(words[i])) + "`, expected one of " + join(names, ", "));
        }
        part.filters.push_back(known->second);
    }
    return part;
}

Result<ValueTemplate> ValueTemplate::parse(std::string_view text) {
    ValueTemplate made;
    while (!text.empty()) {
        const auto begin = text.find("{{");
        if (begin != 0) made.parts_.push_back({std::string(text.substr(0, begin)), {}, {}});
        if (begin == std::string_view::npos) break;
        const auto end = text.find("}}", begin);
        if (end == std::string_view::npos) return wrong("`{{` without its `}}`");
        auto part = parse_variable(text.substr(begin + 2, end - begin - 2));
        if (!part) return part.error();
        made.parts_.push_back(std::move(*part));
        text.remove_prefix(end + 2);
    }
    return made;
}

std::vector<std::string> ValueTemplate::paths() const {
    std::vector<std::string> all;
    for (const auto& part : parts_)
        if (!part.path.empty()) all.push_back(part.path);
    return all;
}

std::string ValueTemplate::filtered(const Part& part, std::string text) {
    for (const auto filter : part.filters) {
        switch (filter) {
            case Filter::Lower: text = to_lower(text); break;
            case Filter::Upper: text = to_upper(std::move(text)); break;
            case Filter::Trim: text = std::string(trim(text)); break;
            case Filter::Base64: text = to_base64(text); break;
            case Filter::Adf: text = adf_of(text); break;
            case Filter::Segments:
            case Filter::Text:
            case Filter::Json: break;
        }
    }
    return text;
}

std::string ValueTemplate::value(const Part& part, const Scope& scope) {
    const auto found = scope.find(part.path);
    return filtered(part, part.has(Filter::Json) ? std::string(found.raw()) : plain(found));
}

std::string ValueTemplate::encoded(const Part& part, const std::string& value, Encoding encoding) {
    switch (encoding) {
        case Encoding::Path: return part.has(Filter::Segments) ? encoded_segments(value) : percent_encode(value);
        case Encoding::Query: return percent_encode(value);
        case Encoding::Header: return on_one_line(value);
        case Encoding::None: break;
    }
    return value;
}

Result<std::string> ValueTemplate::text(const Scope& scope, Encoding encoding) const {
    std::string made;
    for (const auto& part : parts_) {
        if (part.path.empty()) {
            made += part.literal;
            continue;
        }
        const auto value = ValueTemplate::value(part, scope);
        if (encoding == Encoding::Path) {
            const auto segments = part.has(Filter::Segments) ? split(value, '/') : std::vector<std::string_view>{value};
            if (std::any_of(segments.begin(), segments.end(), is_bad_segment))
                return wrong(part.path + ": empty, `.` or `..` cannot be a part of a path");
        }
        made += encoded(part, value, encoding);
    }
    if (encoding == Encoding::Header) made = trim(made);
    return made;
}

std::string ValueTemplate::json(const Scope& scope) const {
    if (!is_whole()) {
        auto joined = text(scope, Encoding::None);  // nothing can be wrong with it in no place
        return json_string(joined ? *joined : std::string());
    }
    const auto& part = parts_.front();
    const auto found = scope.find(part.path);
    if (!found.present() || found.is_null()) return {};
    if (part.has(Filter::Adf)) return value(part, scope);
    return part.filters.empty() ? std::string(found.raw()) : json_string(value(part, scope));
}

// ---- trees

KnownNames& KnownNames::add(const std::string& path, bool open) {
    names_[path] = open;
    return *this;
}

std::string KnownNames::fault(const std::string& path) const {
    if (names_.find(path) != names_.end()) return {};
    for (auto dot = path.rfind('.'); dot != std::string::npos && dot > 0; dot = path.rfind('.', dot - 1)) {
        const auto above = names_.find(path.substr(0, dot));
        if (above != names_.end() && above->second) return {};
    }
    std::vector<std::string> names;
    names.reserve(names_.size());
    for (const auto& [name, open] : names_) names.push_back(name);
    const auto near = suggestion(path, names);
    return "no variable `" + path + "` here" + (near.empty() ? ", there is " + join(names, ", ") : near);
}

ValueTemplate read_template(const ConfigNode& node, const KnownNames& known) {
    auto parsed = ValueTemplate::parse(node.as_text().value_or(""));
    if (!parsed) {
        node.complain(parsed.error().message);
        return {};
    }
    for (const auto& path : parsed->paths())
        if (const auto fault = known.fault(path); !fault.empty()) node.complain(fault);
    return std::move(*parsed);
}

namespace {

bool is_plain_literal(const std::string& text) {
    const auto document = JsonDocument::parse(text);
    if (!document) return false;
    const auto kind = (*document)->root().kind();
    return kind == Json::Kind::Number || kind == Json::Kind::Bool || kind == Json::Kind::Null;
}

void leave_in(JsonWriter& json, const std::string& value, const std::string* key) {
    if (value.empty()) return;
    if (key != nullptr) json.key(*key);
    json.raw(value);
}

}  // namespace

Tree::Tree() = default;
Tree::~Tree() = default;
Tree::Tree(const Tree& other) = default;
Tree::Tree(Tree&& other) noexcept = default;
Tree& Tree::operator=(const Tree& other) = default;
Tree& Tree::operator=(Tree&& other) noexcept = default;

Tree read_tree(const ConfigNode& node, const KnownNames& known) {
    Tree tree;
    if (node.is_map()) {
        tree.kind = Tree::Kind::Map;
        for (const auto& [key, value] : node.entries()) tree.members.emplace_back(key, read_tree(value, known));
    } else if (node.is_list()) {
        tree.kind = Tree::Kind::List;
        for (const auto& item : node.items()) tree.items.push_back(read_tree(item, known));
    } else if (node.present()) {
        const auto text = node.as_text().value_or("");
        tree.kind = is_plain_literal(text) ? Tree::Kind::Literal : Tree::Kind::Text;
        tree.literal = text;
        if (tree.kind == Tree::Kind::Text) tree.text = read_template(node, known);
    }
    return tree;
}

std::string render(const Tree& tree, const Scope& scope) {
    JsonWriter json;
    switch (tree.kind) {
        case Tree::Kind::Absent: return {};
        case Tree::Kind::Literal: return tree.literal;
        case Tree::Kind::Text: return tree.text.json(scope);
        case Tree::Kind::List:
            json.array();
            for (const auto& item : tree.items) leave_in(json, render(item, scope), nullptr);
            break;
        case Tree::Kind::Map:
            json.object();
            for (const auto& [key, value] : tree.members) leave_in(json, render(value, scope), &key);
            break;
    }
    return json.end().text();
}

}  // namespace orbridge
