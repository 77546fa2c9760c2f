/// Whatever URL the policy lets through means the same to libcurl, which will connect to it.
#include <curl/curl.h>

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "bridge/core/text.h"
#include "bridge/deliver/outbound_policy.h"

namespace {

using namespace orbridge;

struct Release {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
    void operator()(char* text) const { curl_free(text); }
};

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(url, which, &text, flags) != CURLUE_OK) std::abort();
    const std::unique_ptr<char, Release> owned(text);
    return text;
}

std::string plain_host(std::string host) {
    host = to_lower(host);
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    if (host.ends_with('.')) host.pop_back();
    return host;
}

void compare(const std::string& text, const OutboundUrl& ours) {
    const std::unique_ptr<CURLU, Release> theirs(curl_url());
    if (curl_url_set(theirs.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return;  // not sent at all
    const auto host = plain_host(part(theirs.get(), CURLUPART_HOST));
    if (ours.address) {
        const auto address = parse_ip(host);
        if (!address || *address != *ours.address) std::abort();
    } else if (host != ours.host || parse_ip(host)) {
        std::abort();
    }
    if (part(theirs.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT) != std::to_string(ours.port)) std::abort();
    if (part(theirs.get(), CURLUPART_SCHEME) != (ours.tls ? "https" : "http")) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto parsed = parse_outbound_url(text);
    if (!parsed) return 0;
    compare(text, *parsed);
    const auto policy = OutboundPolicy::make({"10.0.0.0/8", "*.example.org"});
    const auto judged = policy->judge_url(text);
    if (parsed->address && judged && special_use(*parsed->address) != nullptr &&
        !parse_ip_block("10.0.0.0/8")->contains(*parsed->address))
        std::abort();
    return 0;
}
