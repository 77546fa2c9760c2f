#include "bridge/credentials/sealed_text.h"

#include <boost/test/unit_test.hpp>

using namespace orbridge;

namespace {

const Secret kOne(std::string(32, '\x01'));
const Secret kTwo(std::string(32, '\x02'));
const SealedFor kRow{"subscriptions", "billing/1", {"openregister", "https://a.example", "secret"}};
const SealedFor kOther{"subscriptions", "billing/2", {"openregister", "https://a.example", "secret"}};

struct Kept {
    SeededRandom random{3};
    Vault vault{{kOne}, random};
    Secret sealed = seal_text(vault, kRow, Secret("S3CR3T"));
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sealed_text)

BOOST_FIXTURE_TEST_CASE(K6_a_text_is_sealed_once_and_opens_for_its_row, Kept) {
    BOOST_TEST(is_sealed_text(sealed));
    BOOST_TEST(sealed.reveal().find("S3CR3T") == std::string::npos);
    BOOST_TEST((seal_text(vault, kRow, sealed) == sealed));
    BOOST_TEST((open_text(vault, kRow, sealed) == Secret("S3CR3T")));
    BOOST_TEST((open_text(vault, kOther, sealed) == sealed));
}

BOOST_FIXTURE_TEST_CASE(K8_what_is_plain_or_under_an_older_key_is_not_current, Kept) {
    BOOST_TEST(is_current_text(vault, kRow, sealed));
    BOOST_TEST(is_current_text(vault, kRow, Secret()));
    BOOST_TEST(!is_current_text(vault, kRow, Secret("S3CR3T")));
    BOOST_TEST(!is_current_text(vault, kRow, Secret("sealed:by nobody")));
    vault.set_keys({kTwo, kOne});
    BOOST_TEST(!is_current_text(vault, kRow, sealed));
    vault.set_keys({kTwo});
    BOOST_TEST(is_current_text(vault, kRow, sealed));  // nothing can be done about it
}

BOOST_FIXTURE_TEST_CASE(K7_without_a_key_texts_stay_as_they_are, Kept) {
    vault.set_keys({});
    BOOST_TEST((seal_text(vault, kRow, Secret("S3CR3T")) == Secret("S3CR3T")));
    BOOST_TEST((open_text(vault, kRow, sealed) == sealed));
    BOOST_TEST(is_current_text(vault, kRow, Secret("S3CR3T")));
}

BOOST_AUTO_TEST_SUITE_END()
