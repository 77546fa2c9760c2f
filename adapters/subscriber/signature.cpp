#include "adapters/subscriber/signature.h"

#include <openssl/evp.h>

#include <algorithm>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

constexpr std::string_view kPrefix = "whsec_";

/// Nothing decoded means that it was no Base64.
std::string from_base64(std::string_view text) {
    std::string bytes(text.size() / 4 * 3 + 3, '\0');
    const int length =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (length < 0) return {};
    const auto padding =
        std::count(text.end() - static_cast<std::ptrdiff_t>(std::min<std::size_t>(2, text.size())), text.end(), '=');
    bytes.resize(static_cast<std::size_t>(length - padding));
    return bytes;
}

std::string key_of(const Secret& secret) {
    const std::string_view text = secret.reveal();
    if (!text.starts_with(kPrefix)) return std::string(text);
    auto key = from_base64(text.substr(kPrefix.size()));
    return key.empty() ? std::string(text) : key;
}

}  // namespace

std::string standard_signature(const std::vector<Secret>& secrets, std::string_view id, std::string_view timestamp,
                               std::string_view body) {
    std::string signed_text;
    signed_text.reserve(id.size() + timestamp.size() + body.size() + 2);
    signed_text.append(id).append(".").append(timestamp).append(".").append(body);
    std::string signatures;
    for (const auto& secret : secrets) {
        if (!signatures.empty()) signatures += ' ';
        signatures += "v1," + to_base64(hmac_sha256(key_of(secret), signed_text));
    }
    return signatures;
}

}  // namespace orbridge
