#include "bridge/credentials/fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

using Type = Field::Type;

constexpr std::size_t kFieldsMax = 200;
constexpr std::size_t kNameLengthMax = 100;
constexpr double kWholeNumberMax = 9007199254740992.0;  // 2^53: beyond, a double is not one number any more

constexpr std::array<std::pair<const char*, Type>, 7> kTypes = {{{"string", Type::String},
                                                                 {"number", Type::Number},
                                                                 {"integer", Type::Integer},
                                                                 {"boolean", Type::Boolean},
                                                                 {"password", Type::Password},
                                                                 {"object", Type::Object},
                                                                 {"array", Type::Array}}};

bool is_text(const Field& field) { return field.type == Type::String || field.type == Type::Password; }
bool is_number(const Field& field) { return field.type == Type::Number || field.type == Type::Integer; }

// ---- values

std::size_t characters_of(std::string_view utf8) {
    const auto is_first = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; };
    return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), is_first));
}

bool has_type(Type type, const Json& value) {
    switch (type) {
        case Type::String:
        case Type::Password: return value.is_string();
        case Type::Number: return value.kind() == Json::Kind::Number;
        case Type::Integer: {
            const auto number = value.number();
            return value.kind() == Json::Kind::Number && number && std::floor(*number) == *number;
        }
        case Type::Boolean: return value.kind() == Json::Kind::Bool;
        case Type::Object: return value.is_object();
        case Type::Array: return value.is_array();
    }
    return false;
}

std::string number_text(double number) {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
    return {text.data(), end};
}

/// What `min` and `max` are about.
double measure(const Field& field, const Json& value) {
    if (is_number(field)) return value.number().value_or(0);
    if (is_text(field)) return static_cast<double>(characters_of(value.string().value_or("")));
    return static_cast<double>(value.size());
}

const char* measured(const Field& field) {
    if (is_number(field)) return "";
    if (is_text(field)) return " characters";
    return field.type == Type::Array ? " elements" : " members";
}

std::optional<double> least_of(const Field& field) {
    if (field.min || !field.required || !is_text(field)) return field.min;
    return 1;
}

bool equal(const Json& value, const std::string& json) {
    const auto other = JsonDocument::parse(json);
    if (!other) return false;
    if (value.kind() == Json::Kind::Number && (*other)->root().kind() == Json::Kind::Number)
        return value.number() == (*other)->root().number();
    return canonical_json(value) == canonical_json((*other)->root());
}

std::optional<std::string> fault_of(const Field& field, const Json& value) {
    if (!has_type(field.type, value))
        return std::string("expected ") + (field.type == Type::Password ? "string" : to_text(field.type));
    const auto size = measure(field, value);
    if (const auto least = least_of(field); least && size < *least) {
        return *least == 1 && is_text(field) ? "is empty"
                                             : "expected at least " + number_text(*least) + measured(field);
    }
    if (field.max && size > *field.max) return "expected at most " + number_text(*field.max) + measured(field);
    if (field.pattern && is_text(field) && !field.pattern->matches(value.string().value_or("")))
        return "does not look like " + field.pattern->text();
    const auto is_value = [&](const std::string& each) { return equal(value, each); };
    if (!field.one_of.empty() && std::none_of(field.one_of.begin(), field.one_of.end(), is_value))
        return "expected one of: " + join(field.one_of, ", ");
    return std::nullopt;
}

// ---- declarations

std::string quoted_or_parsed(const ConfigNode& node, Type type);

/// A value in YAML as JSON. Scalars inside an object or a list are numbers and booleans if they look like it.
std::string json_of(const ConfigNode& node) {
    JsonWriter json;
    if (node.is_map()) {
        json.object();
        for (const auto& [key, value] : node.entries()) json.member_raw(key, json_of(value));
        return json.end().text();
    }
    if (node.is_list()) {
        json.array();
        for (const auto& item : node.items()) json.raw(json_of(item));
        return json.end().text();
    }
    const auto text = node.as_text().value_or("");
    const auto plain = JsonDocument::parse(text);
    const bool is_plain = plain && !(*plain)->root().is_object() && !(*plain)->root().is_array();
    return is_plain ? text : json_string(text);
}

