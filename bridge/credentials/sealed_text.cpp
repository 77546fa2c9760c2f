#include "bridge/credentials/sealed_text.h"

#include <optional>
#include <string>
#include <string_view>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

constexpr std::string_view kMark = "sealed:";

/// The vault's bytes; nothing of a text that only begins like one.
std::optional<std::string> bytes_of(const Secret& text) {
    const std::string_view all = text.reveal();
    return all.starts_with(kMark) ? from_base64(all.substr(kMark.size())) : std::nullopt;
}

}  // namespace

bool is_sealed_text(const Secret& text) { return bytes_of(text).has_value(); }

Secret seal_text(const Vault& vault, const SealedFor& row, const Secret& text) {
    if (text.empty() || is_sealed_text(text)) return text;
    const auto sealed = vault.seal(row, text.reveal());
    return sealed ? Secret(std::string(kMark) + to_base64(*sealed)) : text;
}

Secret open_text(const Vault& vault, const SealedFor& row, const Secret& text) {
    const auto bytes = bytes_of(text);
    if (!bytes) return text;
    auto opened = vault.open(row, *bytes);
    return opened ? *std::move(opened) : text;
}

bool is_current_text(const Vault& vault, const SealedFor& row, const Secret& text) {
    if (text.empty() || !vault.on()) return true;
    const auto bytes = bytes_of(text);
    if (!bytes) return false;
    return vault.is_current(row, *bytes) || !vault.open(row, *bytes).has_value();
}

}  // namespace orbridge
