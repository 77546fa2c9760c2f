#include "bridge/normalize/mapping_loader.h"

#include <algorithm>
#include <set>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

using Known = std::set<std::string, std::less<>>;

constexpr std::size_t kHeadersMax = 32;

CompiledPattern read_pattern(const ConfigNode& node, const std::string& text) {
    RE2::Options options;
    options.set_log_errors(false);
    auto pattern = std::make_shared<const RE2>(text, options);
    if (!pattern->ok()) node.complain("not a regular expression (RE2): " + pattern->error());
    return pattern;
}

void check_header(const ConfigNode& node, std::string_view name) {
    if (is_secret_header(name)) node.complain("this header may hold a secret, which mappings never see");
}

/// Reads what stands in one scope: which fields may be named there decides what is a mistake.
class ScopeReader {
public:
    /// `headers` gets the name of every header that is read.
    ScopeReader(Known fields, Known in_paths, Known shapes, Known& headers)
        : fields_(std::move(fields)), in_paths_(std::move(in_paths)), shapes_(std::move(shapes)), headers_(headers) {}

    Template text_template(const ConfigNode& node) const {
        return checked_template(node, node.as_text().value_or(""), fields_);
    }
    Template text_template(const ConfigNode& parent, std::string_view key) const {
        const auto node = parent[key];
        return node.present() ? text_template(node) : Template{};
    }

    Place place(const ConfigNode& node, const std::string& text) const {
        auto parsed = parse_place(text);
        if (!parsed) {
            node.complain(parsed.error().message);
            return {};
        }
        check_holes(node, parsed->path, in_paths_);
        if (parsed->from == Place::From::Header) note_header(node, parsed->path);
        return std::move(*parsed);
    }

    /// `a.b`, `{path: a.b, match: '…(…)…'}`
    Place place(const ConfigNode& node) const {
        if (!node.is_map()) return place(node, node.as_text().value_or(""));
        auto made = place(node["path"], node.text("path"));
        made.match = read_pattern(node["match"], node.text("match"));
        if (made.match->ok() && made.match->NumberOfCapturingGroups() < 1)
            node["match"].complain("needs a group: what stands in its parentheses is taken");
        node.done();
        return made;
    }

    /// One place or a list of them.
    std::vector<Place> places(const ConfigNode& node) const {
        std::vector<Place> all;
        if (!node.is_list()) {
            if (node.present()) all.push_back(place(node));
            return all;
        }
        for (const auto& item : node.items()) all.push_back(place(item));
        return all;
    }

    std::vector<Value> values(const ConfigNode& node) const {
        std::vector<Value> all;
        for (const auto& item : node.items()) all.push_back(value(item));
        return all;
    }

    Value value(const ConfigNode& node) const {
        if (!node.present()) return {NullValue{}};
        if (node.is_list()) return {FirstOf{values(node)}};
        if (!node.is_map()) return {CopyOf{place(node)}};
        if (node["$text"].present()) return finished(node, {TextOf{text_template(node["$text"])}});
        if (node["$members_of"].present()) return finished(node, members_of(node));
        if (node["$shape"].present()) return finished(node, shape_of(node));
        if (node["path"].present() && node["match"].present()) return {CopyOf{place(node)}};
        return {object_of(node)};
    }

    std::vector<Condition> conditions(const ConfigNode& node) const {
        std::vector<Condition> all;
        if (!node.present()) return all;
        for (const auto& [key, wanted] : node.entries()) all.push_back(condition(key, wanted));
        return all;
    }

    FieldPlaces fields(const ConfigNode& node) const {
        FieldPlaces all;
        if (!node.present()) return all;
        for (const auto& [name, paths] : node.entries()) {
            if (!paths.present()) paths.complain("expected a path or a list of paths");
            all[name] = places(paths);
        }
        return all;
    }

private:
    static Value finished(const ConfigNode& node, Value made) {
        node.done();
        return made;
    }

    Value members_of(const ConfigNode& node) const {
        MembersOf made;
        made.of = places(node["$members_of"]);
        made.without = node.texts("without", {});
        if (node["with"].present()) made.with = object_of(node["with"]);
        return {std::move(made)};
    }

    Value shape_of(const ConfigNode& node) const {
        ShapeOf made;
        made.shape = node.text("$shape");
        if (shapes_.count(made.shape) == 0)
            node["$shape"].complain("no such shape above" + one_of(shapes_, "there are none"));
        made.of = places(node["of"]);
        if (made.of.empty()) node["of"].complain("missing: where the object stands");
        return {std::move(made)};
    }

    ObjectOf object_of(const ConfigNode& node) const {
        ObjectOf made;
        for (const auto& [key, member] : node.entries()) {
            if (key.front() == '$') member.complain("unknown: there are $text, $members_of and $shape");
            made.members.push_back({checked_template(member, key, fields_), value(member)});
        }
        return made;
    }

