#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/http.h"
#include "bridge/core/ids.h"
#include "bridge/core/json.h"
#include "bridge/normalize/mapping.h"
#include "bridge/normalize/names.h"

namespace orbridge {

/// One request as a mapping looks at it: the whole, and the part of it that is one event.
struct Sight {
    Json root;
    Json parent;  ///< what holds the list that the item was taken from
    Json item;
    const Headers& headers;
    const SourceId& source;
    const Names& names;
};

/// One rule applied to one event. Reads fields when they are first asked for, and remembers them. Must not
/// outlive what it was made of; one thread.
class Evaluation {
public:
    /// `groups`: what the rule's class pattern caught, by name.
    Evaluation(const Sight& sight, const Mapping& mapping, const FieldPlaces& fields, std::string event_class,
               std::vector<std::pair<std::string, std::string>> groups = {});

    /// Text, number or boolean there, as text.
    std::optional<std::string> scalar(const Place& place);
    bool holds(const Condition& condition);
    /// JSON text, or nothing if it is absent.
    std::optional<std::string> render(const Value& value);

    /// A piece of a text.
    struct Span {
        std::size_t begin = 0, end = 0;
        std::string_view in(std::string_view text) const { return text.substr(begin, end - begin); }
    };
    /// A member of an object that is being put together, and that one's `updated`.
    struct Watched {
        std::string_view member;
        bool assembled = false;  ///< the member is an object that was put together too; else nothing of it was seen
        Span value{}, updated{};
    };
    /// render(), noting where a member of the whole comes to stand.
    std::optional<std::string> render_watching(const Value& value, Watched& watched);

    /// A hole with nothing to fill it becomes `-`.
    std::string fill(const Template& text);
    /// Nothing if a hole has nothing to fill it.
    std::optional<std::string> fill_whole(const Template& text);

    std::optional<TimePoint> first_time(const std::vector<Place>& places);
    /// SHA-256 over the values as they stand, in hex; empty for no values.
    std::string key_of(const std::vector<Value>& values);
    /// The same over what is left when order of keys, nulls, white space and escapes are taken away.
    std::string canonical_key_of(const std::vector<Value>& values);

private:
    std::optional<std::string> field(std::string_view name);
    std::optional<std::string> hole(const Template::Part& part);
    std::string_view path_of(const Place& place, std::string& filled);
    Json find(const Place& place, const Json& base);
    Json first_object(const std::vector<Place>& places, const Json& base);
    std::optional<std::string> scalar(const Place& place, const Json& base);
    bool is_there(const Place& place);
    // These write JSON text behind what is there. False: it is absent, and nothing was written.
    bool write(const Value& value, const Json& base, std::string& out);
    bool write_copy(const Place& place, const Json& base, std::string& out);
    bool write_text(const Template& text, std::string& out);
    bool write_object(const ObjectOf& object, const Json& base, std::string& out);
    bool write_first(const FirstOf& wanted, const Json& base, std::string& out);
    bool write_members_of(const MembersOf& wanted, const Json& base, std::string& out);
    bool write_shape(const ShapeOf& wanted, const Json& base, std::string& out);
    void write_members(const ObjectOf& object, const Json& base, std::string& out);
    std::string key_text(const Template& key);
    void note_begin(std::size_t object, std::string_view key, std::size_t at);
    void note_end(std::size_t object, std::string_view key, Span value);
    bool write_canonical(const Value& value, std::string& out);

    const Sight& sight_;
    const Mapping& mapping_;
    const FieldPlaces& fields_;
    std::vector<std::pair<std::string, std::optional<std::string>>> known_;
    Watched* watched_ = nullptr;  ///< while a payload is rendered
};

}  // namespace orbridge
