#include "bridge/deliver/outbound_policy.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

using namespace orbridge;

namespace {

OutboundPolicy policy(const std::vector<std::string>& allow = {}) {
    auto made = OutboundPolicy::make(allow);
    BOOST_TEST_REQUIRE(made.has_value());
    return *made;
}

Result<std::vector<IpAddress>> nowhere(const std::string&) { return Error{Error::Kind::Unavailable, "no name server"}; }

Resolve resolving_to(const std::vector<std::string>& addresses) {
    return [addresses](const std::string&) -> Result<std::vector<IpAddress>> {
        std::vector<IpAddress> parsed;
        for (const auto& address : addresses) parsed.push_back(parse_ip(address).value());
        return parsed;
    };
}

std::string refusal(const Status& status) { return status ? std::string() : status.error().message; }

void check_refused(const OutboundPolicy& by, const std::string& url, const std::string& why) {
    const auto message = refusal(by.judge(url, &nowhere));
    BOOST_TEST(message.find(why) != std::string::npos, url << ": '" << message << "' does not say '" << why << "'");
    BOOST_TEST(!message.empty(), url << " was let through");
}

struct Row {
    const char* url;
    const char* why;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(outbound_policy)

BOOST_AUTO_TEST_CASE(r13_ordinary_urls_are_fine) {
    for (const auto* url :
         {"http://example.org", "https://example.org/cb?x=1&y=%20#f", "HTTP://Example.ORG:8080/a/b;c=d", "http://a",
          "http://8.8.8.8/", "http://[2606:4700::1111]:99/x", "https://my_host.example.org./x", "http://1and1.de/",
          "http://xn--bcher-kva.example/", "http://example.org?q", "http://h/$-_.+!*'(),:@"})
        BOOST_TEST(refusal(policy().judge(url, &nowhere)).empty(), url);
}

BOOST_AUTO_TEST_CASE(r13_what_has_two_readings_is_no_url) {
    const auto rule = policy({"0.0.0.0/0", "::/0"});
    const std::vector<Row> rows = {
        {"", "absolute"},
        {"/callback", "absolute"},
        {"ftp://example.org/", "absolute"},
        {"file:///etc/passwd", "absolute"},
        {"http:/example.org", "absolute"},
        {"http:example.org", "absolute"},
        {"gopher://127.0.0.1:25/", "absolute"},
        {"http://", "no host"},
        {"http:///path", "no host"},
        {"http://:80/", "no host"},
        {"http://user@example.org/", "user info"},
        {"http://user:pw@example.org/", "user info"},
        {"http://example.org@127.0.0.1/", "user info"},
        {"http://example.org\\@127.0.0.1/", "percent-encode"},
        {"http://example.org/a b", "percent-encode"},
        {"http://example.org/\r\nX: y", "percent-encode"},
        {"http://example.org/\t", "percent-encode"},
        {" http://example.org/", "percent-encode"},
        {"http://b\xc3\xbc"
         "cher.example/",
         "percent-encode"},
        {"http://example.org/%zz", "percent-encode"},
        {"http://example.org/%4", "percent-encode"},
        {"http://%31%32%37.0.0.1/", "host name"},
        {"http://exa..mple.org/", "host name"},
        {"http://example.org../", "host name"},
        {"http://-a.example/", "host name"},
        {"http://a-.example/", "host name"},
        {"http://a,b/", "host name"},
        {"http://2130706433/", "four decimal"},
        {"http://0x7f000001/", "four decimal"},
        {"http://0x7f.1/", "four decimal"},
        {"http://0177.0.0.1/", "four decimal"},
        {"http://127.1/", "four decimal"},
        {"http://127.0.0.01/", "four decimal"},
        {"http://127.0.0.0x1/", "four decimal"},
        {"http://256.0.0.1/", "four decimal"},
        {"http://1.2.3.4.5/", "four decimal"},
        {"http://017700000001/", "four decimal"},
        {"http://127.0.0.1.2147483647/", "four decimal"},
        {"http://[::1/", "IPv6"},
        {"http://[fe80::1%25eth0]/", "zone"},
        {"http://[v1.x]/", "IPv6"},
        {"http://[127.0.0.1]x/", "IPv6"},
        {"http://[]/", "IPv6"},
        {"http://example.org:0/", "port"},
        {"http://example.org:65536/", "port"},
        {"http://example.org:/", "port"},
        {"http://example.org:80:80/", "port"},
        {"http://example.org:+80/", "port"},
        {"http://::1/", "port"},
    };
    for (const auto& row : rows) check_refused(rule, row.url, row.why);
    check_refused(rule, "http://example.org/" + std::string(2048, 'a'), "2048");
    check_refused(rule, "http://" + std::string(64, 'a') + ".org/", "host name");
    check_refused(rule, std::string("http://example.org/\0x", 21), "percent-encode");
}

BOOST_AUTO_TEST_CASE(r13_addresses_that_are_not_public_are_refused_in_every_spelling) {
    const std::vector<Row> rows = {
        {"http://127.0.0.1/", "loopback"},
        {"http://127.0.0.1./", "loopback"},
        {"http://127.255.255.254/", "loopback"},
        {"http://0.0.0.0/", "unspecified"},
        {"http://10.1.2.3/", "private"},
        {"http://172.16.0.1/", "private"},
        {"http://172.31.255.255/", "private"},
        {"http://192.168.1.1/", "private"},
        {"http://100.64.0.1/", "carrier-grade"},
        {"http://100.100.100.200/", "carrier-grade"},
        {"http://169.254.169.254/latest/meta-data/", "link-local"},
        {"http://168.63.129.16/", "metadata"},
        {"http://192.0.0.192/", "reserved"},
        {"http://192.0.2.1/", "documentation"},
        {"http://198.18.0.1/", "benchmarks"},
        {"http://224.0.0.1/", "multicast"},
        {"http://240.0.0.1/", "reserved"},
        {"http://255.255.255.255/", "reserved"},
        {"http://[::]/", "unspecified"},
        {"http://[::1]/", "loopback"},
        {"http://[0:0:0:0:0:0:0:1]/", "loopback"},
        {"http://[::ffff:127.0.0.1]/", "loopback"},
        {"http://[::ffff:7f00:1]/", "loopback"},
        {"http://[::127.0.0.1]/", "IPv4-compatible"},
        {"http://[64:ff9b::169.254.169.254]/", "link-local"},
        {"http://[64:ff9b:1::1]/", "reserved"},
        {"http://[2002:7f00:1::]/", "6to4"},
        {"http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/", "Teredo"},
        {"http://[2001:db8::1]/", "documentation"},
        {"http://[fc00::1]/", "private"},
        {"http://[fd00:ec2::254]/", "private"},
        {"http://[fe80::1]/", "link-local"},
        {"http://[fec0::1]/", "site-local"},
        {"http://[ff02::1]/", "multicast"},
        {"http://[4000::1]/", "reserved"},
    };
    for (const auto& row : rows) check_refused(policy(), row.url, row.why);
}

BOOST_AUTO_TEST_CASE(the_neighbours_of_refused_blocks_are_public) {
    for (const auto* url : {"http://9.255.255.255/", "http://11.0.0.0/", "http://172.15.255.255/", "http://172.32.0.0/",
                            "http://100.63.255.255/", "http://100.128.0.0/", "http://169.253.255.255/",
                            "http://[::ffff:8.8.8.8]/", "http://[64:ff9b::8.8.8.8]/", "http://[2003::1]/"})
        BOOST_TEST(refusal(policy().judge(url, &nowhere)).empty(), url);
}

BOOST_AUTO_TEST_CASE(the_allow_list_takes_blocks_addresses_hosts_and_domains) {
    const auto rule = policy({"10.0.0.0/8", "127.0.0.1", "fd00::/8", "Callbacks.example.org", "*.intern.example."});
    const auto private_place = resolving_to({"192.168.0.7"});
    for (const auto* url :
         {"http://10.9.9.9/", "http://[::ffff:10.9.9.9]/", "http://127.0.0.1:8080/cb", "http://[fd12::1]/",
          "http://callbacks.example.org/", "http://CALLBACKS.example.org./", "http://a.b.intern.example/"})
        BOOST_TEST(refusal(rule.judge(url, private_place)).empty(), url);
    check_refused(rule, "http://127.0.0.2/", "loopback");
    check_refused(rule, "http://[::1]/", "loopback");
    BOOST_TEST(!rule.judge("http://xcallbacks.example.org/", private_place).has_value());
    BOOST_TEST(!rule.judge("http://callbacks.example.org.evil.example/", private_place).has_value());
    BOOST_TEST(!rule.judge("http://intern.example/", private_place).has_value());
    BOOST_TEST(!rule.judge("http://xintern.example/", private_place).has_value());
}

BOOST_AUTO_TEST_CASE(an_entry_that_is_none_of_these_is_named) {
    for (const auto* entry : {"10.0.0.0/33", "10.0.0.1/8", "10.0.0", "http://x/", "a b", "", "*", "*.", "fd00::1/8"}) {
        const auto made = OutboundPolicy::make({entry});
        BOOST_TEST_REQUIRE(!made.has_value(), entry);
        BOOST_TEST(made.error().message.find(std::string("'") + entry + "'") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(every_address_that_a_name_resolves_to_is_judged) {
    BOOST_TEST(policy().judge("http://a.example/", resolving_to({"8.8.8.8", "2606:4700::1"})).has_value());
    const auto refused = policy().judge("http://a.example/", resolving_to({"8.8.8.8", "127.0.0.1"}));
    BOOST_TEST(refusal(refused) == "a.example is 127.0.0.1, a loopback address that the allow list does not have");
}

BOOST_AUTO_TEST_CASE(registration_and_connection_use_the_same_words) {
    const auto rule = policy();
    const auto url = rule.judge_url("http://a.example/x");
    BOOST_TEST_REQUIRE(url.has_value());
    BOOST_TEST(refusal(rule.judge_address(*url, *parse_ip("10.0.0.1"))) ==
               refusal(rule.judge("http://a.example/x", resolving_to({"10.0.0.1"}))));
}

BOOST_AUTO_TEST_CASE(a_name_that_cannot_be_resolved_now_is_not_refused) {
    BOOST_TEST(policy().judge("http://a.example/", &nowhere).has_value());
}

BOOST_AUTO_TEST_CASE(the_system_knows_localhost) {
    const auto addresses = resolve_by_system("localhost");
    BOOST_TEST_REQUIRE(addresses.has_value());
    BOOST_TEST(!policy().judge("http://localhost/", &resolve_by_system).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
