#include "bridge/normalize/redaction.h"

#include <string.h>

#include <algorithm>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

using Keys = std::vector<std::string>;

bool leads_to(const SecretPath& secret, const Keys& way) {
    if (way.size() < secret.keys.size()) return false;
    if (!secret.any_depth && way.size() != secret.keys.size()) return false;
    return std::equal(secret.keys.rbegin(), secret.keys.rend(), way.rbegin());
}

void copy_without(const Json& value, const std::vector<SecretPath>& secrets, Keys& way, JsonWriter& out) {
    if (!value.is_object() && !value.is_array()) {
        out.raw(value.raw());
        return;
    }
    value.is_object() ? out.object() : out.array();
    for (const auto& member : value.members()) {
        // A list is no step of a path: what is secret in an object is so in each of several.
        if (value.is_object()) way.push_back(member.key);
        const bool secret = value.is_object() && std::any_of(secrets.begin(), secrets.end(),
                                                             [&](const auto& path) { return leads_to(path, way); });
        if (!secret) {
            if (value.is_object()) out.raw_key(member.raw_key);
            copy_without(member.value, secrets, way, out);
        }
        if (value.is_object()) way.pop_back();
    }
    out.end();
}

/// Is a letter, digit or sign written as `\u00..`? PHP never does so; then keys have to be looked at unescaped.
bool hides_plain_letters(std::string_view text) {
    for (auto at = text.find("\\u00"); at != std::string_view::npos; at = text.find("\\u00", at + 4))
        if (at + 4 < text.size() && text[at + 4] >= '2' && text[at + 4] <= '7') return true;
    return false;
}

}  // namespace

SecretPath parse_secret_path(std::string_view text) {
    SecretPath path;
    constexpr std::string_view kAnyDepth = "**.";
    path.any_depth = text.substr(0, kAnyDepth.size()) == kAnyDepth;
    if (path.any_depth) text.remove_prefix(kAnyDepth.size());
    for (const auto key : split(text, '.')) path.keys.emplace_back(key);
    return path;
}

Redactor::Redactor(std::vector<SecretPath> secrets) : secrets_(std::move(secrets)) {
    for (const auto& secret : secrets_) last_keys_.push_back('"' + secret.keys.back() + '"');
}

bool Redactor::concerns(std::string_view text) const {
    if (secrets_.empty()) return false;
    const auto occurs = [&](const std::string& key) {  // each key begins with a quote, of which JSON is full
        return memmem(text.data(), text.size(), key.data(), key.size()) != nullptr;
    };
    return std::any_of(last_keys_.begin(), last_keys_.end(), occurs) || hides_plain_letters(text);
}

std::string Redactor::without_secrets(const Json& root) const {
    JsonWriter out;
    Keys way;
    copy_without(root, secrets_, way, out);
    return std::move(out).text();
}

}  // namespace orbridge
