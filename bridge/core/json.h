#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/result.h"

/// Reading: the text is validated whole, and every value keeps its raw bytes, so that payloads are
/// cut and joined, never re-serialised (libraries.md §5: numbers and key order would change).
/// Writing: JsonWriter, a stream of keys and values into one string.
namespace orbridge {

struct JsonLimits {
    std::size_t depth_max = 64;
    std::size_t values_max = 200'000;
};

class JsonDocument;

/// One value in a JsonDocument. Cheap to copy. Must not outlive the document. A default-made Json is
/// "absent": every question to it answers "no", so paths can be followed without checks.
class Json {
public:
    enum class Kind : std::uint8_t { Absent, Null, Bool, Number, String, Array, Object };

    Json() = default;
    Kind kind() const;
    bool present() const { return document_ != nullptr; }
    explicit operator bool() const { return present(); }
    bool is_null() const { return kind() == Kind::Null; }
    bool is_object() const { return kind() == Kind::Object; }
    bool is_array() const { return kind() == Kind::Array; }
    bool is_string() const { return kind() == Kind::String; }

    /// The bytes as received, e.g. `"caf\u00e9"` with quotes, `1.0e+25`, `{"a": 1}`. Absent: empty.
    std::string_view raw() const;

    /// Member of an object. Of doubled keys the last one, as PostgreSQL's jsonb and PHP have it.
    Json operator[](std::string_view key) const;
    /// Element of an array.
    Json at(std::size_t index) const;
    /// Follows `data.object.@self.uuid`; a number is an index into an array. `\.` is a dot in a key.
    Json path(std::string_view dotted) const;

    /// A string's text, unescaped. Nothing for any other kind.
    std::optional<std::string> string() const;
    /// A string's text, or a number or boolean as written. Nothing for null, array, object, absent.
    std::optional<std::string> scalar() const;
    std::optional<std::int64_t> integer() const;
    std::optional<double> number() const;
    std::optional<bool> boolean() const;

    /// Elements or members.
    std::size_t size() const;
    bool empty() const { return size() == 0; }

    struct Member;
    /// Members of an object in received order; elements of an array with empty keys.
    std::vector<Member> members() const;

private:
    friend class JsonDocument;
    Json(const JsonDocument* document, std::uint32_t node) : document_(document), node_(node) {}
    const JsonDocument* document_ = nullptr;
    std::uint32_t node_ = 0;
};

struct Json::Member {
    std::string key;           ///< unescaped
    std::string_view raw_key;  ///< with quotes, as received; empty in arrays
    Json value;
};

/// An immutable parsed text. Safe to read from any thread.
class JsonDocument {
public:
    /// Invalid: not one JSON value in valid UTF-8, or over a limit. The message says what and where.
    static Result<std::shared_ptr<const JsonDocument>> parse(std::string_view text, const JsonLimits& limits = {});

    Json root() const { return Json(this, 0); }
    std::string_view text() const { return text_; }

private:
    friend class Json;
    friend class JsonBuilder;
    static constexpr std::uint32_t kNone = 0xffffffff;
    struct Node {
        Json::Kind kind = Json::Kind::Null;
        std::uint32_t begin = 0, end = 0;          ///< of the value
        std::uint32_t key_begin = 0, key_end = 0;  ///< of the key, quotes included
        std::uint32_t first_child = kNone, next = kNone;
        std::uint32_t count = 0;
    };
    std::string text_;
    std::vector<Node> nodes_;
};

using JsonPtr = std::shared_ptr<const JsonDocument>;

/// `"…"` with everything escaped that must be; bytes that are no UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

/// The same value with keys sorted, white space gone and members that are null left out: what two
/// texts of the same content have in common. Scalars keep their received form, except that strings
/// are compared unescaped.
std::string canonical_json(const Json& value);

/// Writes JSON from left to right. Commas are its business; nesting is the caller's.
///     JsonWriter json;
///     json.object().member("id", id).key("tags").array().value("a").end().end();
///     std::string text = std::move(json).text();
class JsonWriter {
public:
    JsonWriter& object() { return open('{', '}'); }
    JsonWriter& array() { return open('[', ']'); }
    JsonWriter& end();
    JsonWriter& key(std::string_view name);
    JsonWriter& raw_key(std::string_view with_quotes);

    JsonWriter& value(std::string_view text);
    JsonWriter& value(const char* text) { return value(std::string_view(text)); }
    JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
    JsonWriter& value(bool flag) { return raw(flag ? "true" : "false"); }
    JsonWriter& value(std::int64_t number) { return raw(std::to_string(number)); }
    JsonWriter& value(std::uint64_t number) { return raw(std::to_string(number)); }
    JsonWriter& value(int number) { return raw(std::to_string(number)); }
    JsonWriter& value(double number);
    JsonWriter& null() { return raw("null"); }
    /// JSON text that is already valid, e.g. Json::raw().
    JsonWriter& raw(std::string_view json);

    template <class T>
    JsonWriter& member(std::string_view name, const T& item) {
        return key(name).value(item);
    }
    JsonWriter& member_raw(std::string_view name, std::string_view json) { return key(name).raw(json); }

    const std::string& text() const& { return text_; }
    std::string text() && { return std::move(text_); }

private:
    JsonWriter& open(char opening, char closing);
    void separate();
    std::string text_;
    std::string closers_;
    bool need_comma_ = false;
};

}  // namespace orbridge