    Condition condition(const std::string& key, const ConfigNode& wanted) const {
        using Test = Condition::Test;
        static const std::map<std::string, Test> kTests = {
            {"present", Test::Present}, {"absent", Test::Absent}, {"filled", Test::Filled}, {"empty", Test::Empty}};
        Condition made;
        made.place = place(wanted, key);
        if (wanted.is_list()) {
            made.test = Test::OneOf;
            for (const auto& item : wanted.items()) made.any_of.push_back(item.as_text().value_or(""));
            return made;
        }
        const auto test = kTests.find(wanted.as_text().value_or(""));
        if (test == kTests.end()) {
            wanted.complain("expected present, absent, filled, empty, or a list of values");
        } else {
            made.test = test->second;
        }
        return made;
    }

    Template checked_template(const ConfigNode& node, const std::string& text, const Known& known) const {
        auto parsed = parse_template(text);
        if (!parsed) {
            node.complain(parsed.error().message);
            return {};
        }
        check_holes(node, *parsed, known);
        return std::move(*parsed);
    }

    void note_header(const ConfigNode& node, const Template& path) const {
        const bool literal = path.parts.size() == 1 && path.parts[0].how == Template::Part::How::Literal;
        if (!literal) return node.complain("the name of a header has no fields in it");
        check_header(node, path.parts[0].text);
        headers_.insert(path.parts[0].text);
    }

    static void check_holes(const ConfigNode& node, const Template& text, const Known& known) {
        for (const auto& part : text.parts) {
            const bool literal = part.how == Template::Part::How::Literal;
            if (!literal && known.count(part.text) == 0)
                node.complain("no field `" + part.text + "` here" + one_of(known, ""));
        }
    }

    static std::string one_of(const Known& known, const std::string& otherwise) {
        if (known.empty()) return otherwise.empty() ? otherwise : ": " + otherwise;
        return ", expected one of " + join({known.begin(), known.end()}, ", ");
    }

    Known fields_;
    Known in_paths_;  ///< paths may only use what needs no path to be known
    Known shapes_;
    Known& headers_;
};

Known names_of(const FieldPlaces& fields) {
    Known names = {"class"};
    for (const auto& [name, places] : fields) names.insert(name);
    return names;
}

class MappingReader {
public:
    Mapping read(const ConfigNode& node) {
        const ScopeReader plain({}, {}, {}, headers_);
        made_.name = node.text("mapping");
        made_.source_types = node.texts("sources", {});
        if (made_.source_types.empty()) node["sources"].complain("missing: the types of sources it serves");
        made_.class_places = plain.places(node["class"]);
        if (made_.class_places.empty()) node["class"].complain("missing: where the event's class stands");
        read_each(node);
        for (const auto& item : items_of(node["unwrap"])) made_.unwraps.push_back(unwrap(item, plain));
        for (const auto& path : node.texts("never_store", {})) made_.never_store.push_back(parse_secret_path(path));
        for (const auto& [from, to] : entries_of(node["aliases"])) made_.aliases[from] = to.as_text().value_or("");
        made_.fields = ScopeReader({}, {"class"}, {}, headers_).fields(node["fields"]);
        read_shapes(node["shapes"]);
        made_.dedup = scope({}).values(node["dedup"]);
        read_rules(node["rules"]);
        read_headers(node["keep_headers"]);
        node.done();
        return std::move(made_);
    }

private:
    static std::vector<ConfigNode> items_of(const ConfigNode& node) {
        return node.present() ? node.items() : std::vector<ConfigNode>{};
    }
    static std::vector<std::pair<std::string, ConfigNode>> entries_of(const ConfigNode& node) {
        return node.present() ? node.entries() : std::vector<std::pair<std::string, ConfigNode>>{};
    }

    /// `items`, or level by level `[entry, [changes, messaging]]`: a list on a level stands for all of its paths.
    void read_each(const ConfigNode& node) {
        for (const auto& level : node["each"].one_or_list()) {
            std::vector<std::string> paths;
            for (const auto& item : level.one_or_list()) {
                auto path = item.as_text().value_or("");
                const auto parsed = parse_place(path);
                const bool plain = parsed && parsed->from == Place::From::Item && parsed->path.parts.size() == 1 &&
                                   parsed->path.parts[0].how == Template::Part::How::Literal;
                if (!plain) item.complain("expected a path to a list, without fields or a prefix");
                paths.push_back(std::move(path));
            }
            if (paths.empty()) level.complain("must not be empty");
            made_.each.push_back(std::move(paths));
        }
        made_.each_max =
            static_cast<std::size_t>(node.integer("each_max", static_cast<std::int64_t>(made_.each_max), 1, 1'000'000));
    }

