#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "bridge/core/text.h"
#include "tests/support/adapter_desk.h"
#include "tests/support/temporary_folder.h"

namespace orbridge {
using namespace test;
using http_tasks::TaskRecipe;

BOOST_AUTO_TEST_SUITE(adapters)

BOOST_AUTO_TEST_CASE(I2_faulty_files_are_left_out_with_their_places_and_the_others_load) {
    const TemporaryFolder folder;
    const std::string test = "test: { request: { method: GET, path: /me } }\n";
    const std::string head = "kind: http\nbase_url: https://a.example\n";
    const std::string tasks = "tasks: { go: { request: { method: GET, path: /go } } }\n";
    folder.put("a.yaml", "name: good\n" + head + test + tasks);
    folder.put("b.yaml", "name: [unclosed\n");
    folder.put("c.yaml", "name: untested\n" + head + tasks);
    folder.put(
        "d.yaml",
        "name: typed\n" + head + test +
            "tasks:\n  go:\n    params:\n      - { name: x, type: colour }\n    request: { method: GET, path: /go }\n");
    folder.put("e.yaml", "name: unknown\n" + head + test +
                             "tasks: { go: { request: { method: GET, path: \"/{{credentials.nope}}\" } } }\n");
    folder.put("f.yaml", "name: good\n" + head + test + tasks);
    Complaints complaints;
    const auto all = load_adapters({folder.path.string()}, complaints);
    BOOST_TEST(all.size() == 1U);
    const auto lines = complaints.lines();
    BOOST_REQUIRE(lines.size() == 5U);
    const auto says = [&](std::size_t i, const std::string& file, const std::string& what) {
        BOOST_TEST_MESSAGE(lines[i]);
        BOOST_TEST(lines[i].find(file + ":") != std::string::npos);
        BOOST_TEST(lines[i].find(what) != std::string::npos);
    };
    says(0, "b.yaml", "not valid YAML");
    says(1, "c.yaml", "test: missing");
    says(2, "d.yaml:8:26", "colour");
    says(3, "e.yaml:5:46", "no variable `credentials.nope`");
    says(4, "f.yaml:1:7", "has this name");
}

BOOST_AUTO_TEST_CASE(I1_the_shipped_adapters_load) {
    const auto all = shipped();
    for (const auto* name :
         {"slack", "github", "jira", "teams", "sendgrid", "s3", "http", "openregister", "postgresql", "smtp"})
        BOOST_TEST(all.count(name) == 1U, name);
    for (const auto& [name, adapter] : all)
        if (!adapter->is_native()) BOOST_TEST(!adapter->test.steps.empty());
}

BOOST_AUTO_TEST_CASE(of_two_adapters_of_one_name_the_config_tells_which) {
    const auto native =
        make(R"({adapter: windmill, url: "https://w.example/api/w/main/jobs/run/p/f/a/b", token: S3CR3T-wm})");
    BOOST_TEST(native->complaints.empty());
    BOOST_TEST(dynamic_cast<const TaskRecipe*>(native->recipe.get()) == nullptr);
    const auto names = adapter_names(shipped());
    BOOST_TEST(std::count(names.begin(), names.end(), "windmill") == 1);
}

BOOST_AUTO_TEST_CASE(T1_a_route_overrides_task_and_params_and_mistakes_are_found_at_load) {
    const auto lines = [](const std::string& yaml) {
        const auto made = make(yaml);
        return join(made->complaints.lines(), "\n");
    };
    BOOST_TEST(
        lines("{adapter: github, credentials: {token: t0k}, task: creat_issue}").find("has no task `creat_issue`") !=
        std::string::npos);
    BOOST_TEST(lines("{adapter: github, credentials: {token: t0k}, task: create_issue, params: {repo: a/b}}")
                   .find("needs `title`") != std::string::npos);
    BOOST_TEST(
        lines(
            "{adapter: github, credentials: {token: t0k}, task: create_issue, params: {repo: a/b, title: x, nope: 1}}")
            .find("no parameter `nope`") != std::string::npos);
    BOOST_TEST(lines("{adapter: github, credentials: {token: t0k}, task: create_issue, params: {repo: a/b, title: "
                     "\"{{event.paylod.x}}\"}}")
                   .find("no variable `event.paylod.x`") != std::string::npos);
    BOOST_TEST(lines("{adapter: github, task: create_issue, params: {repo: a/b, title: x}}").find("token: missing") !=
               std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
