#include "bridge/core/mask.h"

#include <algorithm>
#include <string_view>

#include "bridge/core/http.h"
#include "bridge/core/json.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace {

constexpr std::size_t kMaskedBytesMin = 3;  // shorter ones are everywhere
constexpr std::size_t kCutBytesMin = 6;     // likewise
constexpr std::size_t kTellingBytesMin = 8;

/// The parts of a secret that look the same however it is escaped. Short ones are words.
std::vector<std::string> plain_runs_of(const std::string& secret) {
    const auto is_plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '.' || c == '~';
    };
    std::vector<std::string> runs;
    for (auto at = secret.begin(); at != secret.end();) {
        const auto end = std::find_if_not(at, secret.end(), is_plain);
        if (end - at >= static_cast<std::ptrdiff_t>(kTellingBytesMin)) runs.emplace_back(at, end);
        at = std::find_if(end, secret.end(), is_plain);
    }
    return runs;
}

/// What makes a secret address one: the end of its path, the values of its query, and who logs in. Short ones are
/// words.
std::vector<std::string> telling_parts_of(const std::string& url) {
    std::vector<std::string> parts;
    const auto keep = [&](std::string_view part) {
        if (part.size() >= kTellingBytesMin) parts.emplace_back(part);
        const auto decoded = percent_decode(part, false);
        if (decoded != part && decoded.size() >= kTellingBytesMin) parts.push_back(decoded);
    };
    const auto host = url.find("://") + 3;
    const auto question = url.find_first_of("?#", host);
    const auto before = std::string_view(url).substr(0, question);
    const auto slash = before.rfind('/');
    if (slash >= host) keep(before.substr(slash + 1));
    if (const auto at = before.find('@', host); at != std::string_view::npos && at < before.find('/', host))
        for (const auto each : split(before.substr(host, at - host), ':')) keep(each);
    if (question == std::string::npos) return parts;
    for (const auto pair : split(std::string_view(url).substr(question + 1), '&'))
        keep(pair.substr(pair.find('=') == std::string_view::npos ? 0 : pair.find('=') + 1));
    return parts;
}

}  // namespace

void Mask::add(const std::string& secret) {
    if (secret.size() < kMaskedBytesMin) return;
    const auto json = json_string(secret), base64 = to_base64(secret);
    for (auto form : {secret, percent_encode(secret), json.substr(1, json.size() - 2), base64})
        secrets_.push_back(std::move(form));
    for (auto& run : plain_runs_of(base64)) secrets_.push_back(std::move(run));  // its end may be escaped
    // A path of its own, as of a webhook's address, is told by errors without what stands before it.
    if (const auto scheme = secret.find("://"); scheme != std::string::npos) {
        const auto path = secret.find('/', scheme + 3);
        if (path != std::string::npos && secret.size() - path > kMaskedBytesMin)
            secrets_.push_back(secret.substr(path));
        for (const auto& part : telling_parts_of(secret)) add(part);
    } else {  // not of an address, since its host would be one
        for (auto& run : plain_runs_of(secret)) secrets_.push_back(std::move(run));
    }
    std::sort(secrets_.begin(), secrets_.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

std::string Mask::operator()(std::string text) const {
    for (const auto& secret : secrets_) {
        for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + kMask.size()))
            text.replace(at, secret.size(), kMask);
    }
    // The beginning of one at the end, where an answer was cut.
    for (const auto& secret : secrets_) {
        for (auto size = std::min(secret.size() - 1, text.size()); size >= kCutBytesMin; --size) {
            if (!text.ends_with(std::string_view(secret).substr(0, size))) continue;
            text.replace(text.size() - size, size, kMask);
            return text;
        }
    }
    return text;
}

}  // namespace orbridge
