#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/json.h"
#include "bridge/core/mask.h"
#include "bridge/settings/config_node.h"
#include "bridge/settings/pattern.h"

namespace orbridge {

/// One value that is asked for: of an adapter's credentials, or a parameter of a task.
struct Field {
    enum class Type : std::uint8_t { String, Number, Integer, Boolean, Password, Object, Array };

    std::string name;  ///< letters, digits, `_` and `-`
    Type type = Type::String;
    std::string title, description;
    bool required = false;
    bool sensitive = false;           ///< kept secret though it is no password
    std::string fallback;             ///< `default`, as JSON text; empty: none
    std::vector<std::string> one_of;  ///< `enum`, as JSON texts; empty: anything
    std::optional<Pattern> pattern;   ///< describes the whole text
    /// Of a number itself; else how many characters, elements or members. A required text has one at least.
    std::optional<double> min, max;

    bool secret() const { return sensitive || type == Type::Password; }
};
using Fields = std::vector<Field>;

struct FieldFault {
    std::string field;    ///< empty: of the whole
    std::string message;  ///< says what is expected, and never the value: it may be a secret
};

const char* to_text(Field::Type type);
const Field* find_field(const Fields& fields, std::string_view name);

/// Reads a list of `{name, type, title, description, required, default, enum, pattern, min, max, sensitive}`.
/// Everything wrong becomes a complaint at its place. An absent node has no fields.
Fields read_fields(const ConfigNode& list);

/// Everything wrong with an object of values. A field that is not declared is a fault. Nothing is filled in.
std::vector<FieldFault> validate(const Fields& fields, const Json& values);
/// `token: missing; port: …`, for where there is room for one text only.
std::string to_text(const std::vector<FieldFault>& faults);

/// The values in the order of the fields, with `default`s in place of what is absent.
std::string with_defaults(const Fields& fields, const Json& values);
/// For people: what is secret by its declaration, or not declared, is `***` (integrations.md K10).
std::string masked(const Fields& fields, const Json& values);

/// What is kept when somebody who sees masked() changes it: of a secret that is absent or the mask, the old value. A
/// member that is null is left out (integrations.md K9).
std::string merged(const Fields& fields, const Json& given, const Json& old);

/// The fields as JSON Schema 2020-12, whose verdict is that of validate() (integrations.md K1).
std::string to_json_schema(const Fields& fields, std::string_view title, std::string_view description = {});

}  // namespace orbridge
