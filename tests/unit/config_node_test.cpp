#include "bridge/settings/config_node.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "bridge/settings/yaml_tree.h"
#include "tests/support/temporary_folder.h"

using namespace orbridge;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

namespace {

struct Parsed {
    Complaints complaints;
    ConfigNode root;
    explicit Parsed(const std::string& text, const std::string& name = "c.yaml")
        : root(ConfigNode::parse(text, name, complaints)) {}
    Lines lines() const { return complaints.lines(); }
};

void check(const Lines& found, const Lines& expected) {
    BOOST_CHECK_EQUAL_COLLECTIONS(found.begin(), found.end(), expected.begin(), expected.end());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(config_node)

BOOST_AUTO_TEST_CASE(every_kind_of_value_is_read_as_written) {
    const Parsed yaml(
        "text: hello\nempty: ''\nnothing:\nyes: true\nwhole: -42\npart: 0.25\nwait: 90s\nroom: 64KiB\n"
        "many: [a, b]\none: a\nurl: https://host:8443/path//\n");
    const auto& root = yaml.root;
    BOOST_TEST(root.text("text") == "hello");
    BOOST_TEST(root.text("empty", "x") == "");
    BOOST_TEST(root.text("nothing", "x") == "x");
    BOOST_TEST(root.text("absent", "x") == "x");
    BOOST_TEST(root.flag("yes", false));
    BOOST_TEST(root.integer("whole", 0, -100, 100) == -42);
    BOOST_TEST(root.number("part", 0, 0, 1) == 0.25);
    BOOST_TEST(root.duration("wait", 1s, 1s, 1h).count() == 90'000);
    BOOST_TEST(root.size("room", 0, 0, 1 << 20) == 65536U);
    BOOST_TEST(root.texts("many", {}) == (Lines{"a", "b"}), boost::test_tools::per_element());
    BOOST_TEST(root.texts("one", {}) == (Lines{"a"}), boost::test_tools::per_element());
    BOOST_TEST(root.url("url", true) == "https://host:8443/path");
    root.done();
    check(yaml.lines(), {});
}

BOOST_AUTO_TEST_CASE(durations_and_sizes_have_one_form_each) {
    const auto duration = [](const std::string& text) {
        const Parsed yaml("k: " + text + "\n");
        const auto value = yaml.root.duration("k", -1ms, 0ms, std::chrono::days(40)).count();
        BOOST_TEST(yaml.complaints.empty() == (value != -1), text);
        return value;
    };
    BOOST_TEST(duration("500ms") == 500);
    BOOST_TEST(duration("20s") == 20'000);
    BOOST_TEST(duration("5m") == 300'000);
    BOOST_TEST(duration("1h") == 3'600'000);
    BOOST_TEST(duration("3d") == 259'200'000);
    BOOST_TEST(duration("0s") == 0);
    for (const auto* bad :
         {"20", "s", "1.5h", "-1s", "1 h", "1H", "1h30m", "99999999999999999999s", "9223372036854775807d"})
        BOOST_TEST(duration(bad) == -1, bad);
    const auto size = [](const std::string& text) {
        const Parsed yaml("k: " + text + "\n");
        return yaml.root.size("k", 7, 0, std::size_t{4} << 30);
    };
    BOOST_TEST(size("512B") == 512U);
    BOOST_TEST(size("1MiB") == 1048576U);
    BOOST_TEST(size("2GiB") == std::size_t{2} << 30);
    for (const auto* bad : {"512", "1MB", "1mib", "-1B", "9GiB"}) BOOST_TEST(size(bad) == 7U, bad);
}

BOOST_AUTO_TEST_CASE(a_complaint_says_where_what_and_what_is_expected) {
    struct Case {
        std::string text;
        std::function<void(const ConfigNode&)> read;
        Lines expected;
    };
    const std::vector<Case> cases = {
        {"a:\n  b: x\n",
         [](const auto& n) { n["a"].integer("b", 0, 1, 5); },
         {"c.yaml:2:6: a.b: `x` is not a whole number"}},
        {"b: 9\n",
         [](const auto& n) { n.integer("b", 0, 1, 5); },
         {"c.yaml:1:4: b: `9` is out of range, expected 1 to 5"}},
        {"b: 2\n",
         [](const auto& n) { n.number("b", 0, 0, 1); },
         {"c.yaml:1:4: b: `2` is out of range, expected 0 to 1"}},
        {"b: 2h\n",
         [](const auto& n) { n.duration("b", 1s, 500ms, 90s); },
         {"c.yaml:1:4: b: `2h` is out of range, expected 500ms to 90s"}},
        {"b: 1\n",
         [](const auto& n) { n.duration("b", 1s, 1s, 1h); },
         {"c.yaml:1:4: b: `1` is not a duration like 500ms, 20s, 5m, 1h or 3d"}},
        {"b: 1\n",
         [](const auto& n) { n.size("b", 1, 1, 5); },
         {"c.yaml:1:4: b: `1` is not a size like 512B, 64KiB or 1MiB"}},
        {"b: yes\n", [](const auto& n) { n.flag("b", true); }, {"c.yaml:1:4: b: `yes` is not true or false"}},
        {"b: z\n",
         [](const auto& n) {
             n.word("b", {"x", "y"}, "x");
         },
         {"c.yaml:1:4: b: `z` is not one of: x, y"}},
        {"a: {}\n", [](const auto& n) { n["a"].text("b"); }, {"c.yaml:1:1: a.b: missing"}},
        {"b: ''\n", [](const auto& n) { n.text("b"); }, {"c.yaml:1:4: b: must not be empty"}},
        {"b: [1]\n", [](const auto& n) { n.text("b"); }, {"c.yaml:1:1: b: expected text, found a list"}},
        {"a: 1\n",
         [](const auto& n) {
             n["a"].text("b");
             n["a"].done();
         },
         {"c.yaml:1:4: a: expected a mapping, found text"}},
        {"a: 1\n", [](const auto& n) { n["a"].items(); }, {"c.yaml:1:4: a: expected a list, found text"}},
        {"a: [x, {y: 1}, ~]\n",
         [](const auto& n) { n.texts("a", {}); },
         {"c.yaml:1:8: a[1]: expected text, found a mapping", "c.yaml:1:16: a[2]: must not be empty"}},
        {"u: ftp://h\n",
         [](const auto& n) { n.url("u", true); },
         {"c.yaml:1:4: u: does not begin with http:// or https://, expected a URL like https://host/path"}},
        {"u: https://u:hunter2@h\n",
         [](const auto& n) { n.url("u", true); },
         {"c.yaml:1:4: u: holds a user name or password, expected them in keys of their own"}},
        {"u: http://h:99999/hunter2\n",
         [](const auto& n) { n.url("u", true); },
         {"c.yaml:1:4: u: has no valid host and port, expected a URL like https://host/path"}},
        {"url: 1\ntimeout: 1\nulr: 2\nzzz: 3\n",
         [](const auto& n) {
             n["url"];
             n["timeout"];
             n.done();
         },
         {"c.yaml:3:1: ulr: unknown key, did you mean `url`? (known: url, timeout)",
          "c.yaml:4:1: zzz: unknown key (known: url, timeout)"}},
    };
    for (const auto& each : cases) {
        const Parsed yaml(each.text);
        each.read(yaml.root);
        BOOST_TEST_CONTEXT(each.text) check(yaml.lines(), each.expected);
    }
}

BOOST_AUTO_TEST_CASE(a_doubled_key_is_reported_at_the_second_place_and_the_first_counts) {
    const Parsed yaml("targets:\n  x:\n    url: a\n    url: b\n  x: {}\n");
    BOOST_TEST(yaml.root["targets"]["x"].text("url") == "a");
    check(yaml.lines(), {"c.yaml:4:5: targets.x.url: given twice, first in line 3",
                         "c.yaml:5:3: targets.x: given twice, first in line 2"});
}

BOOST_AUTO_TEST_CASE(copies_of_a_node_share_what_was_asked) {
    const Parsed yaml("t: {a: 1, b: 2, c: 3}\n");
    yaml.root["t"].text("a");
    const auto copy = yaml.root["t"];
    copy.text("b");
    yaml.root["t"].done();
    check(yaml.lines(), {"c.yaml:1:17: t.c: unknown key (known: a, b)"});
}

BOOST_AUTO_TEST_CASE(variables_are_replaced_and_missing_ones_named) {
    ::setenv("ORBRIDGE_TEST_VALUE", "hunter2", 1);
    ::setenv("ORBRIDGE_TEST_EMPTY", "", 1);
    ::unsetenv("ORBRIDGE_TEST_NONE");
    const Parsed yaml(
        "a: x${ORBRIDGE_TEST_VALUE}y\nb: $${NAME}\nc: ${ORBRIDGE_TEST_NONE}\nd: ${}\ne: ${ORBRIDGE_TEST_EMPTY}\n"
        "f: ${ORBRIDGE_TEST_VALUE}\ng: ${open\n");
    const auto& root = yaml.root;
    BOOST_TEST(root.text("a") == "xhunter2y");
    BOOST_TEST(root.text("b") == "${NAME}");
    root.text("c");
    root.text("c");  // said once
    root.text("d");
    root.text("e");
    root.integer("f", 0, 0, 1);
    root.text("g");
    const std::string expected_name =
        "`${` begins the name of an environment variable, as in `${NAME}`; for the text write `$${`";
    check(yaml.lines(),
          {"c.yaml:3:4: c: the environment variable ORBRIDGE_TEST_NONE is not set", "c.yaml:4:4: d: " + expected_name,
           "c.yaml:5:4: e: must not be empty", "c.yaml:6:4: f: `${ORBRIDGE_TEST_VALUE}` is not a whole number",
           "c.yaml:7:4: g: " + expected_name});
}

BOOST_AUTO_TEST_CASE(secrets_come_from_the_key_its_file_or_the_environment) {
    const test::TemporaryFolder folder;
    folder.put("token", "first\r\nsecond\n");
    folder.put("other", "older");
    ::setenv("ORBRIDGE_TEST_VALUE", "from-env", 1);
    const Parsed yaml("a: plain\nb_file: token\nc: ${ORBRIDGE_TEST_VALUE}\nd_file: [token, other]\ne: [x, y]\n",
                      (folder.path / "c.yaml").string());
    BOOST_TEST(yaml.root.secret("a", true).reveal() == "plain");
    BOOST_TEST(yaml.root.secret("b", true).reveal() == "first");
    BOOST_TEST(yaml.root.secret("c", true).reveal() == "from-env");
    BOOST_TEST(yaml.root.secret("z", false).empty());
    const auto two = yaml.root.secrets("d", true);
    BOOST_REQUIRE(two.size() == 2U);
    BOOST_TEST(two[1].reveal() == "older");
    BOOST_TEST(yaml.root.secrets("e", true).size() == 2U);
    yaml.root.done();
    check(yaml.lines(), {});
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_secret_is_said_without_it) {
    const test::TemporaryFolder folder;
    folder.put("empty", "\nhunter2\n");
    folder.put("fine", "hunter2\n");
    ::setenv("ORBRIDGE_TEST_VALUE", "hunter2", 1);
    const auto name = (folder.path / "c.yaml").string();
    const Parsed yaml(
        "a_file: nowhere\nb_file: empty\nc_file: .\nd: hunter2\nd_file: fine\ne_file: ${ORBRIDGE_TEST_VALUE}\n"
        "g: [hunter2]\nh: \"hun\\nter2\"\ni: []\nj: [~]\nk: {hunter2: x}\n",
        name);
    for (const auto* key : {"a", "b", "c", "d", "e", "f", "g", "h"}) yaml.root.secret(key, true);
    for (const auto* key : {"i", "j", "k"}) BOOST_TEST(yaml.root.secrets(key, true).empty());
    check(yaml.lines(),
          {name + ":1:1: f: missing, expected `f_file: <file>` or `f: ${NAME}`",
           name + ":1:9: a_file: file `nowhere`: there is no such file",
           name + ":2:9: b_file: file `empty`: its first line is empty",
           name + ":3:9: c_file: file `.`: it is a folder, not a file",
           name + ":5:9: d_file: given beside `d`, expected only one of them",
           name + ":6:9: e_file: file `${ORBRIDGE_TEST_VALUE}`: there is no such file",
           name + ":7:1: g: expected text, found a list", name + ":8:4: h: has a line break or control character in it",
           name + ":9:1: i: must not be empty", name + ":10:5: j[0]: must not be empty",
           name + ":11:1: k: expected text, found a mapping"});
}

BOOST_AUTO_TEST_CASE(anchors_aliases_and_merge_keys_are_understood) {
    const Parsed yaml(
        "base: &base {a: 1, b: 2}\nplain: *base\nmerged:\n  <<: *base\n  b: 3\nboth: {<<: [*base, {c: 4}]}\n");
    BOOST_TEST(yaml.root["plain"].text("a") == "1");
    BOOST_TEST(yaml.root["merged"].text("a") == "1");
    BOOST_TEST(yaml.root["merged"].text("b") == "3");
    BOOST_TEST(yaml.root["both"].text("c") == "4");
    check(yaml.lines(), {});
    yaml.root["plain"].done();  // aliased content is asked for under each of its paths
    check(yaml.lines(), {"c.yaml:1:20: plain.b: unknown key (known: a)"});
}

BOOST_AUTO_TEST_CASE(text_that_is_no_usable_yaml_is_refused_with_its_place) {
    std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        const auto before = " *a" + std::to_string(i - 1);
        laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int j = 0; j < 9; ++j) laughs += before + ",";
        laughs += before + "]\n";
    }
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"a: [1\n", "c.yaml:2:1: not valid YAML: end of sequence flow not found"},
        {"a: b: c\n", "c.yaml:1:5: not valid YAML: illegal map value"},
        {"a: 1\n---\nb: 2\n", "c.yaml:2:1: a second document begins here, expected only one"},
        {"a: !include x\n", "c.yaml:1:4: a: YAML tags are not supported"},
        {"a: &x [*x]\n", "c.yaml:1:8: a[0]: an alias inside of what it stands for"},
        {"? [a]\n: b\n", "c.yaml:1:3: a key must be text"},
        {"a: " + std::string(40, '[') + std::string(40, ']'), "c.yaml:1:35: a" +
                                                                  [] {
                                                                      std::string deep;
                                                                      for (int i = 0; i < 31; ++i) deep += "[0]";
                                                                      return deep;
                                                                  }() +
                                                                  ": nested deeper than 32 levels"},
        {laughs, "c.yaml:5:56: a4[9]: more than 100000 values, aliases expanded"},
    };
    for (const auto& [text, expected] : cases) {
        const Parsed yaml(text);
        BOOST_TEST(!yaml.root.present());
        yaml.root.text("required");  // nothing more is said of a file that could not be read
        BOOST_TEST_CONTEXT(text) check(yaml.lines(), {expected});
    }
}

BOOST_AUTO_TEST_CASE(hostile_text_ends_in_complaints_within_its_limits) {
    for (const auto* part :
         {"[", "{", "- ", "? ", "&a ", "*", "a: ", "\"", "'", "|\n", "<<: ", "!", "%", "\t", "\x80"}) {
        std::string text;
        while (text.size() < 20'000) text += part;
        const Parsed yaml(text);
        BOOST_TEST(yaml.lines().size() < 20'000U, part);
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_is_one_complaint) {
    const test::TemporaryFolder folder;
    Complaints complaints;
    const auto big = folder.put("big.yaml", "a: " + std::string(kYamlBytesMax, 'x'));
    const auto none = (folder.path / "none.yaml").string();
    for (const auto& name : {big, none, folder.path.string()}) {
        const auto root = ConfigNode::load(name, complaints);
        BOOST_TEST(!root.present());
        root.text("required");
    }
    check(complaints.lines(), {folder.path.string() + ": it is a folder, not a file", big + ": it is larger than 1MiB",
                               none + ": there is no such file"});
}

BOOST_AUTO_TEST_CASE(complaints_are_in_the_order_of_file_line_and_column) {
    Complaints complaints;
    complaints.add("b.yaml:1:1", "x", "3");
    complaints.add("a.yaml:10:1", "x", "2");
    complaints.add("a.yaml:9:20", "x", "1");
    complaints.add("a.yaml:9:3", "", "0");
    check(complaints.lines(), {"a.yaml:9:3: 0", "a.yaml:9:20: x: 1", "a.yaml:10:1: x: 2", "b.yaml:1:1: x: 3"});
}

BOOST_AUTO_TEST_CASE(a_fingerprint_changes_with_files_and_variables) {
    const test::TemporaryFolder folder;
    folder.put("token", "one");
    ::setenv("ORBRIDGE_TEST_VALUE", "one", 1);
    const auto print = [&] {
        return Parsed("a: ${ORBRIDGE_TEST_VALUE}\nt_file: token\n", (folder.path / "c.yaml").string())
            .root.fingerprint();
    };
    const auto first = print();
    BOOST_TEST(first == print());
    folder.put("token", "two");
    const auto second = print();
    BOOST_TEST(first != second);
    ::setenv("ORBRIDGE_TEST_VALUE", "two", 1);
    BOOST_TEST(second != print());
}

BOOST_AUTO_TEST_SUITE_END()
