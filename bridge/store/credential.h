#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bridge/core/clock.h"

namespace orbridge {

/// Credentials for an adapter, as they are kept: sealed. One of each adapter, name and scope.
struct CredentialRow {
    enum class Verdict : std::uint8_t { Untested = 0, Valid = 1, Refused = 2 };

    std::string id;  ///< a UUID, never given twice
    std::string adapter, name;
    std::string scope;           ///< `global`, `register:<id>` or `workspace:<name>`
    std::string sealed;          ///< bytes of the vault; empty: not given yet
    std::string key_id;          ///< of the master key that sealed it
    std::uint64_t version = 0;   ///< of the values
    std::uint64_t revision = 0;  ///< of the row: whoever writes it tells which one was read
    Verdict verdict = Verdict::Untested;
    std::optional<TimePoint> checked_at;  ///< when the verdict was made
    std::string message;                  ///< what was answered then; holds no secret
    TimePoint created_at{};
    TimePoint updated_at{};  ///< of the values
};

}  // namespace orbridge