std::string quoted_or_parsed(const ConfigNode& node, Type type) {
    const bool is_text = type == Type::String || type == Type::Password;
    if (is_text && node.is_scalar()) return json_string(node.as_text().value_or(""));
    return json_of(node);
}

void check_value(const ConfigNode& node, const Field& field, const std::string& json) {
    const auto document = JsonDocument::parse(json);
    const auto fault = document ? fault_of(field, (*document)->root()) : std::optional<std::string>("no value");
    if (fault) node.complain("does not fit this field: " + *fault);
}

bool is_name(std::string_view name) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    return !name.empty() && name.size() <= kNameLengthMax && std::all_of(name.begin(), name.end(), fits);
}

Type read_type(const ConfigNode& node) {
    std::vector<std::string> words;
    words.reserve(kTypes.size());
    for (const auto& [word, type] : kTypes) words.emplace_back(word);
    const auto word = node.word("type", words, "string");
    for (const auto& [name, type] : kTypes)
        if (word == name) return type;
    return Type::String;
}

void read_pattern(const ConfigNode& node, Field& field) {
    const auto text = node["pattern"].as_text();
    if (!text) return;
    auto pattern = Pattern::compile(*text);
    if (!pattern) {
        node["pattern"].complain("not a regular expression (RE2): " + pattern.error().message);
    } else if (!is_text(field)) {
        node["pattern"].complain("only string and password have a pattern");
    } else {
        field.pattern = *std::move(pattern);
    }
}

void read_bounds(const ConfigNode& node, Field& field) {
    const double most = is_number(field) ? kWholeNumberMax : 1'000'000;
    const double least = is_number(field) ? -most : 0;
    if (node["min"].present()) field.min = node.number("min", 0, least, most);
    if (node["max"].present()) field.max = node.number("max", 0, least, most);
    if (field.type == Type::Boolean && (field.min || field.max)) node.complain("a boolean has no min and max");
    if (field.min && field.max && *field.min > *field.max) node["max"].complain("is less than min");
}

Field read_field(const ConfigNode& node) {
    Field field;
    field.name = node.text("name");
    if (!is_name(field.name)) node["name"].complain("expected letters, digits, `_` and `-`");
    field.type = read_type(node);
    field.title = node.text("title", "");
    field.description = node.text("description", "");
    field.required = node.flag("required", false);
    field.sensitive = node.flag("sensitive", false);
    read_pattern(node, field);
    read_bounds(node, field);
    // What is not empty is checked against the others first: they are part of what fits.
    std::vector<std::string> one_of;
    for (const auto& item : node["enum"].one_or_list()) {
        one_of.push_back(quoted_or_parsed(item, field.type));
        check_value(item, field, one_of.back());
    }
    field.one_of = std::move(one_of);
    if (const auto given = node["default"]; given.present()) {
        field.fallback = quoted_or_parsed(given, field.type);
        if (field.fallback != "\"\"" || field.required) check_value(given, field, field.fallback);
        if (field.secret()) given.complain("a secret has no default: it would be none");
    }
    node.done();
    return field;
}

// ---- schema

const char* schema_type(Type type) { return type == Type::Password ? "string" : to_text(type); }

void write_bounds(JsonWriter& json, const Field& field) {
    const char* least = "minProperties";
    const char* most = "maxProperties";
    if (is_number(field)) least = "minimum", most = "maximum";
    if (is_text(field)) least = "minLength", most = "maxLength";
    if (field.type == Type::Array) least = "minItems", most = "maxItems";
    if (const auto bound = least_of(field)) json.key(least).raw(number_text(*bound));
    if (field.max) json.key(most).raw(number_text(*field.max));
}

void write_field(JsonWriter& json, const Field& field) {
    json.key(field.name).object().member("type", schema_type(field.type));
    json.member("title", field.title.empty() ? field.name : field.title);
    if (!field.description.empty()) json.member("description", field.description);
    if (field.type == Type::Password) json.member("format", "password");
    if (field.secret()) json.member("writeOnly", true);
    if (!field.fallback.empty()) json.member_raw("default", field.fallback);
    if (!field.one_of.empty()) {
        json.key("enum").array();
        for (const auto& each : field.one_of) json.raw(each);
        json.end();
    }
    if (field.pattern) json.member("pattern", "^(?:" + field.pattern->text() + ")$");
    write_bounds(json, field);
    json.end();
}

}  // namespace

