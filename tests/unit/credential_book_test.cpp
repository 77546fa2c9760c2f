#include "bridge/credentials/book.h"

#include <boost/test/unit_test.hpp>

#include "tests/support/credential_desk.h"

using namespace orbridge;
using test::holds;

namespace {

const Secret kOne(std::string(32, '\x01'));  // the desk's
const Secret kTwo(std::string(32, '\x02'));
const CredentialName kGlobal{"github", "main"};
const CredentialName kNarrow{"github", "main", "register:3"};
const Secret kValues(R"({"token":"S3CR3T-1"})");
const Secret kOther(R"({"token":"S3CR3T-2"})");

struct World : test::CredentialDesk {
    CredentialRow put(const CredentialName& which, const Secret& values) {
        return book.put(which, values, std::nullopt).value();
    }
    CredentialRow row() { return store.credentials().value().at(0); }
};

template <class T>
const Error& error_of(const Result<T>& result) {
    BOOST_REQUIRE(!result.has_value());
    return result.error();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(credential_book)

BOOST_FIXTURE_TEST_CASE(K6_what_is_given_is_kept_sealed_and_comes_back, World) {
    const auto stored = put(kGlobal, kValues);
    BOOST_TEST(!holds(row().sealed, "S3CR3T"));
    BOOST_TEST((row().key_id == vault.key_id()));
    const auto held = book.values(kGlobal).value();
    BOOST_TEST((held.id == stored.id && held.version == 1U && held.values == kValues));
    put(kGlobal, kValues);
    BOOST_TEST((row().sealed != stored.sealed && row().version == 2U && row().id == stored.id));
}

BOOST_FIXTURE_TEST_CASE(K6_a_flipped_bit_a_moved_row_and_a_wrong_key_are_errors_that_name_the_row, World) {
    const auto first = put(kGlobal, kValues);
    const auto second = put(kNarrow, kOther);
    const auto check = [&](const CredentialName& which, const std::string& id) {
        const auto opened = book.values(which);
        BOOST_REQUIRE(!opened.has_value());
        BOOST_TEST(holds(opened.error().message, "credentials " + id));
        BOOST_TEST(holds(opened.error().message, "github/main"));
        BOOST_CHECK(opened.error().kind == Error::Kind::Unavailable);
        BOOST_TEST(!holds(opened.error().message, "S3CR3T"));
    };
    auto flipped = first;
    flipped.sealed.back() = static_cast<char>(flipped.sealed.back() ^ 1);
    store.put_credential(flipped).value();
    check(kGlobal, first.id);
    BOOST_TEST((book.values(kNarrow).value().values == kOther));  // the others are well
    auto moved = second;
    moved.sealed = first.sealed;
    store.put_credential(moved).value();
    check(kNarrow, second.id);
    put(kGlobal, kValues);
    vault.set_keys({kTwo});
    check(kGlobal, first.id);
}

BOOST_FIXTURE_TEST_CASE(K7_without_a_master_key_nothing_is_stored, World) {
    vault.set_keys({});
    BOOST_TEST(holds(error_of(book.put(kGlobal, kValues, std::nullopt)).message, "orbridge keygen"));
    BOOST_TEST(store.credentials().value().empty());
}

BOOST_FIXTURE_TEST_CASE(K11_the_narrower_scope_wins_and_without_it_the_global_one_counts, World) {
    put(kGlobal, kValues);
    BOOST_TEST((book.values(kNarrow).value().values == kValues));
    BOOST_TEST(book.values(kNarrow).value().scope == "global");
    put(kNarrow, kOther);
    BOOST_TEST((book.values(kNarrow).value().values == kOther));
    BOOST_TEST((book.values({"github", "main", "register:4"}).value().values == kValues));
    BOOST_TEST((book.values(kGlobal).value().values == kValues));
}

BOOST_FIXTURE_TEST_CASE(K11_a_scope_is_global_or_exactly_one_owner, World) {
    for (const auto* good : {"global", "register:3", "workspace:main"}) BOOST_TEST(check_scope(good).has_value(), good);
    for (const auto* wrong : {"", "Global", "register:", "workspace", "tenant:1", "register:3 ", "register:3/12"}) {
        const auto put_there = book.put({"github", "main", wrong}, kValues, std::nullopt);
        BOOST_CHECK_MESSAGE(error_of(put_there).kind == Error::Kind::Invalid, wrong);
    }
    BOOST_TEST(store.credentials().value().empty());
}

BOOST_FIXTURE_TEST_CASE(K13_S13_what_waits_for_its_values_is_credentials_required_until_they_are_given, World) {
    std::vector<std::string> told;
    book.when_changed([&](const CredentialName& which) { told.push_back(which.name + '@' + which.scope); });
    BOOST_TEST(holds(error_of(book.values(kGlobal)).message, "credentials_required"));
    const auto waiting = book.want(kGlobal).value();
    BOOST_TEST(waiting.sealed.empty());
    BOOST_TEST(book.want(kGlobal).value().id == waiting.id);
    BOOST_TEST(holds(error_of(book.values(kGlobal)).message, "credentials_required"));
    BOOST_TEST(put(kGlobal, kValues).id == waiting.id);
    BOOST_TEST((book.values(kGlobal).value().values == kValues));
    BOOST_TEST((told == std::vector<std::string>{"main@global", "main@global"}));
}

BOOST_FIXTURE_TEST_CASE(K4_the_verdict_follows_what_the_other_side_answers_in_use, World) {
    put(kGlobal, kValues);
    BOOST_CHECK(row().verdict == CredentialRow::Verdict::Untested);
    const auto held = book.values(kGlobal).value();
    book.report(held, false, "HTTP 401");
    BOOST_CHECK(row().verdict == CredentialRow::Verdict::Refused);
    BOOST_TEST((row().message == "HTTP 401" && row().checked_at == clock.now()));
    const auto revision = row().revision;
    book.report(held, false, "HTTP 401");
    BOOST_TEST(row().revision == revision);  // no news
    book.report(held, true, "ok");
    BOOST_CHECK(row().verdict == CredentialRow::Verdict::Valid);
}

BOOST_FIXTURE_TEST_CASE(K4_an_answer_to_values_that_were_replaced_meanwhile_says_nothing_of_the_new_ones, World) {
    put(kGlobal, kValues);
    const auto before = book.values(kGlobal).value();
    BOOST_TEST(book.put(kGlobal, kOther, "Connected").has_value());
    book.report(before, false, "HTTP 401");
    BOOST_CHECK(row().verdict == CredentialRow::Verdict::Valid);
    BOOST_CHECK(error_of(book.renew(before, kValues)).kind == Error::Kind::Conflict);
    BOOST_TEST((book.values(kGlobal).value().values == kOther));
}

BOOST_FIXTURE_TEST_CASE(S12_renewed_values_are_saved_with_a_verdict, World) {
    put(kGlobal, kValues);
    const auto renewed = book.renew(book.values(kGlobal).value(), kOther).value();
    BOOST_TEST((renewed.version == 2U && book.values(kGlobal).value().values == kOther));
    BOOST_CHECK(row().verdict == CredentialRow::Verdict::Valid);
}

BOOST_FIXTURE_TEST_CASE(K8_rekey_seals_everything_under_the_first_key_and_then_the_old_one_can_go, World) {
    put(kGlobal, kValues);
    put(kNarrow, kOther);
    vault.set_keys({kTwo, kOne});
    put({"slack", "team"}, kOther);
    const auto done = book.rekey().value();
    BOOST_TEST((done.sealed_anew == 2 && done.current == 1 && done.unreadable.empty()));
    vault.set_keys({kTwo});
    BOOST_TEST((book.values(kGlobal).value().values == kValues && book.values(kNarrow).value().values == kOther));
    BOOST_TEST(book.rekey().value().current == 3);
    const auto rows = store.credentials().value();
    for (const auto& each : rows) BOOST_TEST(each.version == 1U);
}

BOOST_FIXTURE_TEST_CASE(K8_a_row_that_no_key_opens_is_told_and_stops_no_other, World) {
    const auto lost = put(kGlobal, kValues);
    vault.set_keys({kTwo});
    put(kNarrow, kOther);
    const auto done = book.rekey().value();
    BOOST_TEST((done.sealed_anew == 0 && done.current == 1));
    BOOST_REQUIRE(done.unreadable.size() == 1U);
    BOOST_TEST(holds(done.unreadable[0], lost.id));
    vault.set_keys({});
    BOOST_CHECK(error_of(book.rekey()).kind == Error::Kind::Unavailable);
}

BOOST_FIXTURE_TEST_CASE(K9_nothing_that_is_logged_holds_a_secret, World) {
    put(kGlobal, kValues);
    book.report(book.values(kGlobal).value(), false, "HTTP 401");
    book.report(book.values(kGlobal).value(), true, "ok");
    BOOST_TEST(!lines.empty());
    for (const auto& line : lines) BOOST_TEST(!holds(line, "S3CR3T"));
}

BOOST_AUTO_TEST_SUITE_END()
