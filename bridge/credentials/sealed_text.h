#pragma once

#include "bridge/core/secret.h"
#include "bridge/credentials/vault.h"

/// Secrets that a vault keeps in columns of text: `sealed:` and Base64.
namespace orbridge {

bool is_sealed_text(const Secret& text);

/// Stays as it is if it is empty, sealed already, or the vault is off.
Secret seal_text(const Vault& vault, const SealedFor& row, const Secret& text);

/// What was never sealed stays as it is; so does what does not open, and is_sealed_text() then: it signs nothing that
/// anybody would believe, and opens again when the key is back.
Secret open_text(const Vault& vault, const SealedFor& row, const Secret& text);

/// Whether seal_text() would leave it at that: sealed under the first master key, or nothing to be done about it.
bool is_current_text(const Vault& vault, const SealedFor& row, const Secret& text);

}  // namespace orbridge
