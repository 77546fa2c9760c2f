#include "bridge/verify/standard_webhooks.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "bridge/core/text.h"
#include "bridge/verify/headers.h"

namespace orbridge {
namespace {

constexpr std::string_view kSecretPrefix = "whsec_";
constexpr std::string_view kPublicPrefix = "whpk_";
constexpr std::size_t kPublicKeyBytes = 32;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

struct Release {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

std::optional<std::string> raw_public_key(std::string_view text) {
    if (text.starts_with(kPublicPrefix)) text.remove_prefix(kPublicPrefix.size());
    auto raw = from_base64(text);
    if (!raw || raw->size() != kPublicKeyBytes) return std::nullopt;
    return raw;
}

bool signed_by(std::string_view public_key, std::string_view signature, std::string_view content) {
    const std::unique_ptr<EVP_PKEY, Release> key(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(public_key), public_key.size()));
    const std::unique_ptr<EVP_MD_CTX, Release> context(EVP_MD_CTX_new());
    if (!key || !context || EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1)
        return false;
    return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(content), content.size()) ==
           1;
}

}  // namespace

std::string webhook_key(const Secret& secret) {
    const std::string_view text = secret.reveal();
    if (!text.starts_with(kSecretPrefix)) return std::string(text);
    return from_base64(text.substr(kSecretPrefix.size())).value_or(std::string(text));
}

std::string webhook_content(std::string_view id, std::string_view timestamp, std::string_view body) {
    std::string content;
    content.reserve(id.size() + timestamp.size() + body.size() + 2);
    content.append(id).append(".").append(timestamp).append(".").append(body);
    return content;
}

std::vector<VersionedSignature> read_signatures(std::string_view header) {
    std::vector<VersionedSignature> found;
    for (const auto word : split(header, ' ')) {
        if (word.empty()) continue;
        if (found.size() == kSignaturesMax) break;
        const auto comma = word.find(',');
        if (comma == std::string_view::npos) {
            found.push_back({{}, word});
        } else {
            found.push_back({word.substr(0, comma), word.substr(comma + 1)});
        }
    }
    return found;
}

Result<std::shared_ptr<const Verifier>> StandardWebhooks::make(const std::vector<Secret>& secrets,
                                                               const std::vector<std::string>& public_keys,
                                                               milliseconds tolerance) {
    std::shared_ptr<StandardWebhooks> made(new StandardWebhooks());
    made->tolerance_ = tolerance;
    for (const auto& secret : secrets) {
        const std::string_view text = secret.reveal();
        if (text.starts_with(kSecretPrefix) && !from_base64(text.substr(kSecretPrefix.size())))
            return Error{Error::Kind::Invalid, "a secret begins with `whsec_`, but no Base64 follows"};
        if (!secret.empty()) made->keys_.push_back(webhook_key(secret));
    }
    for (const auto& text : public_keys) {
        auto raw = raw_public_key(text);
        if (!raw) return Error{Error::Kind::Invalid, "public_key is not `whpk_` and the Base64 of 32 bytes"};
        made->public_keys_.push_back(std::move(*raw));
    }
    if (made->keys_.empty() && made->public_keys_.empty())
        return Error{Error::Kind::Invalid, "there is neither a secret nor a public_key to know the sender by"};
    return std::shared_ptr<const Verifier>(std::move(made));
}

Result<Proof> StandardWebhooks::verify(const InboundRequest& request, TimePoint now) const {
    const auto id = only_header(request.headers, "webhook-id");
    if (!id) return id.error();
    const auto timestamp = only_header(request.headers, "webhook-timestamp");
    if (!timestamp) return timestamp.error();
    const auto signatures = only_header(request.headers, "webhook-signature");
    if (!signatures) return signatures.error();
    if ((*id)->empty()) return Error{Error::Kind::Unauthorized, "webhook-id is empty"};
    if (auto in_time = fresh("webhook-timestamp", **timestamp, now, tolerance_); !in_time) return in_time.error();

    const auto content = webhook_content(**id, **timestamp, request.body);
    std::vector<std::string> expected;
    for (const auto& key : keys_) expected.push_back(to_base64(hmac_sha256(key, content)));
    bool good = false;
    for (const auto& [version, signature] : read_signatures(**signatures)) {
        if (version == "v1")
            for (const auto& one : expected) good |= equal_constant_time(signature, one);
        if (version != "v1a" || good) continue;
        const auto raw = from_base64(signature);
        good = raw && std::any_of(public_keys_.begin(), public_keys_.end(),
                                  [&](const std::string& key) { return signed_by(key, *raw, content); });
    }
    if (!good) return Error{Error::Kind::Unauthorized, "webhook-signature does not fit the request"};
    return Proof{**id};
}

}  // namespace orbridge
