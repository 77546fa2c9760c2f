// Row P2, and every other mistake in a source of type push that can be told before it costs an event.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <set>

#include "bridge/plan.h"
#include "bridge/settings/settings.h"
#include "bridge/verify/push_schemes.h"
#include "tests/support/recorded.h"

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

const std::string kMappings = "mappings: [" ORBRIDGE_ROOT "/mappings/github.yaml, " ORBRIDGE_ROOT
                              "/mappings/meta.yaml, " ORBRIDGE_ROOT "/mappings/slack.yaml, " ORBRIDGE_ROOT
                              "/mappings/openregister.yaml, " ORBRIDGE_ROOT "/mappings/standard-webhooks.yaml]\n";

struct Read {
    Complaints complaints;
    Settings settings;
    /// `source`: the keys of one source of type push.
    explicit Read(const std::string& source) {
        const auto text = kMappings + "sources:\n  s: {type: push, " + source + "}\n";
        settings = read_settings(ConfigNode::parse(text, "c.yaml", complaints), complaints);
        make_plan(settings, {}, complaints);
    }
    const SourceSettings& source() const { return settings.sources.front(); }
    std::string complaint() const { return complaints.lines().empty() ? "" : complaints.lines().front(); }
};

void refused(const std::string& source, const std::string& where, const std::string& what) {
    const Read read(source);
    BOOST_TEST(read.complaints.lines().size() == 1u, source);
    BOOST_TEST(read.complaint().find("c.yaml:3:") == 0u, read.complaint());
    BOOST_TEST(read.complaint().find("sources.s." + where + ": ") != std::string::npos, read.complaint());
    BOOST_TEST(read.complaint().find(what) != std::string::npos, read.complaint());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(push_settings)

BOOST_AUTO_TEST_CASE(P2_a_source_without_verify_is_refused_at_start_and_none_must_be_written) {
    refused("secret: x", "verify", "missing");
    refused("verify: , secret: x", "verify", "missing");
    refused("verify: sha1, secret: x", "verify", "expected one of: openregister, github, meta");
    refused("verify: github", "secret", "missing");
    refused("verify: standard-webhooks, mapping: github", "secret", "public_key");
    refused("verify: none, secret: x, mapping: github", "verify", "`none` does not go with a secret");
    BOOST_TEST(Read("verify: none, mapping: github").complaint() == "");
}

BOOST_AUTO_TEST_CASE(P1_every_scheme_can_be_configured) {
    for (const auto* source :
         {"verify: openregister, secret: x", "verify: github, secret: [x, y]",
          "verify: meta, secret: x, verify_token: t",
          "verify: standard-webhooks, secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
          "verify: standard-webhooks, public_key: whpk_ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ=, mapping: record",
          "verify: slack, secret: x, tolerance: 1m", "verify: bearer, secret: x, mapping: record",
          "verify: hmac, secret: x, mapping: record, signature: {header: X-Sig}"})
        BOOST_TEST(Read(source).complaint() == "", source);
}

BOOST_AUTO_TEST_CASE(defaults_are_those_of_the_documents) {
    const Read read("verify: slack, secret: x");
    const auto& push = read.source().push;
    BOOST_TEST((push.proof.tolerance == 300s));
    BOOST_TEST((read.source().limit == RateLimit{6000, 1min}));
    BOOST_TEST(push.enabled);
    BOOST_TEST(read.source().mapping == "slack");
    BOOST_TEST((read.source().intakes_wanted == std::vector<std::string>{"off"}));
    const Read other("verify: github, secret: x, limit: 1000/1h, enabled: false, mapping: meta");
    BOOST_TEST((other.source().limit == RateLimit{1000, 1h}));
    BOOST_TEST(!other.source().push.enabled);
    BOOST_TEST(other.source().mapping == "meta");
}

BOOST_AUTO_TEST_CASE(keys_that_do_not_fit_the_scheme_are_mistakes) {
    refused("verify: github, secret: x, tolerance: 1m", "tolerance", "does not fit `verify: github`");
    refused("verify: slack, secret: x, verify_token: t", "verify_token", "does not fit");
    refused("verify: slack, secret: x, public_key: t", "public_key", "does not fit");
    refused("verify: slack, secret: x, signature: {header: X}", "signature", "does not fit");
    refused("verify: slack, secret: x, tolerance: 2h", "tolerance", "1h");
    refused("verify: slack, secret: x, url: http://x", "url", "unknown");
}

BOOST_AUTO_TEST_CASE(P12_every_kind_of_source_can_have_a_limit) {
    for (const auto* keys :
         {"type: openregister, secret: x, register: off", "type: nextcloud, secret: x, register: off",
          "type: record, token: x", "type: push, verify: github, secret: x"}) {
        Complaints complaints;
        const auto with = [&](const std::string& limit) {
            const auto text = kMappings + "sources: {s: {" + keys + limit + "}}\n";
            const auto settings = read_settings(ConfigNode::parse(text, "c.yaml", complaints), complaints);
            return make_plan(settings, {}, complaints)->ingest.sources.at("s").limit;
        };
        BOOST_TEST((with(", limit: 7/1h") == RateLimit{7, 1h}), keys);
        const bool push = std::string(keys).find("push") != std::string::npos;
        BOOST_TEST((with("") == (push ? RateLimit{6000, 1min} : RateLimit{})), keys);
        BOOST_TEST(complaints.empty(), keys);
    }
}

BOOST_AUTO_TEST_CASE(P4_a_request_is_remembered_for_as_long_as_it_is_fresh) {
    Complaints complaints;
    read_settings(ConfigNode::parse(kMappings + "store: {path: x, retention: {finished: 1h}}\nsources:\n"
                                                "  a: {type: push, verify: slack, secret: x, tolerance: 30m}\n"
                                                "  b: {type: push, verify: slack, secret: x, tolerance: 31m}\n",
                                    "c.yaml", complaints),
                  complaints);
    BOOST_REQUIRE(complaints.lines().size() == 1u);
    BOOST_TEST(complaints.lines().front().find("sources.b.tolerance: twice this is longer") != std::string::npos,
               complaints.lines().front());
}

BOOST_AUTO_TEST_CASE(a_source_must_say_who_reads_it_and_that_mapping_must_be_there) {
    refused("verify: bearer, secret: x", "mapping", "missing");
    refused("verify: bearer, secret: x, mapping: githup", "mapping", "did you mean `github`?");
}

BOOST_AUTO_TEST_CASE(a_form_of_signature_must_make_sense) {
    const auto form = [](const std::string& keys) {
        return "verify: hmac, secret: x, mapping: record, signature: {" + keys + "}";
    };
    refused("verify: hmac, secret: x, mapping: record", "signature", "missing");
    refused(form("prefix: x"), "signature.header", "missing");
    refused(form("header: 'X Sig'"), "signature.header", "not the name of a header");
    refused(form("header: X, encoding: hex64"), "signature.encoding", "hex, base64");
    refused(form("header: X, content: '{timestamp}.{body}'"), "signature.timestamp_header", "missing");
    refused(form("header: X, content: '{id}{body}'"), "signature.id_header", "missing");
    refused(form("header: X, content: '{timestamp}', timestamp_header: T"), "signature.content", "no {body}");
    refused(form("header: X, content: '{body}', timestamp_header: T"), "signature.content",
            "does not sign the {timestamp}");
    refused(form("header: X, content: '{nonce}{body}'"), "signature.content", "brace");
    const Read timed(form("header: X, timestamp_header: T") + ", tolerance: 30s");
    BOOST_TEST(timed.complaint() == "");
    BOOST_TEST(timed.source().push.proof.signature.content == "{timestamp}.{body}");
    refused(form("header: X") + ", tolerance: 30s", "tolerance", "timestamp_header");
}

BOOST_AUTO_TEST_CASE(keys_of_a_wrong_form_are_told_at_start) {
    refused("verify: standard-webhooks, secret: whsec_x!, mapping: record", "verify", "whsec_");
    refused("verify: standard-webhooks, public_key: whpk_AAAA, mapping: record", "verify", "public_key");
}

/// What stands between "```yaml sources" and "```".
std::vector<std::string> sources_in(const std::string& document) {
    const std::string fence = "\n```";
    const std::string begin = fence + "yaml sources\n";
    std::vector<std::string> blocks;
    for (auto at = document.find(begin); at != std::string::npos; at = document.find(begin, at + 1)) {
        const auto first = at + begin.size() - 1;
        blocks.push_back(document.substr(first, document.find(fence, first) - first));
    }
    return blocks;
}

BOOST_AUTO_TEST_CASE(the_examples_of_the_document_load) {
    for (const auto* name : {"GITHUB_SECRET", "META_APP_SECRET", "META_VERIFY_TOKEN", "SLACK_SIGNING_SECRET",
                             "PARTNER_SECRET", "PARTNER_TOKEN", "INGEST_SECRET"})
        ::setenv(name, "x", 1);
    ::setenv("SHOP_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1);
    const auto blocks = sources_in(testing::read_file(ORBRIDGE_ROOT "/docs/push-sources.md"));
    BOOST_TEST(blocks.size() == 8u);
    std::set<std::string> shown;
    for (const auto& block : blocks) {
        Complaints complaints;
        const auto text = kMappings + "sources:" + block + "\n";
        const auto settings = read_settings(ConfigNode::parse(text, "docs/push-sources.md", complaints), complaints);
        if (complaints.empty()) make_plan(settings, {}, complaints);
        for (const auto& line : complaints.lines()) BOOST_ERROR(line << block);
        for (const auto& source : settings.sources) shown.insert(source.push.proof.scheme);
    }
    BOOST_TEST(shown.size() == push_schemes().size());
}

BOOST_AUTO_TEST_CASE(a_reload_tells_what_changed_and_no_secret) {
    const Read before("verify: slack, secret: before-secret, limit: 10/1s");
    const Read after("verify: slack, secret: after-secret, limit: 20/1s, enabled: false");
    const auto lines = differences(before.settings, after.settings);
    const std::vector<std::string> expected = {"sources.s.enabled: true → false", "sources.s.limit: 10/1s → 20/1s",
                                               "sources.s.secret: changed"};
    BOOST_CHECK_EQUAL_COLLECTIONS(lines.begin(), lines.end(), expected.begin(), expected.end());
}

BOOST_AUTO_TEST_SUITE_END()
