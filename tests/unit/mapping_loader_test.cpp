#include "bridge/normalize/mapping_loader.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "bridge/core/json.h"
#include "bridge/normalize/preview.h"
#include "tests/support/recorded.h"

using namespace orbridge;
using namespace orbridge::testing;

namespace {

std::vector<std::string> complaints_about(const std::string& yaml) {
    Complaints complaints;
    (void)parse_mapping(yaml, "m.yaml", complaints);
    return complaints.lines();
}

bool complains(const std::vector<std::string>& lines, const std::string& where, const std::string& what) {
    const bool found = std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
        return line.find(where) != std::string::npos && line.find(what) != std::string::npos;
    });
    if (!found)
        for (const auto& line : lines) BOOST_TEST_MESSAGE(line);
    return found;
}

const std::string kHead = "mapping: m\nsources: [example]\nclass: type\n";
const std::string kRule =
    "rules:\n"
    "  - name: r\n"
    "    class: x\n"
    "    channel: X\n"
    "    event_name: x\n"
    "    payload: .\n";

std::string outcome_of(const std::string& mapping, const std::string& body) {
    Complaints complaints;
    const Normalizer normalizer(parse_mapping(mapping, "m.yaml", complaints));
    for (const auto& line : complaints.lines()) BOOST_ERROR(line);
    const Names names;
    const auto outcome = preview(normalizer, names, body, {{"s"}, "example", Intake::Push, {}});
    return outcome ? preview_json(*outcome) : outcome.error().message;
}

struct Block {
    std::string kind;  ///< the words behind the fence, e.g. `yaml mapping`
    std::string text;
};

std::vector<Block> blocks_of(const std::string& markdown) {
    std::vector<Block> blocks;
    const std::string fence = "```";
    for (auto at = markdown.find("\n" + fence); at != std::string::npos; at = markdown.find("\n" + fence, at)) {
        const auto first = markdown.find('\n', at + 1);
        const auto end = markdown.find("\n" + fence, first);
        blocks.push_back({markdown.substr(at + 4, first - at - 4), markdown.substr(first + 1, end - first)});
        at = end + 4;
    }
    return blocks;
}

/// Everything the manual shows must be so; keys that it leaves out may be anything.
void check_shown(const Json& shown, const Json& made, const std::string& example) {
    for (const auto& member : shown.members()) {
        const auto other = made[member.key];
        if (member.key == "payload" || member.key == "body" || !member.value.is_object()) {
            BOOST_TEST(canonical_json(member.value) == canonical_json(other), example << ": " << member.key);
        } else {
            check_shown(member.value, other, example);
        }
    }
}

