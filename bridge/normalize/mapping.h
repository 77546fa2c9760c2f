#pragma once

#include <re2/re2.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "bridge/core/result.h"
#include "bridge/normalize/redaction.h"

/// The mapping language as data. mappings/README.md is its manual; mapping_loader.h reads it from YAML.
namespace orbridge {

using CompiledPattern = std::shared_ptr<const RE2>;

/// Text with holes: `created:{slug register}:{lower verb}`.
struct Template {
    struct Part {
        enum class How {
            Literal,
            Plain,  ///< `{field}`
            Lower,  ///< `{lower field}`
            Slug,   ///< `{slug field}`: the name that Names has for it, else the field itself
        };
        How how = How::Literal;
        std::string text;  ///< the literal, or the field's name
    };
    std::vector<Part> parts;
};

Result<Template> parse_template(std::string_view text);

/// Where something stands in a request: `data.object.@self.id`, `.`, `parent:id`, `root:sender.login`,
/// `header:X-GitHub-Event`.
struct Place {
    enum class From {
        Item,
        Parent,  ///< what holds the list that the item was taken from
        Root,
        Header
    };
    From from = From::Item;
    Template path;          ///< or the header's name; `.` alone is the whole
    CompiledPattern match;  ///< if set: the text that its first group takes out of what stands there
};

Result<Place> parse_place(std::string_view text);

/// Does a header of this name tell secrets, or prove who sent a request? Mappings never see such a one.
bool is_secret_header(std::string_view name);

// ---- what goes into a payload -------------------------------------------------------------------

struct Value;
struct Member;

struct NullValue {};
/// The bytes that stand there, untouched.
struct CopyOf {
    Place place;
};
/// A JSON string; absent if one of its fields is.
struct TextOf {
    Template text;
};
/// A JSON object of the members that are present.
struct ObjectOf {
    std::vector<Member> members;
};
/// The first that is present and not null.
struct FirstOf {
    std::vector<Value> values;
};
/// The members of an object, untouched, without some; first of all those of `with`, which win.
struct MembersOf {
    std::vector<Place> of;
    std::vector<std::string> without;
    ObjectOf with;
};
/// A named piece of payload, looked at from an object further down. Absent if there is no such object.
struct ShapeOf {
    std::vector<Place> of;
    std::string shape;
};

struct Value {
    std::variant<NullValue, CopyOf, TextOf, ObjectOf, FirstOf, MembersOf, ShapeOf> form;
};

struct Member {
    Template key;
    Value value;
};

// ---- rules --------------------------------------------------------------------------------------

struct Condition {
    enum class Test {
        Present,
        Absent,
        Filled,  ///< neither absent, null, "", [], nor {}
        Empty,
        OneOf,
    };
    Place place;
    Test test = Test::Present;
    std::vector<std::string> any_of;
};

using FieldPlaces = std::map<std::string, std::vector<Place>, std::less<>>;

struct Rule {
    std::string name;
    CompiledPattern event_class;      ///< must match it whole; its named groups are fields
    std::vector<std::string> groups;  ///< by number, from 0 = the whole
    std::vector<Condition> when;
    FieldPlaces fields;  ///< the mapping's, and the rule's own over them
    Template channel, event_name, subject, sent_class;
    std::vector<Place> occurred_at;
    std::vector<Value> dedup, twin;
    Value payload;
    std::string state;  ///< where in the payload the subject's state stands; empty: the event tells none
    bool ends = false;  ///< the subject is no more
};

struct Unwrap {
    Place to;
    std::vector<Place> present;  ///< while all of these are
};

struct Mapping {
    std::string name;
    std::vector<std::string> source_types;
    std::vector<Unwrap> unwraps;
    /// Level by level the lists whose elements are taken apart; on one level, all of those that are there.
    std::vector<std::vector<std::string>> each;
    std::size_t each_max = 10'000;     ///< elements in one request
    std::vector<std::string> headers;  ///< that its rules read, and those it wants kept with what no rule takes
    std::vector<Place> class_places;
    std::map<std::string, std::string, std::less<>> aliases;
    std::vector<SecretPath> never_store;
    std::map<std::string, Value, std::less<>> shapes;
    FieldPlaces fields;
    std::vector<Value> dedup;  ///< of what no rule wants
    std::vector<Rule> rules;
};

/// All mappings of one configuration. Immutable, safe from any thread.
class MappingSet {
public:
    explicit MappingSet(std::vector<Mapping> mappings);

    /// In the order of the configuration. Empty: nothing is known of such sources.
    const std::vector<const Mapping*>& serving(std::string_view source_type) const;
    /// Everything that the mappings serving this type never want stored; if none serves it, that of all.
    const Redactor& redactor(std::string_view source_type) const;
    /// Headers that the mappings serving this type read or want kept.
    const std::vector<std::string>& headers(std::string_view source_type) const;
    /// All that some mapping serves.
    std::vector<std::string> source_types() const;

private:
    struct Served {
        std::vector<const Mapping*> mappings;
        Redactor redactor;
        std::vector<std::string> headers;
    };
    std::vector<Mapping> mappings_;
    std::map<std::string, Served, std::less<>> by_type_;
    Served unserved_;
};

}  // namespace orbridge
