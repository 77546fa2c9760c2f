#include "bridge/credentials/vault.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "bridge/core/json.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kHeadBytes = 1 + kNonceBytes + kTagBytes;
constexpr std::size_t kPlainBytesMax = 1 << 20;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

struct FreeCipher {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

/// A text that is wiped when it is gone.
struct Wiped {
    std::string text;
    explicit Wiped(std::string value) : text(std::move(value)) {}
    Wiped(const Wiped&) = delete;
    Wiped& operator=(const Wiped&) = delete;
    ~Wiped() { OPENSSL_cleanse(text.data(), text.size()); }
};

std::string row_key(const Secret& master, const SealedFor& row) {
    return derive_key(master.reveal(), row.table + ':' + row.id);
}

/// As a JSON array, so that no two rows look alike.
std::string additional_data(const SealedFor& row) {
    JsonWriter json;
    json.array().value(row.table).value(row.id);
    for (const auto& each : row.bound) json.value(each);
    json.end();
    return std::move(json).text();
}

std::optional<std::string> encrypt(const std::string& key, std::string_view nonce, std::string_view additional,
                                   std::string_view plain) {
    const Cipher cipher(EVP_CIPHER_CTX_new());
    std::string tag(kTagBytes, '\0');
    std::string text(plain.size(), '\0');
    int length = 0;
    const bool done =
        cipher &&
        EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes_of(std::string_view(key)),
                           bytes_of(nonce)) == 1 &&
        EVP_EncryptUpdate(cipher.get(), nullptr, &length, bytes_of(additional), static_cast<int>(additional.size())) ==
            1 &&
        EVP_EncryptUpdate(cipher.get(), bytes_of(text), &length, bytes_of(plain), static_cast<int>(plain.size())) ==
            1 &&
        EVP_EncryptFinal_ex(cipher.get(), bytes_of(text) + length, &length) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(tag.size()), tag.data()) == 1;
    if (!done) return std::nullopt;
    return tag + text;
}

std::optional<std::string> decrypt(const std::string& key, std::string_view sealed, std::string_view additional) {
    const auto nonce = sealed.substr(1, kNonceBytes);
    std::string tag(sealed.substr(1 + kNonceBytes, kTagBytes));
    const auto text = sealed.substr(kHeadBytes);
    const Cipher cipher(EVP_CIPHER_CTX_new());
    std::string plain(text.size(), '\0');
    int length = 0;
    int last = 0;
    const bool done =
        cipher &&
        EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes_of(std::string_view(key)),
                           bytes_of(nonce)) == 1 &&
        EVP_DecryptUpdate(cipher.get(), nullptr, &length, bytes_of(additional), static_cast<int>(additional.size())) ==
            1 &&
        EVP_DecryptUpdate(cipher.get(), bytes_of(plain), &length, bytes_of(text), static_cast<int>(text.size())) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(tag.size()), tag.data()) == 1 &&
        EVP_DecryptFinal_ex(cipher.get(), bytes_of(plain) + length, &last) == 1;
    if (done) return plain;
    OPENSSL_cleanse(plain.data(), plain.size());
    return std::nullopt;
}

std::optional<std::string> open_with(const Secret& master, const SealedFor& row, std::string_view sealed) {
    if (sealed.size() < kHeadBytes || sealed.size() > kHeadBytes + kPlainBytesMax || sealed.front() != kVersion)
        return std::nullopt;
    const Wiped key(row_key(master, row));
    return decrypt(key.text, sealed, additional_data(row));
}

std::string fresh_nonce(Random& random) {
    std::string nonce;
    while (nonce.size() < kNonceBytes) {
        const auto bits = random.bits();
        nonce.append(reinterpret_cast<const char*>(&bits), std::min(sizeof bits, kNonceBytes - nonce.size()));
    }
    return nonce;
}

Error off() {
    return {Error::Kind::Unavailable,
            "no master key is configured, so nothing secret can be kept: make one with `orbridge keygen` and give "
            "`credentials.key_file` or `credentials.key`"};
}

}  // namespace

std::string derive_key(std::string_view master, std::string_view info) {
    struct Free {
        void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
        void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
    };
    const std::unique_ptr<EVP_KDF, Free> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
    const std::unique_ptr<EVP_KDF_CTX, Free> context(EVP_KDF_CTX_new(kdf.get()));
    std::string digest = "SHA256";
    std::string key(master);
    std::string label(info);
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.data(), key.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, label.data(), label.size()),
        OSSL_PARAM_construct_end(),
    };
    std::string derived(Vault::kKeyBytes, '\0');
    const bool done = context && EVP_KDF_derive(context.get(), bytes_of(derived), derived.size(), parameters) == 1;
    OPENSSL_cleanse(key.data(), key.size());
    if (!done) std::abort();  // a library without HKDF; going on with a key of zeros would be worse
    return derived;
}

Vault::Vault(const std::vector<Secret>& master_keys, Random& random) : random_(random) { set_keys(master_keys); }

void Vault::set_keys(const std::vector<Secret>& master_keys) {
    constexpr std::size_t kIdBytes = 8;
    std::vector<Key> fresh;
    fresh.reserve(master_keys.size());
    for (const auto& master : master_keys)
        fresh.push_back({master, to_hex(derive_key(master.reveal(), "key id").substr(0, kIdBytes))});
    keys_.with([&](auto& current) { current = std::move(fresh); });
}

std::vector<Vault::Key> Vault::keys() const {
    return keys_.with([](const auto& current) { return current; });
}

bool Vault::on() const { return !keys().empty(); }

std::string Vault::key_id() const {
    const auto all = keys();
    return all.empty() ? std::string() : all.front().id;
}

std::vector<std::string> Vault::key_ids() const {
    std::vector<std::string> ids;
    for (const auto& key : keys()) ids.push_back(key.id);
    return ids;
}

Result<std::string> Vault::seal(const SealedFor& row, std::string_view plain) const {
    const auto all = keys();
    if (all.empty()) return off();
    if (plain.size() > kPlainBytesMax) return Error{Error::Kind::Invalid, "more than 1 MiB to keep secret"};
    const auto nonce = fresh_nonce(random_);
    const Wiped key(row_key(all.front().master, row));
    const auto sealed = encrypt(key.text, nonce, additional_data(row), plain);
    if (!sealed) return Error{Error::Kind::Internal, "cannot encrypt"};
    return std::string(1, kVersion) + nonce + *sealed;
}

Result<Secret> Vault::open(const SealedFor& row, std::string_view sealed) const {
    const auto all = keys();
    if (all.empty()) return off();
    for (const auto& key : all)
        if (auto plain = open_with(key.master, row, sealed)) return Secret(*std::move(plain));
    return Error{Error::Kind::Invalid, row.table + ' ' + row.id +
                                           ": what is stored does not open: it was sealed with a master key that is "
                                           "not configured, was moved here from another row, or is damaged"};
}

bool Vault::is_current(const SealedFor& row, std::string_view sealed) const {
    const auto all = keys();
    return !all.empty() && open_with(all.front().master, row, sealed).has_value();
}

}  // namespace orbridge
