// What each recorded request becomes, byte for byte. After a change that is meant, run the test with
// ORBRIDGE_UPDATE_GOLDEN=1 and read the difference before committing it.
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "bridge/normalize/mapping_loader.h"
#include "bridge/normalize/preview.h"
#include "tests/support/recorded.h"

using namespace orbridge;
using namespace orbridge::testing;
namespace fs = std::filesystem;

namespace {

void check_golden(const std::string& folder, const std::string& ending, const std::string& type,
                  const std::string& golden_folder) {
    Complaints complaints;
    const std::string mappings = ORBRIDGE_ROOT "/mappings/";
    std::vector<std::string> all;
    for (const auto* name :
         {"openregister", "nextcloud", "spidamin", "github", "meta", "slack", "standard-webhooks", "http"})
        all.push_back(mappings + name + ".yaml");
    const Normalizer normalizer(load_mappings(all, complaints));
    BOOST_REQUIRE(complaints.empty());
    Names names;
    names.replace({"cloud"}, "register", {{"3", "publicaties"}});
    names.replace({"cloud"}, "schema", {{"12", "publicatie"}});
    for (const auto& file : data_files(folder, ending)) {
        const auto outcome = preview(normalizer, names, read_file(file), {{"cloud"}, type, Intake::Push, {}});
        BOOST_REQUIRE_MESSAGE(outcome, file);
        const auto made = preview_json(*outcome) + '\n';
        const auto golden = fs::path(ORBRIDGE_TEST_DATA) / "golden" / golden_folder / (file.stem().string() + ".json");
        if (std::getenv("ORBRIDGE_UPDATE_GOLDEN") != nullptr) write_file(golden, made);
        BOOST_TEST(made == read_file(golden), golden);
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(golden)

BOOST_AUTO_TEST_CASE(openregister_webhooks) {
    check_golden("openregister/captures", "Event.standard.http", "openregister", "openregister");
    check_golden("openregister/captures", "softdelete.standard.http", "openregister", "openregister");
    check_golden("openregister/captures", "intercept.http", "openregister", "openregister");
}
BOOST_AUTO_TEST_CASE(openregister_hooks) {
    check_golden("openregister/captures/hooks", ".http", "openregister", "openregister-hooks");
}
BOOST_AUTO_TEST_CASE(nextcloud) { check_golden("nextcloud/payloads", ".json", "nextcloud", "nextcloud"); }

BOOST_AUTO_TEST_CASE(spidamin_events) { check_golden("spidamin", ".json", "spidamin", "spidamin"); }

BOOST_AUTO_TEST_CASE(P9_github_events) { check_golden("github", ".http", "github", "github"); }
BOOST_AUTO_TEST_CASE(P9_meta_events) { check_golden("meta", ".http", "meta", "meta"); }
BOOST_AUTO_TEST_CASE(P9_slack_events) { check_golden("slack", ".http", "slack", "slack"); }
BOOST_AUTO_TEST_CASE(P9_standard_webhooks_events) {
    check_golden("standard-webhooks", ".http", "standard-webhooks", "standard-webhooks");
}
BOOST_AUTO_TEST_CASE(S1_polled_json) { check_golden("http", ".json", "http", "http"); }

BOOST_AUTO_TEST_SUITE_END()
