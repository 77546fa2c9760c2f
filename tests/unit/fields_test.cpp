#include "bridge/credentials/fields.h"

#include <boost/test/unit_test.hpp>

using namespace orbridge;

namespace {

struct Declared {
    Complaints complaints;
    Fields fields;
    explicit Declared(const std::string& yaml) : fields(read_fields(ConfigNode::parse(yaml, "a.yaml", complaints))) {}
    std::vector<std::string> lines() const { return complaints.lines(); }
};

const char* const kGitHub = R"(
- {name: token, type: password, required: true, title: Token, description: Personal access token}
- {name: username, type: string, pattern: "[a-z]+", max: 5}
- {name: port, type: integer, default: 443, min: 1, max: 65535}
- {name: mode, enum: [fast, safe], default: safe}
- {name: ratio, type: number, min: 0, max: 1}
- {name: verify, type: boolean, default: true}
- {name: headers, type: object}
- {name: hosts, type: array, min: 1}
- {name: pin, type: string, sensitive: true}
- {name: monkey, type: string}
)";

std::string faults_of(const Fields& fields, const std::string& json) {
    const auto document = JsonDocument::parse(json).value();
    return to_text(validate(fields, document->root()));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fields)

BOOST_AUTO_TEST_CASE(I5_K3_each_type_right_and_wrong_is_told_by_the_fields_name_and_never_by_its_value) {
    const Declared given(kGitHub);
    BOOST_TEST(given.lines().empty());
    const std::vector<std::pair<std::string, std::string>> cases = {
        {R"({"token":"t"})", ""},
        {R"({})", "token: missing"},
        {R"([])", "expected an object"},
        {R"({"token":""})", "token: is empty"},
        {R"({"token":null})", "token: expected string"},
        {R"({"token":5})", "token: expected string"},
        {R"({"token":"t","username":"abc"})", ""},
        {R"({"token":"t","username":"abc1"})", "username: does not look like [a-z]+"},
        {R"({"token":"t","username":"abcdef"})", "username: expected at most 5 characters"},
        {R"({"token":"t","username":""})", "username: does not look like [a-z]+"},
        {R"({"token":"t","port":8080})", ""},
        {R"({"token":"t","port":8080.0})", ""},
        {R"({"token":"t","port":80.5})", "port: expected integer"},
        {R"({"token":"t","port":"80"})", "port: expected integer"},
        {R"({"token":"t","port":0})", "port: expected at least 1"},
        {R"({"token":"t","port":65536})", "port: expected at most 65535"},
        {R"({"token":"t","mode":"fast"})", ""},
        {R"({"token":"t","mode":"S3CR3T"})", R"(mode: expected one of: "fast", "safe")"},
        {R"({"token":"t","ratio":0.5})", ""},
        {R"({"token":"t","ratio":1.5})", "ratio: expected at most 1"},
        {R"({"token":"t","verify":false})", ""},
        {R"({"token":"t","verify":"yes"})", "verify: expected boolean"},
        {R"({"token":"t","headers":{"a":1}})", ""},
        {R"({"token":"t","headers":[]})", "headers: expected object"},
        {R"({"token":"t","hosts":["a"]})", ""},
        {R"({"token":"t","hosts":[]})", "hosts: expected at least 1 elements"},
        {R"({"token":"t","hosts":{}})", "hosts: expected array"},
        {R"({"tokn":"S3CR3T","port":"S3CR3T"})", "token: missing; port: expected integer; tokn: unknown field"},
    };
    for (const auto& [json, expected] : cases)
        BOOST_TEST_CONTEXT(json) BOOST_TEST(faults_of(given.fields, json) == expected);
}

BOOST_AUTO_TEST_CASE(I5_defaults_stand_in_for_what_is_absent) {
    const Declared given(kGitHub);
    const auto document = JsonDocument::parse(R"({"monkey":"m","token":"t"})").value();
    BOOST_TEST(with_defaults(given.fields, document->root()) ==
               R"({"token":"t","port":443,"mode":"safe","verify":true,"monkey":"m"})");
}

BOOST_AUTO_TEST_CASE(K10_what_is_hidden_goes_by_the_declaration_and_not_by_the_name) {
    const Declared given(kGitHub);
    const auto document =
        JsonDocument::parse(R"({"token":"S3CR3T","pin":"1234","monkey":"banana","old_one":"S3CR3T"})").value();
    BOOST_TEST(masked(given.fields, document->root()) ==
               R"({"token":"***","pin":"***","monkey":"banana","old_one":"***"})");
}

BOOST_AUTO_TEST_CASE(K1_the_form_is_json_schema_2020_12) {
    const Declared given(R"(
- {name: token, type: password, required: true, title: Token, description: Personal access token}
- {name: username, type: string, pattern: "[a-z]+", max: 5}
- {name: port, type: integer, default: 443, min: 1}
- {name: mode, enum: [fast, safe]}
)");
    BOOST_TEST(to_json_schema(given.fields, "GitHub") ==
               R"({"$schema":"https://json-schema.org/draft/2020-12/schema","title":"GitHub","type":"object",)"
               R"("properties":{"token":{"type":"string","title":"Token","description":"Personal access token",)"
               R"("format":"password","writeOnly":true,"minLength":1},)"
               R"("username":{"type":"string","title":"username","pattern":"^(?:[a-z]+)$","maxLength":5},)"
               R"("port":{"type":"integer","title":"port","default":443,"minimum":1},)"
               R"("mode":{"type":"string","title":"mode","enum":["fast","safe"]}},)"
               R"("required":["token"],"additionalProperties":false})");
}

BOOST_AUTO_TEST_CASE(I2_everything_wrong_with_a_declaration_is_told_at_its_place) {
    const Declared given(R"(
- {name: to ken, typ: password}
- {name: a, type: strnig}
- {name: a, pattern: "("}
- {name: b, type: boolean, min: 1}
- {name: c, type: integer, default: x, min: 5, max: 2}
- {name: d, type: password, default: geheim}
- name
)");
    const std::string unknown =  // in two pieces, which a list would take for two of its items
        "a.yaml:2:18: [0].typ: unknown key, did you mean `type`? (known: name, type, title, description, required, "
        "sensitive, pattern, min, max, enum, default)";
    const std::vector<std::string> expected = {
        "a.yaml:2:10: [0].name: expected letters, digits, `_` and `-`",
        unknown,
        "a.yaml:3:19: [1].type: `strnig` is not one of: string, number, integer, boolean, password, object, array",
        "a.yaml:4:10: [2].name: there is a field of this name already",
        "a.yaml:4:22: [2].pattern: not a regular expression (RE2): missing ): (",
        "a.yaml:5:3: [3]: a boolean has no min and max",
        "a.yaml:6:37: [4].default: does not fit this field: expected integer",
        "a.yaml:6:53: [4].max: is less than min",
        "a.yaml:7:38: [5].default: a secret has no default: it would be none",
        "a.yaml:8:3: [6]: expected a mapping, like {name: token, type: password}"};
    const auto lines = given.lines();
    BOOST_CHECK_EQUAL_COLLECTIONS(lines.begin(), lines.end(), expected.begin(), expected.end());
}

BOOST_AUTO_TEST_SUITE_END()
