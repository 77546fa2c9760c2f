#include <boost/test/unit_test.hpp>
#include <map>
#include <random>

#include "adapters/openregister/history.h"

using namespace orbridge;
using namespace orbridge::openregister;

namespace {

JsonPtr parsed(const std::string& text) {
    auto document = JsonDocument::parse(text);
    BOOST_REQUIRE_MESSAGE(document.has_value(), text);
    return *document;
}

ObjectState state_of(const std::string& text) { return ObjectState(parsed(text)->root()); }

using Values = std::map<std::string, std::string>;  ///< property → JSON text

std::string text_of_values(const Values& values) {
    JsonWriter json;
    json.object();
    for (const auto& [key, value] : values) json.member_raw(key, value);
    json.end();
    return json.text();
}

std::string changed(const Values& before, const Values& after) {
    JsonWriter json;
    json.object();
    for (const auto& [key, value] : after) {
        const auto old = before.find(key);
        const std::string old_text = old == before.end() ? "null" : old->second;
        if (old_text != "null" && old_text == value) continue;
        json.key(key).object().member_raw("old", old_text).member_raw("new", value).end();
    }
    json.end();
    return json.text();
}

/// An object's life, with some of its changes kept from the log.
struct Life {
    std::vector<Values> states;  ///< after each change
    std::vector<bool> logged;    ///< a silent change leaves no row
    std::vector<JsonPtr> documents;
    std::vector<LoggedChange> rows;
    std::vector<std::size_t> row_state;  ///< index into states of each row
};

Life live(std::mt19937& random, double silent) {
    Life life;
    Values state;
    const auto count = 2 + random() % 8;
    for (std::size_t i = 0; i < count; ++i) {
        const auto before = state;
        if (i == 0) {
            state = {{"a", "1"}, {"b", "\"x\""}, {"c", "null"}};
        } else {
            state[std::string(1, static_cast<char>('a' + random() % 4))] = std::to_string(random() % 3);
        }
        state["@self"] = "{\"id\":\"u\",\"updated\":\"" + std::to_string(i) + "\",\"deleted\":[]}";
        life.states.push_back(state);
        const bool quiet = i > 0 && std::uniform_real_distribution<>(0, 1)(random) < silent;
        if (quiet) continue;
        life.documents.push_back(parsed(changed(before, state)));
        life.rows.push_back({.kind = i == 0 ? ChangeKind::Create : ChangeKind::Update,
                             .changed = life.documents.back()->root(),
                             .deleted_mark = {}});
        life.row_state.push_back(i);
    }
    return life;
}

std::string canonical(const ObjectState& state) { return canonical_json(parsed(state.text())->root()); }
std::string canonical(const Values& values) { return canonical_json(parsed(text_of_values(values))->root()); }

}  // namespace

BOOST_AUTO_TEST_SUITE(history)

BOOST_AUTO_TEST_CASE(a_whole_log_tells_every_state) {
    for (unsigned seed = 1; seed <= 500; ++seed) {
        std::mt19937 random(seed);
        const auto life = live(random, 0);
        const auto states = states_after(life.rows, std::nullopt, std::nullopt);
        for (std::size_t i = 0; i < states.size(); ++i) {
            BOOST_REQUIRE_MESSAGE(states[i].has_value(), "seed " << seed << ", change " << i);
            BOOST_TEST(canonical(*states[i]) == canonical(life.states[i]), "seed " << seed << ", change " << i);
        }
    }
}

BOOST_AUTO_TEST_CASE(without_its_beginning_the_log_is_read_back_from_the_present) {
    for (unsigned seed = 1; seed <= 500; ++seed) {
        std::mt19937 random(seed);
        auto life = live(random, 0);
        const std::vector<LoggedChange> rows(life.rows.begin() + 1, life.rows.end());
        const auto states = states_after(rows, std::nullopt, state_of(text_of_values(life.states.back())));
        for (std::size_t i = 0; i < states.size(); ++i) {
            BOOST_REQUIRE_MESSAGE(states[i].has_value(), "seed " << seed << ", change " << i);
            BOOST_TEST(canonical(*states[i]) == canonical(life.states[i + 1]), "seed " << seed << ", change " << i);
        }
    }
}

