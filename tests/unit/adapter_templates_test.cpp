#include <boost/test/unit_test.hpp>

#include "bridge/adapt/template.h"

namespace orbridge {
namespace {

Scope scope_of(const std::string& params) {
    Scope scope;
    BOOST_REQUIRE(scope.set("params", params));
    return scope;
}

std::string rendered(const std::string& text, const Scope& scope, Encoding encoding) {
    const auto parsed = ValueTemplate::parse(text);
    BOOST_REQUIRE_MESSAGE(parsed, text);
    const auto made = parsed->text(scope, encoding);
    return made ? *made : "! " + made.error().message;
}

std::string rendered_json(const std::string& yaml, const std::string& params) {
    Complaints complaints;
    const auto node = ConfigNode::parse(yaml, "t.yaml", complaints);
    KnownNames known;
    known.add("params", true);
    const auto tree = read_tree(node, known);
    BOOST_REQUIRE(complaints.empty());
    return render(tree, scope_of(params));
}

constexpr const char* kNasty =
    R"({"v":"a/b?c=d&é\"\r\nX: y","empty":"","up":"..","n":5,"b":true,"list":[1,2],"o":{"k":null}})";

}  // namespace

BOOST_AUTO_TEST_SUITE(adapters)

BOOST_AUTO_TEST_CASE(I6_a_value_stays_one_value_wherever_it_stands) {
    const auto scope = scope_of(kNasty);
    BOOST_TEST(rendered("/x/{{params.v}}", scope, Encoding::Path) == "/x/a%2Fb%3Fc%3Dd%26%C3%A9%22%0D%0AX%3A%20y");
    BOOST_TEST(rendered("{{params.v}}", scope, Encoding::Query) == "a%2Fb%3Fc%3Dd%26%C3%A9%22%0D%0AX%3A%20y");
    BOOST_TEST(rendered("{{params.v}}", scope, Encoding::Header) == "a/b?c=d&é\" X: y");
    BOOST_TEST(rendered_json("{t: \"<{{params.v}}>\"}", kNasty) == "{\"t\":\"<a/b?c=d&é\\\"\\r\\nX: y>\"}");
    BOOST_TEST(rendered("/r/{{params.v | segments}}", scope, Encoding::Path) ==
               "/r/a/b%3Fc%3Dd%26%C3%A9%22%0D%0AX%3A%20y");
}

BOOST_AUTO_TEST_CASE(I6_no_value_leads_up_or_to_the_whole_collection) {
    const auto scope = scope_of(kNasty);
    for (const auto* path :
         {"/x/{{params.empty}}", "/x/{{params.up}}", "/x/{{params.up | segments}}", "/x/{{params.nope}}"})
        BOOST_TEST(rendered(path, scope, Encoding::Path).starts_with("! "));
}

BOOST_AUTO_TEST_CASE(I7_one_whole_variable_keeps_its_type) {
    BOOST_TEST(rendered_json(R"({n: "{{params.n}}", b: "{{ params.b }}", l: "{{params.list}}", o: "{{params.o}}"})",
                             kNasty) == R"({"n":5,"b":true,"l":[1,2],"o":{"k":null}})");
    BOOST_TEST(rendered_json(R"({t: "{{params.n | text}}", u: "n={{params.n}}", gone: "{{params.nope}}", one: 1})",
                             kNasty) == R"({"t":"5","u":"n=5","one":1})");
}

BOOST_AUTO_TEST_CASE(filters_change_texts) {
    const auto scope = scope_of(R"({"t":" aB "})");
    BOOST_TEST(rendered("{{params.t | trim | upper}}", scope, Encoding::None) == "AB");
    BOOST_TEST(rendered("{{params.t | lower}}", scope, Encoding::None) == " ab ");
    BOOST_TEST(rendered("{{params.t | base64}}", scope, Encoding::None) == "IGFCIA==");
    BOOST_TEST(!ValueTemplate::parse("{{params.t | shout}}"));
    BOOST_TEST(!ValueTemplate::parse("{{params.t"));
    BOOST_TEST(!ValueTemplate::parse("{{}}"));
    BOOST_TEST(!ValueTemplate::parse("{{a b}}"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
