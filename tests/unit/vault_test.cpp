#include "bridge/credentials/vault.h"

#include <boost/test/unit_test.hpp>

#include "bridge/core/text.h"

using namespace orbridge;

namespace {

const Secret kOne(std::string(32, '\x01'));
const Secret kTwo(std::string(32, '\x02'));
const SealedFor kRow{"credentials", "0190-a", {"github", "global"}};
constexpr const char* kPlain = R"({"token":"S3CR3T-planted"})";

struct Kept {
    SeededRandom random{7};
    Vault vault{{kOne}, random};
    std::string sealed = vault.seal(kRow, kPlain).value();
};

}  // namespace

BOOST_AUTO_TEST_SUITE(vault)

// RFC 5869, appendix A.3: no salt, no info.
BOOST_AUTO_TEST_CASE(keys_are_derived_as_rfc_5869_has_it) {
    BOOST_TEST(to_hex(derive_key(std::string(22, '\x0b'), "")) ==
               "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

BOOST_AUTO_TEST_CASE(K6_what_is_sealed_opens_again_and_has_version_nonce_tag_and_text) {
    const Kept kept;
    BOOST_TEST(kept.vault.open(kRow, kept.sealed).value().reveal() == kPlain);
    BOOST_TEST(kept.sealed.size() == 1 + 12 + 16 + std::string(kPlain).size());
    BOOST_TEST(kept.sealed.front() == 1);
    BOOST_TEST(kept.sealed.find("S3CR3T") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(K6_the_same_secret_sealed_twice_gives_different_texts) {
    const Kept kept;
    const auto again = kept.vault.seal(kRow, kPlain).value();
    BOOST_TEST(again != kept.sealed);
    BOOST_TEST(again.substr(1, 12) != kept.sealed.substr(1, 12));
}

BOOST_AUTO_TEST_CASE(K6_a_flipped_bit_anywhere_is_noticed_and_the_error_names_the_row_and_no_secret) {
    const Kept kept;
    for (std::size_t i = 0; i < kept.sealed.size(); ++i) {
        auto changed = kept.sealed;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        const auto opened = kept.vault.open(kRow, changed);
        BOOST_REQUIRE(!opened.has_value());
        BOOST_TEST(opened.error().message.find("credentials 0190-a") != std::string::npos);
        BOOST_TEST(opened.error().message.find("S3CR3T") == std::string::npos);
    }
    for (std::size_t length = 0; length < kept.sealed.size(); ++length)
        BOOST_TEST(!kept.vault.open(kRow, kept.sealed.substr(0, length)).has_value());
}

BOOST_AUTO_TEST_CASE(K6_a_text_that_was_moved_to_another_row_does_not_open) {
    const Kept kept;
    const std::vector<SealedFor> others = {
        {"credentials", "0190-b", {"github", "global"}}, {"subscriptions", "0190-a", {"github", "global"}},
        {"credentials", "0190-a", {"slack", "global"}},  {"credentials", "0190-a", {"github", "register:3"}},
        {"credentials", "0190-a", {"githubglobal"}},     {"credentials", "0190-a", {}}};
    for (const auto& other : others) BOOST_TEST(!kept.vault.open(other, kept.sealed).has_value());
}

BOOST_AUTO_TEST_CASE(K6_another_master_key_does_not_open) {
    Kept kept;
    kept.vault.set_keys({kTwo});
    BOOST_CHECK(kept.vault.open(kRow, kept.sealed).error().kind == Error::Kind::Invalid);
}

BOOST_AUTO_TEST_CASE(K7_without_a_master_key_nothing_is_kept_and_the_reason_is_told) {
    SeededRandom random{1};
    const Vault off({}, random);
    BOOST_TEST(!off.on());
    BOOST_TEST(off.key_id().empty());
    BOOST_TEST(off.seal(kRow, kPlain).error().message.find("orbridge keygen") != std::string::npos);
    BOOST_CHECK(off.open(kRow, "x").error().kind == Error::Kind::Unavailable);
}

BOOST_AUTO_TEST_CASE(K8_the_first_key_seals_and_all_of_them_open) {
    Kept kept;
    kept.vault.set_keys({kTwo, kOne});
    BOOST_TEST(kept.vault.open(kRow, kept.sealed).value().reveal() == kPlain);
    BOOST_TEST(!kept.vault.is_current(kRow, kept.sealed));
    const auto fresh = kept.vault.seal(kRow, kPlain).value();
    BOOST_TEST(kept.vault.is_current(kRow, fresh));
    kept.vault.set_keys({kTwo});
    BOOST_TEST(kept.vault.open(kRow, fresh).has_value());
    BOOST_TEST(!kept.vault.open(kRow, kept.sealed).has_value());
}

BOOST_AUTO_TEST_CASE(keys_are_told_apart_by_ids_that_do_not_tell_them) {
    SeededRandom random{1};
    const Vault both({kTwo, kOne}, random);
    BOOST_REQUIRE(both.key_ids().size() == 2U);
    BOOST_TEST(both.key_id() == both.key_ids()[0]);
    BOOST_TEST(both.key_ids()[0] != both.key_ids()[1]);
    BOOST_TEST(to_hex(kTwo.reveal()).find(both.key_id()) == std::string::npos);
}

BOOST_AUTO_TEST_CASE(hexadecimal_and_base64_are_read_strictly) {
    BOOST_TEST(from_hex("00fF").value() == std::string("\0\xff", 2));
    for (const auto* wrong : {"0", "0g", "-1", "+1", " 1", "0x"}) BOOST_TEST(!from_hex(wrong).has_value(), wrong);
    BOOST_TEST(from_base64("").value().empty());
    BOOST_TEST(from_base64("AP8=").value() == std::string("\0\xff", 2));
    for (const auto* wrong : {"AP8", "AP9=", "A=8=", " AP8=", "AP8=\n", "AP_8", "===="})
        BOOST_TEST(!from_base64(wrong).has_value(), wrong);
}

BOOST_AUTO_TEST_SUITE_END()
