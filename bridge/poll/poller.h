#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bridge/run/registrar.h"

namespace orbridge {

/// Something found by polling, as its source would have pushed it: it goes through the same mapping.
struct Observed {
    std::string body;         ///< JSON, as of a pushed request
    bool current = false;     ///< read from the source just now, against what was known: no older change told late
    bool existing = false;    ///< was there before anything was told of it: remembered, and no event …
    bool backfilled = false;  ///< … unless this too: then it is told, marked so. Alone: remembered before, told now
};

/// What one step of a poller found, to be stored with the cursor in one transaction.
struct PollStep {
    std::vector<Observed> found;       ///< in the order it happened
    std::string cursor;                ///< where the next step goes on
    bool more = false;                 ///< there is more to read at once
    std::uint64_t untold = 0;          ///< changes whose content could not be read any more
    std::optional<Trouble> trouble{};  ///< then nothing was found, and the cursor stays
};

/// Seam: asks one source what happened. All it must remember is in the cursor, so that it may be killed at any
/// moment. Blocks for its exchanges; one thread.
class Poller {
public:
    virtual ~Poller() = default;
    /// `cursor`: of the step that was stored last; empty: none ever was.
    virtual PollStep step(const std::string& cursor) = 0;
    /// What it reads from: `realtime`, `audit`, `lists`; empty: not known yet.
    virtual std::string reads() const = 0;
    /// What this source cannot tell, in sentences.
    virtual std::vector<std::string> cannot_tell() const = 0;
};

}  // namespace orbridge
