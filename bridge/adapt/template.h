#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bridge/core/json.h"
#include "bridge/core/result.h"
#include "bridge/settings/config_node.h"

namespace orbridge {

/// What the variables of a template stand for: `params.title` is the member `title` of the root `params`.
/// Keeps the documents that its values point into.
class Scope {
public:
    /// Invalid: the text is no JSON, named by its root.
    Status set(const std::string& root, std::string_view json);
    /// Absent if there is no such thing.
    Json find(std::string_view path) const;

private:
    std::map<std::string, JsonPtr, std::less<>> roots_;
};

/// Where a text stands decides how the values in it are encoded, so that none can become more than a value
/// (integrations.md I6).
enum class Encoding : std::uint8_t {
    None,    ///< of addresses that an adapter's own credentials or settings are
    Path,    ///< one segment each
    Query,   ///< one value each
    Header,  ///< on one line
};

/// `Hello {{params.name | upper}}`: text with variables and filters. Immutable.
///
/// Filters: `segments` (in a path: slashes stay), `text` (a text though it stands alone), `lower`, `upper`, `trim`,
/// `base64`, `json` (the value's JSON as a text), `adf` (a text as Atlassian's document format).
class ValueTemplate {
public:
    /// Invalid: what is wrong with it.
    static Result<ValueTemplate> parse(std::string_view text);

    /// The paths of its variables.
    std::vector<std::string> paths() const;
    /// It is one variable and nothing else.
    bool is_whole() const { return parts_.size() == 1 && !parts_.front().path.empty(); }

    /// What is absent or null is empty. Invalid: a part of a path that would be empty, `.` or `..`.
    Result<std::string> text(const Scope& scope, Encoding encoding) const;
    /// As JSON: of its own type if it is one variable, else a string. Empty: the one variable is absent or null.
    std::string json(const Scope& scope) const;

private:
    enum class Filter : std::uint8_t { Segments, Text, Lower, Upper, Trim, Base64, Json, Adf };
    struct Part {
        std::string literal;
        std::string path;  ///< of a variable; empty: it is a literal
        std::vector<Filter> filters;
        bool has(Filter filter) const;
    };
    static Result<Part> parse_variable(std::string_view inside);
    static std::string filtered(const Part& part, std::string text);
    static std::string value(const Part& part, const Scope& scope);
    static std::string encoded(const Part& part, const std::string& value, Encoding encoding);
    std::vector<Part> parts_;
};

/// A JSON value with templates in place of its texts.
struct Tree {
    // Not here, since a pair of what is not complete yet cannot be destroyed.
    Tree();
    ~Tree();
    Tree(const Tree& other);
    Tree(Tree&& other) noexcept;
    Tree& operator=(const Tree& other);
    Tree& operator=(Tree&& other) noexcept;

    enum class Kind : std::uint8_t { Absent, Literal, Text, List, Map } kind = Kind::Absent;
    std::string literal;  ///< JSON
    ValueTemplate text;
    std::vector<Tree> items;
    std::vector<std::pair<std::string, Tree>> members;
};

/// Which variables there are where a template stands.
class KnownNames {
public:
    /// `params.title`; with `open` all below it too.
    KnownNames& add(const std::string& path, bool open = false);
    /// Empty, or what is wrong with the name.
    std::string fault(const std::string& path) const;

private:
    std::map<std::string, bool, std::less<>> names_;
};

/// Complains about what cannot be parsed and about unknown variables (integrations.md I2).
ValueTemplate read_template(const ConfigNode& node, const KnownNames& known);
/// A scalar without variables that looks like a number, a boolean or null is one.
Tree read_tree(const ConfigNode& node, const KnownNames& known);
/// JSON; members and items that are absent are left out. Empty: nothing of it is there.
std::string render(const Tree& tree, const Scope& scope);

}  // namespace orbridge
