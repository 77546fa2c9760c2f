#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/guarded.h"
#include "bridge/core/random.h"
#include "bridge/core/result.h"
#include "bridge/core/secret.h"

namespace orbridge {

/// The row that a sealed text belongs to: it opens for no other one.
struct SealedFor {
    std::string table;                 ///< `credentials`
    std::string id;                    ///< of the row; never given to another
    std::vector<std::string> bound{};  ///< what else of the row must not change under it: adapter, scope …
};

/// Keeps secrets at rest: AES-256-GCM under a key of the row's own, HKDF-SHA256(master key, `table:id`), with
/// table, id and what is bound as additional data (integrations.md K6). A sealed text is
/// version 1 · nonce 12 · tag 16 · ciphertext. Safe from any thread.
class Vault {
public:
    static constexpr std::size_t kKeyBytes = 32;

    /// The first master key seals, all of them open (rotation). None: the vault is off. `random` must outlive it.
    Vault(const std::vector<Secret>& master_keys, Random& random);
    void set_keys(const std::vector<Secret>& master_keys);

    bool on() const;
    /// Tells master keys apart without telling them: 16 hexadecimal digits of the sealing one; empty if off.
    std::string key_id() const;
    std::vector<std::string> key_ids() const;

    /// A fresh nonce each time. Unavailable: the vault is off.
    Result<std::string> seal(const SealedFor& row, std::string_view plain) const;
    /// Unavailable: the vault is off. Invalid: no master key opens it for this row. The message names the row.
    Result<Secret> open(const SealedFor& row, std::string_view sealed) const;
    /// Whether the first master key opens it: otherwise it wants to be sealed anew.
    bool is_current(const SealedFor& row, std::string_view sealed) const;

private:
    struct Key {
        Secret master;
        std::string id;
    };
    std::vector<Key> keys() const;
    Random& random_;
    Guarded<std::vector<Key>> keys_;
};

/// HKDF-SHA256 (RFC 5869) without salt: 32 bytes.
std::string derive_key(std::string_view master, std::string_view info);

}  // namespace orbridge
