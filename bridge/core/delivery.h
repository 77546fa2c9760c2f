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

/// How far a delivery of several steps has come.
struct Progress {
    std::string done{};  ///< JSON: what its recipe wants to know again of the steps that are done; empty: none is
    int attempts = 0;    ///< of those made, the ones that were needed for them: the next step begins with the first
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
    Progress progress{};
};

// ---- what an attempt came to --------------------------------------------------------------------

struct Delivered {
    std::string reference{};  ///< the other side's own id for it, e.g. a Windmill job; may be empty
    bool duplicate = false;   ///< it had already arrived with an earlier attempt
    std::string message{};    ///< what the other side said, for people; without secrets
    std::string data{};       ///< JSON: what came of it, for steps behind it; empty: nothing. Not kept
};
/// One of several steps is done, and the next is due at once. It is not done again, over restarts too.
struct Advanced {
    std::string done;  ///< becomes Progress::done
    std::string message{};
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
using Outcome = std::variant<Delivered, Advanced, Retry, Rejected>;

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
    std::string outcome;  ///< delivered, advanced, duplicate, retry, rejected
    std::string reason;
    std::string answer;  ///< at most 20,000 bytes of it
    // Of adapters with tasks.
    std::string task{};     ///< what was run
    std::string step{};     ///< which one of several it was
    std::string message{};  ///< of a success
};

}  // namespace orbridge
