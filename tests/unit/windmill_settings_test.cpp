#include <boost/test/unit_test.hpp>
#include <vector>

#include "adapters/registry.h"
#include "adapters/windmill/settings.h"

namespace orbridge {
namespace {

struct Read {
    Complaints complaints;
    windmill::WindmillSettings settings;
    std::string all;
};

TargetSettings target_of(const ConfigNode& node) {
    TargetSettings target{.id = {"t"}, .adapter = node.text("adapter", "windmill"), .node = node};
    return target;
}

Read read(const std::string& yaml, const std::vector<RouteSettings>& routes = {}) {
    Read read;
    const auto node = ConfigNode::parse(yaml, "test.yaml", read.complaints);
    read.settings = windmill::read_settings(target_of(node), routes);
    for (const auto& line : read.complaints.lines()) read.all += line + '\n';
    return read;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(windmill_settings)

BOOST_AUTO_TEST_CASE(a_run_url_and_a_token_are_enough) {
    const auto result = read("url: https://w.example.org/api/w/main/jobs/run/p/f/nextcloud/on_object\ntoken: t0ken\n");
    BOOST_TEST(result.all == "");
    BOOST_TEST(result.settings.runnable.run_url() ==
               "https://w.example.org/api/w/main/jobs/run/p/f/nextcloud/on_object");
    BOOST_CHECK(result.settings.wrap == windmill::Wrap::Body);
    BOOST_CHECK(result.settings.interpolation == windmill::Interpolation::Neutralise);
    BOOST_TEST(!result.settings.follow);
}

BOOST_AUTO_TEST_CASE(the_url_may_be_given_in_parts) {
    const auto result = read("url: https://w.example.org/\nworkspace: main\nflow: f/a/b\ntoken: x\nfollow: true\n");
    BOOST_TEST(result.all == "");
    BOOST_TEST(result.settings.runnable.run_url() == "https://w.example.org/api/w/main/jobs/run/f/f/a/b");
    BOOST_TEST(result.settings.follow);
}

BOOST_AUTO_TEST_CASE(routes_may_say_otherwise_about_interpolation) {
    RouteSettings mine;
    mine.name = "mine";
    mine.to = {{"t"}};
    mine.interpolation = "refuse";
    auto other = mine;
    other.name = "other";
    other.to = {{"another-target"}};
    const auto result = read(
        "url: https://w/api/w/main/jobs/run/p/f/a/b\ntoken: x\ninterpolation: pass\nwrap: payload\n", {mine, other});
    BOOST_TEST(result.all == "");
    BOOST_CHECK(result.settings.interpolation == windmill::Interpolation::Pass);
    BOOST_CHECK(result.settings.wrap == windmill::Wrap::Payload);
    BOOST_TEST(result.settings.by_route.size() == 1u);
    BOOST_CHECK(result.settings.by_route.at("mine") == windmill::Interpolation::Refuse);
}

BOOST_AUTO_TEST_CASE(all_mistakes_are_told_at_once_and_at_their_place) {
    const auto result = read(
        "url: https://w/api/w/main/jobs/run_wait_result/p/f/a/b\nwrap: twice\nintrepolation: pass\nworkspace: main\n");
    BOOST_TEST(result.all.find("test.yaml:1:") != std::string::npos, result.all);
    BOOST_TEST(result.all.find("wrap") != std::string::npos, result.all);
    BOOST_TEST(result.all.find("intrepolation") != std::string::npos, result.all);
    BOOST_TEST(result.all.find("token") != std::string::npos, result.all);
}

BOOST_AUTO_TEST_CASE(the_registry_makes_recipes_by_name_and_complains_about_unknown_ones) {
    Complaints complaints;
    const auto node =
        ConfigNode::parse("adapter: windmill\nurl: https://w/api/w/m/jobs/run/p/f/a/b\ntoken: x\n", "f", complaints);
    BOOST_TEST((make_recipe(target_of(node), {}, {}) != nullptr));
    BOOST_TEST(complaints.empty());
    const auto wrong = ConfigNode::parse("adapter: windmil\n", "f", complaints);
    BOOST_TEST((make_recipe(target_of(wrong), {}, {}) == nullptr));
    BOOST_TEST(complaints.lines().size() == 1u);
    BOOST_TEST(complaints.lines().at(0).find("windmill") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
