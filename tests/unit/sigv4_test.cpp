#include <boost/test/unit_test.hpp>
#include <set>

#include "adapters/http/sigv4.h"
#include "bridge/core/text.h"

namespace orbridge {
BOOST_AUTO_TEST_SUITE(adapters)

BOOST_AUTO_TEST_CASE(I9_s3_signs_as_the_published_vectors_do) {
    const http_tasks::AwsKeys keys{"AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
                                   "us-east-1", "s3"};
    const auto now = *from_iso8601("2013-05-24T00:00:00Z");
    HttpRequest get{.method = "GET", .url = "https://examplebucket.s3.amazonaws.com/test.txt"};
    get.headers = {{"Range", "bytes=0-9"}};
    sign_aws(get, keys, now);
    BOOST_TEST(find_header(get.headers, "Authorization")
                   ->ends_with("SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature="
                               "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
    HttpRequest put{.method = "PUT", .url = "https://examplebucket.s3.amazonaws.com/test%24file.text"};
    put.body = "Welcome to Amazon S3.";
    put.headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
    sign_aws(put, keys, now);
    BOOST_TEST(find_header(put.headers, "Authorization")
                   ->ends_with("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

BOOST_AUTO_TEST_CASE(I9_one_byte_changed_of_body_header_or_key_is_another_signature) {
    const auto signature = [](const std::string& body, const std::string& storage, const std::string& key) {
        HttpRequest put{.method = "PUT", .url = "https://examplebucket.s3.amazonaws.com/test%24file.text"};
        put.body = body;
        put.headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", storage}};
        http_tasks::sign_aws(put, {"AKIAIOSFODNN7EXAMPLE", Secret(key), "us-east-1", "s3"},
                             *from_iso8601("2013-05-24T00:00:00Z"));
        const auto* shown = find_header(put.headers, "Authorization");
        return shown->substr(shown->size() - 64);
    };
    const std::string body = "Welcome to Amazon S3.", storage = "REDUCED_REDUNDANCY",
                      key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    std::set<std::string> seen = {signature(body, storage, key)};
    BOOST_TEST(seen.count("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd") == 1U);
    const auto changed = [](std::string text, std::size_t at) {
        text[at] = static_cast<char>(text[at] ^ 1);
        return text;
    };
    for (std::size_t i = 0; i < body.size(); ++i) seen.insert(signature(changed(body, i), storage, key));
    for (std::size_t i = 0; i < storage.size(); ++i) seen.insert(signature(body, changed(storage, i), key));
    for (std::size_t i = 0; i < key.size(); ++i) seen.insert(signature(body, storage, changed(key, i)));
    BOOST_TEST(seen.size() == 1 + body.size() + storage.size() + key.size());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge
