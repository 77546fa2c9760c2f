#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "bridge/core/clock.h"
#include "bridge/core/event.h"
#include "bridge/core/ids.h"

namespace orbridge {

enum class DeliveryState { Pending, Delivered, Dead, Expired, Cancelled };

const char* to_text(DeliveryState state);
std::optional<DeliveryState> delivery_state_from_text(const std::string& text);

/// What an update made of its subject, told by what was known of it before.
struct Difference {
    std::string before{};   ///< JSON: the state before; empty: too large to be kept
    std::string changed{};  ///< JSON: array with the names of its own members that differ, sorted
};

/// One event on its way to one target. `id` stays the same over all attempts; a replay is a new delivery.
struct Delivery {
    DeliveryId id;
    TargetId target;
    Event event;
    int attempts_made = 0;
    /// An earlier attempt may have arrived although no answer came. Recipes that can ask, ask first.
    bool unclear = false;
    bool replayed = false;
    /// Why the event looks like one that a script of ours caused, for recipes to tell (`loop: mark`). Mostly empty.
    std::string mark{};
    std::optional<Difference> difference{};
};

// ---- what an attempt came to --------------------------------------------------------------------

struct Delivered {
    std::string reference;   ///< the other side's own id for it, e.g. a Windmill job; may be empty
    bool duplicate = false;  ///< it had already arrived with an earlier attempt
};
struct Retry {
    enum class Why {
        Trouble,        ///< the other side or the way there failed
        Timeout,        ///< no end within the deadline
        RateLimited,    ///< 429 and the like
        Misconfigured,  ///< credentials, rights or path are wrong: heals only by someone's hand
    };
    std::string reason;
    Why why = Why::Trouble;
    milliseconds at_least{0};  ///< the other side's Retry-After
    bool unclear = false;      ///< it may have arrived all the same
};
struct Rejected {
    std::string reason;  ///< repeating it can never help
};
using Outcome = std::variant<Delivered, Retry, Rejected>;

// ---- what follows from it -----------------------------------------------------------------------

struct Finished {};
struct RetryAt {
    TimePoint due;
};
struct Dead {
    std::string reason;
};
using Settlement = std::variant<Finished, RetryAt, Dead>;

/// One try of a delivery, as kept in the history.
struct Attempt {
    int number = 0;  ///< from 1
    TimePoint started_at{};
    milliseconds duration{0};
    int status = 0;       ///< HTTP status; 0 if none came
    std::string outcome;  ///< delivered, duplicate, retry, rejected
    std::string reason;
    std::string answer;  ///< at most 20,000 bytes of it
};

}  // namespace orbridge
