#include "adapters/subscriber/guarded_set.h"

#include <re2/re2.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <random>
#include <string>
#include <vector>

using namespace orbridge;

namespace {

using Slots = std::vector<PatternSlot>;

Slots found_by(const GuardedSet& set, const std::string& name) {
    Slots found;
    set.match(name, found);
    std::sort(found.begin(), found.end());
    return found;
}

Slots found_one_by_one(const std::vector<PatternSet::Entry>& entries, const std::string& name) {
    Slots found;
    for (const auto& entry : entries)
        if (re2::RE2::FullMatch(name, entry.pattern)) found.push_back(entry.slot);
    return found;
}

/// Patterns of pieces that need a text, need none, fold case, or leave ASCII.
class Maker {
public:
    explicit Maker(unsigned seed) : random_(seed) {}

    std::vector<PatternSet::Entry> entries(int count) {
        std::vector<PatternSet::Entry> all;
        all.reserve(static_cast<std::size_t>(count));
        for (int i = 0; i < count; ++i)
            all.push_back({static_cast<PatternSlot>(i + 1),
                           piece(kPatterns) + piece(kPatterns) + (below(2) == 0 ? piece(kPatterns) : "")});
        return all;
    }
    std::string name() {
        std::string made;
        for (int i = below(6); i >= 0; --i) made += piece(kNames);
        return made;
    }

private:
    using Pieces = std::vector<std::string>;
    int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }
    std::string piece(const Pieces& pieces) { return pieces[random_() % pieces.size()]; }

    static inline const Pieces kPatterns = {".*",      "created",  ":",      "(a|b)+", "[a-z]{2}", "sent",  "(?i:Kilo)",
                                            "\\d+",    "É",        "(?i:é)", "K",      "(x|yy)?",  "[^:]*", "12",
                                            "UPDATED", "(.*e){2}", "a{2,}",  "\\.",    "(|zz)"};
    static inline const Pieces kNames = {"created", ":", "a", "bb", "sent", "KILO", "kilo",    "\u212Ailo", "12", "3",
                                         "É",       "é", "K", "k",  "x",    "yy",   "UPDATED", ".",         "zz", "e"};
    std::mt19937 random_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(guarded_set)

BOOST_AUTO_TEST_CASE(finds_exactly_what_each_pattern_alone_would_match) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        Maker maker(seed);
        const auto entries = maker.entries(seed % 2 == 0 ? 200 : 20);
        const GuardedSet set(entries);
        for (int i = 0; i < 100; ++i) {
            const auto name = maker.name();
            BOOST_REQUIRE_MESSAGE(found_by(set, name) == found_one_by_one(entries, name), seed << ": " << name);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_letter_whose_lower_case_is_ascii_is_found_too) {
    const GuardedSet set({{1, "(?i:kilo)"}, {2, "kilo"}, {3, "mega"}});
    BOOST_TEST(found_by(set, "\u212Ailo") == Slots{1}, boost::test_tools::per_element());
    BOOST_TEST(found_by(set, "KILO") == Slots{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(more_candidates_than_are_searched_alone_are_found_together) {
    std::vector<PatternSet::Entry> entries;
    for (PatternSlot slot = 1; slot <= 500; ++slot)
        entries.push_back({slot, "created:.*" + std::string(slot % 3, 'x')});
    const GuardedSet set(entries);
    BOOST_TEST(found_by(set, "created:axx").size() == 500u);
    BOOST_TEST(found_by(set, "created:a").size() == 166u);
    BOOST_TEST(found_by(set, "updated:a").empty());
}

BOOST_AUTO_TEST_CASE(an_empty_set_finds_nothing) { BOOST_TEST(found_by(GuardedSet({}), "x").empty()); }

BOOST_AUTO_TEST_SUITE_END()