BOOST_AUTO_TEST_CASE(silent_changes_never_give_a_state_that_the_row_contradicts) {
    int untold = 0;
    for (unsigned seed = 1; seed <= 1'000; ++seed) {
        std::mt19937 random(seed);
        const auto life = live(random, 0.4);
        const auto states = states_after(life.rows, std::nullopt, state_of(text_of_values(life.states.back())));
        for (std::size_t i = 0; i < states.size(); ++i) {
            if (!states[i]) {
                ++untold;
                continue;
            }
            const auto& truth = life.states[life.row_state[i]];
            for (const auto& member : life.rows[i].changed.members()) {
                const auto* value = states[i]->find(member.raw_key);
                BOOST_REQUIRE(value != nullptr);
                const auto known = truth.find(member.key);
                BOOST_TEST(*value == (known == truth.end() ? "null" : known->second), "seed " << seed);
            }
        }
    }
    BOOST_TEST(untold > 0);
}

BOOST_AUTO_TEST_CASE(a_known_state_that_moved_on_is_not_believed) {
    const auto row = parsed(R"({"titel":{"old":"b","new":"c"},"@self":{"old":{"updated":"2"},"new":{"updated":"3"}}})");
    const std::vector<LoggedChange> rows = {{ChangeKind::Update, row->root(), ""}};
    const auto stale = state_of(R"({"titel":"a","@self":{"updated":"1"}})");
    BOOST_TEST(!states_after(rows, stale, std::nullopt)[0].has_value());
    const auto right = state_of(R"({"titel":"b","@self":{"updated":"2","relevance":5}})");
    BOOST_TEST(states_after(rows, right, std::nullopt)[0]->text() == R"({"titel":"c","@self":{"updated":"3"}})");
}

BOOST_AUTO_TEST_CASE(a_state_that_a_push_told_already_is_where_the_others_follow_from) {
    std::vector<JsonPtr> documents;
    std::vector<LoggedChange> rows;
    for (int i = 1; i <= 3; ++i) {
        const auto n = std::to_string(i), o = std::to_string(i - 1);
        documents.push_back(parsed(R"({"@self":{"old":{"updated":")" + o + R"("},"new":{"updated":")" + n + R"("}}})"));
        rows.push_back({ChangeKind::Update, documents.back()->root(), ""});
    }
    const auto states = states_after(rows, state_of(R"({"titel":"a","@self":{"updated":"2"}})"), std::nullopt);
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_REQUIRE(states[i].has_value());
        BOOST_TEST(updated_of(*states[i]) == std::to_string(i + 1));
    }
}

BOOST_AUTO_TEST_CASE(a_delete_marks_what_was_known) {
    const auto before = state_of(R"({"titel":"a","@self":{"id":"u","deleted":[],"source":null},"id":"u"})");
    const std::vector<LoggedChange> rows = {{ChangeKind::Delete, Json(), R"({"deletedBy":"ada"})"}};
    const auto states = states_after(rows, before, std::nullopt);
    BOOST_TEST(states[0]->text() ==
               R"({"titel":"a","@self":{"id":"u","deleted":{"deletedBy":"ada"},"source":null},"id":"u"})");
    BOOST_TEST(!states_after(rows, std::nullopt, before)[0].has_value());
}

BOOST_AUTO_TEST_CASE(a_row_that_does_not_say_what_changed_takes_the_present_only_if_it_is_the_last) {
    const auto now = state_of(R"({"titel":"a"})");
    const std::vector<LoggedChange> rows = {{ChangeKind::Touch, Json(), ""}, {ChangeKind::Touch, Json(), ""}};
    const auto states = states_after(rows, std::nullopt, now);
    BOOST_TEST(!states[0].has_value());
    BOOST_TEST(states[1].has_value());
}

BOOST_AUTO_TEST_CASE(bytes_become_those_of_a_webhook) {
    BOOST_TEST(as_webhooks_write(R"({"a":"\u003Cb\u003E \\u003C \\\u003C \u00e9 \/"})") ==
               R"({"a":"<b> \\u003C \\< \u00e9 \/"})");
}

BOOST_AUTO_TEST_SUITE_END()
