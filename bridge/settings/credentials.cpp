#include <sys/stat.h>

#include <algorithm>

#include "bridge/core/text.h"
#include "bridge/settings/sections.h"

namespace orbridge {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kKeyBase64Length = 44;
constexpr std::size_t kKeysMax = 16;
constexpr std::int64_t kRowsMax = 100'000;

/// The bytes of a master key, or nothing for any other text: a key that was cut or typed by hand is no key.
std::optional<Secret> read_key(const Secret& text) {
    std::optional<std::string> bytes;
    if (text.reveal().size() == kKeyBase64Length) bytes = from_base64(text.reveal());
    if (text.reveal().size() == 2 * kKeyBytes) bytes = from_hex(text.reveal());
    if (!bytes || bytes->size() != kKeyBytes) return std::nullopt;
    return Secret(*std::move(bytes));
}

/// Whoever else can read the key can read every secret.
void check_file_mode(const ConfigNode& item) {
    struct stat status {};
    const auto name = item.as_text();
    if (!name || ::stat(item.beside(*name).c_str(), &status) != 0) return;  // complained of already
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        item.complain("others than its owner can use this file, expected mode 0600: `chmod 600`");
}

std::vector<Secret> read_keys(const ConfigNode& node) {
    const auto texts = node.secrets("key", false);
    for (const auto& item : node["key_file"].one_or_list()) check_file_mode(item);
    const auto place = node["key"].present() ? node["key"] : node["key_file"];
    if (texts.size() > kKeysMax) place.complain("more than " + std::to_string(kKeysMax) + " master keys");
    std::vector<Secret> keys;
    for (const auto& text : texts) {
        const auto key = read_key(text);
        if (!key) {
            place.complain(
                "not a master key, expected exactly 32 bytes as 44 characters of Base64 or 64 hexadecimal digits: make "
                "one with `orbridge keygen`");
        } else if (std::find(keys.begin(), keys.end(), *key) != keys.end()) {
            place.complain("the same master key twice");
        } else {
            keys.push_back(*key);
        }
    }
    return keys;
}

}  // namespace

CredentialSettings read_credentials(const ConfigNode& root) {
    CredentialSettings settings;
    const auto node = root["credentials"];
    settings.keys = read_keys(node);
    settings.rows_max =
        static_cast<std::size_t>(node.integer("rows_max", static_cast<std::int64_t>(settings.rows_max), 1, kRowsMax));
    node.done();
    return settings;
}

}  // namespace orbridge
