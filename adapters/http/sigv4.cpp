#include "adapters/http/sigv4.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "bridge/core/text.h"

namespace orbridge::http_tasks {
namespace {

/// `20130524T000000Z`
std::string amz_date(TimePoint now) {
    std::string text = to_iso8601(now).substr(0, 19);
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
    return text + 'Z';
}

struct UrlParts {
    std::string host, path, query;
};

UrlParts parts_of(const std::string& url) {
    const auto scheme = url.find("://");
    const auto begin = scheme == std::string::npos ? 0 : scheme + 3;
    const auto end = url.find_first_of("/?", begin);
    UrlParts parts;
    parts.host = url.substr(begin, end == std::string::npos ? std::string::npos : end - begin);
    // Clients leave out a port that the scheme stands for.
    for (const auto& [prefix, port] : {std::pair("https://", ":443"), {"http://", ":80"}}) {
        if (url.starts_with(prefix) && parts.host.ends_with(port))
            parts.host.resize(parts.host.size() - std::string_view(port).size());
    }
    const auto question = url.find('?', begin);
    if (end != std::string::npos && url[end] == '/')
        parts.path = url.substr(end, question == std::string::npos ? question : question - end);
    if (parts.path.empty()) parts.path = "/";
    if (question != std::string::npos) parts.query = url.substr(question + 1);
    return parts;
}

std::string canonical_query(const std::string& query) {
    if (query.empty()) return {};
    std::vector<std::string> pairs;
    for (const auto pair : split(query, '&')) {
        const auto equals = pair.find('=');
        const auto value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
        pairs.push_back(percent_encode(percent_decode(pair.substr(0, equals), true)) + '=' +
                        percent_encode(percent_decode(value, true)));
    }
    std::sort(pairs.begin(), pairs.end());
    return join(pairs, "&");
}

}  // namespace

void sign_aws(HttpRequest& request, const AwsKeys& keys, TimePoint now) {
    const auto date = amz_date(now);
    const auto payload_hash = to_hex(sha256(request.body));
    request.headers.push_back({"x-amz-content-sha256", payload_hash});
    request.headers.push_back({"x-amz-date", date});
    const auto url = parts_of(request.url);
    std::map<std::string, std::string> headers = {{"host", url.host}};
    for (const auto& header : request.headers) headers[to_lower(header.name)] = std::string(trim(header.value));
    std::string canonical = request.method + '\n' + url.path + '\n' + canonical_query(url.query) + '\n';
    std::string names;
    for (const auto& [name, value] : headers) {
        canonical.append(name).append(1, ':').append(value).append(1, '\n');
        names += (names.empty() ? "" : ";") + name;
    }
    canonical += '\n' + names + '\n' + payload_hash;
    const auto scope = date.substr(0, 8) + '/' + keys.region + '/' + keys.service + "/aws4_request";
    const auto to_sign = "AWS4-HMAC-SHA256\n" + date + '\n' + scope + '\n' + to_hex(sha256(canonical));
    auto key = hmac_sha256("AWS4" + keys.secret_key.reveal(), date.substr(0, 8));
    for (const auto& part : {keys.region, keys.service, std::string("aws4_request")}) key = hmac_sha256(key, part);
    request.headers.push_back({"Authorization", "AWS4-HMAC-SHA256 Credential=" + keys.access_key + '/' + scope +
                                                    ",SignedHeaders=" + names +
                                                    ",Signature=" + to_hex(hmac_sha256(key, to_sign))});
}

}  // namespace orbridge::http_tasks