const char* to_text(Field::Type type) {
    for (const auto& [word, each] : kTypes)
        if (each == type) return word;
    return "string";
}

const Field* find_field(const Fields& fields, std::string_view name) {
    const auto found = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == name; });
    return found == fields.end() ? nullptr : &*found;
}

Fields read_fields(const ConfigNode& list) {
    Fields fields;
    if (!list.present()) return fields;
    if (!list.is_list()) {
        list.complain("expected a list of fields, like `- {name: token, type: password, required: true}`");
        return fields;
    }
    const auto items = list.items();
    if (items.size() > kFieldsMax) list.complain("more than " + std::to_string(kFieldsMax) + " fields");
    fields.reserve(items.size());
    for (const auto& item : items) {
        if (!item.is_map()) {
            item.complain("expected a mapping, like {name: token, type: password}");
            continue;
        }
        auto field = read_field(item);
        if (find_field(fields, field.name) != nullptr) item["name"].complain("there is a field of this name already");
        fields.push_back(std::move(field));
    }
    return fields;
}

std::vector<FieldFault> validate(const Fields& fields, const Json& values) {
    if (!values.is_object()) return {{"", "expected an object"}};
    std::vector<FieldFault> faults;
    for (const auto& field : fields) {
        const auto value = values[field.name];
        if (!value.present()) {
            if (field.required && field.fallback.empty()) faults.push_back({field.name, "missing"});
            continue;
        }
        if (auto fault = fault_of(field, value)) faults.push_back({field.name, *std::move(fault)});
    }
    std::set<std::string> told;
    for (const auto& member : values.members()) {
        if (find_field(fields, member.key) == nullptr && told.insert(member.key).second)
            faults.push_back({member.key, "unknown field"});
    }
    return faults;
}

std::string to_text(const std::vector<FieldFault>& faults) {
    std::vector<std::string> lines;
    lines.reserve(faults.size());
    for (const auto& fault : faults)
        lines.push_back(fault.field.empty() ? fault.message : fault.field + ": " + fault.message);
    return join(lines, "; ");
}

std::string with_defaults(const Fields& fields, const Json& values) {
    JsonWriter json;
    json.object();
    for (const auto& field : fields) {
        const auto value = values[field.name];
        if (value.present()) {
            json.member_raw(field.name, value.raw());
        } else if (!field.fallback.empty()) {
            json.member_raw(field.name, field.fallback);
        }
    }
    return json.end().text();
}

std::string masked(const Fields& fields, const Json& values) {
    JsonWriter json;
    json.object();
    std::set<std::string> told;
    for (const auto& member : values.members()) {
        if (!told.insert(member.key).second) continue;
        const auto* field = find_field(fields, member.key);
        const bool shown = field != nullptr && !field->secret();
        json.key(member.key).raw(shown ? values[member.key].raw() : std::string_view("\"***\""));
    }
    return json.end().text();
}

std::string merged(const Fields& fields, const Json& given, const Json& old) {
    JsonWriter json;
    json.object();
    std::set<std::string> told;
    for (const auto& member : given.members()) {
        const auto value = given[member.key];
        const auto* field = find_field(fields, member.key);
        const bool is_mask = field != nullptr && field->secret() && value.string() == kMask;
        if (!told.insert(member.key).second || value.is_null() || is_mask) continue;
        json.key(member.key).raw(value.raw());
    }
    for (const auto& field : fields) {
        const auto value = given[field.name];
        const bool keeps = field.secret() && (!value.present() || value.string() == kMask);
        if (keeps && old[field.name].present()) json.key(field.name).raw(old[field.name].raw());
    }
    return json.end().text();
}

std::string to_json_schema(const Fields& fields, std::string_view title, std::string_view description) {
    JsonWriter json;
    json.object().member("$schema", "https://json-schema.org/draft/2020-12/schema").member("title", title);
    if (!description.empty()) json.member("description", description);
    json.member("type", "object").key("properties").object();
    for (const auto& field : fields) write_field(json, field);
    json.end().key("required").array();
    for (const auto& field : fields)
        if (field.required && field.fallback.empty()) json.value(field.name);
    json.end().member("additionalProperties", false).end();
    return std::move(json).text();
}

}  // namespace orbridge