    void read_headers(const ConfigNode& node) {
        for (const auto& item : node.one_or_list()) {
            const auto name = item.as_text().value_or("");
            check_header(item, name);
            headers_.insert(name);
        }
        made_.headers.assign(headers_.begin(), headers_.end());
        if (made_.headers.size() > kHeadersMax)
            node.complain("reads and keeps more than " + std::to_string(kHeadersMax) + " headers");
    }

    /// The reader for what may use these groups of a class pattern besides the mapping's fields.
    ScopeReader scope(const std::vector<std::string>& groups, const FieldPlaces& own = {}) const {
        auto in_paths = Known{"class"};
        in_paths.insert(groups.begin(), groups.end());
        in_paths.erase("");
        auto fields = names_of(made_.fields);
        fields.insert(in_paths.begin(), in_paths.end());
        for (const auto& [name, places] : own) fields.insert(name);
        Known shapes;
        for (const auto& [name, shape] : made_.shapes) shapes.insert(name);
        return {std::move(fields), std::move(in_paths), std::move(shapes), headers_};
    }

    static Unwrap unwrap(const ConfigNode& node, const ScopeReader& plain) {
        Unwrap made;
        made.to = plain.place(node["to"], node.text("to"));
        made.present = plain.places(node["while_present"]);
        if (made.present.empty()) node["while_present"].complain("missing: without it there is no end to it");
        node.done();
        return made;
    }

    void read_shapes(const ConfigNode& node) {
        // One after the other: a shape may use those above it, so that none can use itself.
        for (const auto& [name, shape] : entries_of(node)) made_.shapes.emplace(name, scope({}).value(shape));
    }

    void read_rules(const ConfigNode& node) {
        if (!node.present()) node.complain("missing");
        std::set<std::string> taken;
        for (const auto& item : items_of(node)) {
            made_.rules.push_back(rule(item));
            if (!taken.insert(made_.rules.back().name).second) item["name"].complain("another rule has this name");
        }
    }

    Rule rule(const ConfigNode& node) const {
        Rule made;
        made.name = node.text("name");
        made.event_class = read_pattern(node["class"], node.text("class"));
        made.groups = groups_of(*made.event_class);
        made.fields = scope(made.groups).fields(node["fields"]);
        const auto here = scope(made.groups, made.fields);
        made.fields.insert(made_.fields.begin(), made_.fields.end());
        made.when = here.conditions(node["when"]);
        for (const auto key : {"channel", "event_name", "payload"})
            if (!node[key].present()) node[key].complain("missing");
        made.channel = here.text_template(node, "channel");
        made.event_name = here.text_template(node, "event_name");
        made.subject = here.text_template(node, "subject");
        made.sent_class = here.text_template(node, "sent_class");
        made.occurred_at = here.places(node["occurred_at"]);
        made.dedup = node["dedup"].present() ? here.values(node["dedup"]) : made_.dedup;
        if (node["twin"].present()) made.twin = here.values(node["twin"]);
        made.payload = here.value(node["payload"]);
        made.state = node.text("state", "");
        made.ends = node.word("ends", {"true", "false"}, "false") == "true";
        if (made.ends && made.state.empty()) node["ends"].complain("needs `state`: what it was at last");
        if (!made.state.empty() && !node["subject"].present()) node["state"].complain("needs a `subject`");
        node.done();
        return made;
    }

    static std::vector<std::string> groups_of(const RE2& pattern) {
        if (!pattern.ok()) return {};
        std::vector<std::string> groups(static_cast<std::size_t>(pattern.NumberOfCapturingGroups()) + 1);
        for (const auto& [number, name] : pattern.CapturingGroupNames())
            groups[static_cast<std::size_t>(number)] = name;
        return groups;
    }

    Mapping made_;
    mutable Known headers_;  ///< all that were read so far
};

}  // namespace

std::shared_ptr<const MappingSet> load_mappings(const std::vector<std::string>& files, Complaints& complaints) {
    std::vector<Mapping> mappings;
    std::set<std::string> names;
    for (const auto& file : files) {
        const auto node = ConfigNode::load(file, complaints);
        if (!node.present()) continue;
        mappings.push_back(MappingReader().read(node));
        if (!names.insert(mappings.back().name).second) node["mapping"].complain("another file has this name");
    }
    return std::make_shared<const MappingSet>(std::move(mappings));
}

std::shared_ptr<const MappingSet> parse_mapping(const std::string& text, const std::string& name,
                                                Complaints& complaints) {
    std::vector<Mapping> mappings;
    mappings.push_back(MappingReader().read(ConfigNode::parse(text, name, complaints)));
    return std::make_shared<const MappingSet>(std::move(mappings));
}

}  // namespace orbridge