void check_example(const std::string& mapping, const std::string& request, const std::string& outcome) {
    const auto made_text = outcome_of(mapping, request);
    const auto shown = JsonDocument::parse(outcome);
    const auto made = JsonDocument::parse(made_text);
    BOOST_REQUIRE_MESSAGE(shown && made, made_text);
    check_shown((*shown)->root()["unmapped"], (*made)->root()["unmapped"], mapping);
    const auto events = (*shown)->root()["mapped"];
    BOOST_TEST(events.size() == (*made)->root()["mapped"].size(), made_text);
    for (std::size_t i = 0; i < events.size(); ++i) check_shown(events.at(i), (*made)->root()["mapped"].at(i), mapping);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(mapping_loader)

BOOST_AUTO_TEST_CASE(the_examples_of_the_manual_do_what_it_says) {
    const auto blocks = blocks_of(read_file(ORBRIDGE_ROOT "/mappings/README.md"));
    std::size_t examples = 0;
    for (std::size_t i = 0; i + 2 < blocks.size(); ++i) {
        if (blocks[i].kind != "yaml mapping") continue;
        BOOST_TEST(blocks[i + 1].kind.find("request") != std::string::npos);
        BOOST_TEST(blocks[i + 2].kind == "json outcome");
        check_example(blocks[i].text, blocks[i + 1].text, blocks[i + 2].text);
        ++examples;
    }
    BOOST_TEST(examples == 5u);
}

BOOST_AUTO_TEST_CASE(the_least_that_works_has_no_complaints) { BOOST_TEST(complaints_about(kHead + kRule).empty()); }

BOOST_AUTO_TEST_CASE(what_is_missing_is_named_all_at_once) {
    const auto lines = complaints_about("rules:\n  - class: x\n");
    for (const char* key : {"mapping", "sources", "class", "rules[0].name", "rules[0].channel", "rules[0].event_name",
                            "rules[0].payload"})
        BOOST_TEST(complains(lines, std::string(key) + ":", "missing"), key);
    BOOST_TEST(complains(complaints_about(kHead), "rules", "missing"));
}

BOOST_AUTO_TEST_CASE(a_misspelt_key_is_told_with_its_place) {
    BOOST_TEST(complains(complaints_about(kHead + kRule + "    subjekt: x\n"), "m.yaml:10:", "rules[0].subjekt"));
    BOOST_TEST(complains(complaints_about(kHead + "nevr_store: []\n" + kRule), "m.yaml:4:", "nevr_store"));
}

BOOST_AUTO_TEST_CASE(a_broken_pattern_is_told_when_it_is_loaded) {
    auto rule = kRule;
    rule.replace(rule.find("class: x"), 8, "class: 'x('");
    BOOST_TEST(complains(complaints_about(kHead + rule), "rules[0].class", "not a regular expression"));
    const auto field = "fields: {a: {path: b, match: 'no group'}}\n";
    BOOST_TEST(complains(complaints_about(kHead + field + kRule), "fields.a.match", "needs a group"));
}

BOOST_AUTO_TEST_CASE(an_unknown_field_is_told_with_the_known_ones) {
    auto rule = kRule;
    rule.replace(rule.find("event_name: x"), 13, "event_name: 'x:{uid}'");
    const auto lines = complaints_about(kHead + "fields: {uuid: id}\n" + rule);
    BOOST_TEST(complains(lines, "rules[0].event_name", "no field `uid` here, expected one of class, uuid"));
    const auto in_path = complaints_about(kHead + "fields: {uuid: id, x: 'a.{uuid}'}\n" + kRule);
    BOOST_TEST(complains(in_path, "fields.x", "no field `uuid` here"));
}

BOOST_AUTO_TEST_CASE(a_template_that_makes_no_sense_is_told) {
    const auto told = [](const std::string& name, const std::string& what) {
        auto rule = kRule;
        rule.replace(rule.find("event_name: x"), 13, "event_name: '" + name + "'");
        return complains(complaints_about(kHead + rule), "rules[0].event_name", what);
    };
    BOOST_TEST(told("x{class", "without its }"));
    BOOST_TEST(told("{upper class}", "expected {field}"));
    BOOST_TEST(told("{}", "expected {field}"));
}

BOOST_AUTO_TEST_CASE(a_shape_may_only_use_shapes_above_it) {
    const std::string shapes = "shapes:\n  a: {x: {$shape: b, of: y}}\n  b: {x: {$shape: b, of: y}}\n";
    const auto lines = complaints_about(kHead + shapes + kRule);
    BOOST_TEST(complains(lines, "shapes.a.x.$shape", "no such shape"));
    BOOST_TEST(complains(lines, "shapes.b.x.$shape", "expected one of a"));
}

BOOST_AUTO_TEST_CASE(an_unknown_operator_or_condition_is_told) {
    auto rule = kRule;
    rule.replace(rule.find("payload: ."), 10, "payload: {$txt: x}");
    BOOST_TEST(complains(complaints_about(kHead + rule), "payload.$txt", "there are $text, $members_of and $shape"));
    BOOST_TEST(
        complains(complaints_about(kHead + kRule + "    when: {a: full}\n"), "when.a", "present, absent, filled"));
}

BOOST_AUTO_TEST_CASE(two_rules_of_one_name_are_a_mistake) {
    const auto again = kRule.substr(kRule.find("  - name"));
    BOOST_TEST(complains(complaints_about(kHead + kRule + again), "rules[1].name", "another rule"));
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_is_a_complaint_and_no_crash) {
    Complaints complaints;
    (void)load_mappings({"/nowhere/m.yaml"}, complaints);
    BOOST_TEST(complains(complaints.lines(), "/nowhere/m.yaml", ""));
    BOOST_TEST(!complaints_about("").empty());
    BOOST_TEST(!complaints_about("[1, 2]").empty());
    BOOST_TEST(!complaints_about("a: {b").empty());
}

BOOST_AUTO_TEST_CASE(the_first_rule_that_fits_wins) {
    const auto first = kHead +
                       "rules:\n"
                       "  - {name: a, class: x, when: {n: [1, 2]}, channel: A, event_name: a, payload: .}\n"
                       "  - {name: b, class: x, when: {l: empty}, channel: B, event_name: b, payload: .}\n"
                       "  - {name: c, class: x, when: {n: absent}, channel: C, event_name: c, payload: .}\n";
    const auto rule = [&](const std::string& body) {
        const auto text = outcome_of(first, body);
        const auto at = text.find("m/");
        return at == std::string::npos ? std::string() : text.substr(at + 2, 1);
    };
    BOOST_TEST(rule(R"({"type":"x","n":1,"l":[1]})") == "a");
    BOOST_TEST(rule(R"({"type":"x","n":"2","l":[1]})") == "a");
    BOOST_TEST(rule(R"({"type":"x","n":3,"l":[]})") == "b");
    BOOST_TEST(rule(R"({"type":"x","n":3})") == "b");
    BOOST_TEST(rule(R"({"type":"x","l":"full"})") == "c");
    BOOST_TEST(rule(R"({"type":"x","n":null,"l":"full"})") == "");
    BOOST_TEST(rule(R"({"type":"xx"})") == "");
}

BOOST_AUTO_TEST_CASE(a_batch_with_an_unknown_event_is_kept_whole) {
    const auto mapping = kHead + "each: .\n" + kRule;
    BOOST_TEST(outcome_of(mapping, R"([{"type":"x"},{"type":"x"}])").find("unmapped") == std::string::npos);
    const auto text = outcome_of(mapping, R"([{"type":"x"},{"type":"y"}])");
    BOOST_TEST(text.find("event 2: no rule for it") != std::string::npos);
    BOOST_TEST(text.find(R"("body":[{"type":"x"},{"type":"y"}])") != std::string::npos);
    BOOST_TEST(outcome_of(mapping, "[]") == R"({"mapped":[]})");
}

BOOST_AUTO_TEST_CASE(lists_in_lists_are_given_level_by_level) {
    const auto with_each = [](const std::string& each) {
        return complaints_about(kHead + "each: " + each + '\n' + kRule);
    };
    for (const auto* good : {"a.b", ".", "[a]", "[a, b]", "[a, [b, c]]", "[[a, b], .]"})
        BOOST_TEST(with_each(good).empty(), good);
    BOOST_TEST(complains(with_each("[a, 'root:b']"), "m.yaml:4:", "each[1]: expected a path to a list"));
    BOOST_TEST(complains(with_each("'{class}'"), "each", "expected a path to a list"));
    BOOST_TEST(complains(with_each("[a, []]"), "each[1]", "must not be empty"));
    BOOST_TEST(complains(with_each("a\neach_max: 0"), "each_max", "1"));
}

BOOST_AUTO_TEST_CASE(a_mapping_may_not_read_headers_that_hold_secrets) {
    for (const auto* name :
         {"Authorization", "x-api-key", "Cookie", "X-Hub-Signature-256", "X-Orbridge-Secret", "X-Token"}) {
        const auto read = kHead + "fields: {f: 'header:" + name + "'}\n" + kRule;
        BOOST_TEST(complains(complaints_about(read), "fields.f", "may hold a secret"), name);
        BOOST_TEST(complains(complaints_about(kHead + "keep_headers: [" + name + "]\n" + kRule), "keep_headers[0]",
                             "may hold a secret"),
                   name);
    }
    BOOST_TEST(complains(complaints_about(kHead + "fields: {f: 'header:X-{class}'}\n" + kRule), "fields.f",
                         "no fields in it"));
    BOOST_TEST(complaints_about(kHead + "keep_headers: [X-GitHub-Event]\n" + kRule).empty());
    std::string many;
    for (int i = 0; i < 33; ++i) many += "X-" + std::to_string(i) + ", ";
    BOOST_TEST(
        complains(complaints_about(kHead + "keep_headers: [" + many + "X]\n" + kRule), "keep_headers", "more than 32"));
}

BOOST_AUTO_TEST_SUITE_END()
