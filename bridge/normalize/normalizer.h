#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/http.h"
#include "bridge/core/result.h"
#include "bridge/normalize/names.h"
#include "bridge/verify/verifier.h"

namespace orbridge {

/// The state that an event leaves its subject in.
struct StateFound {
    std::string text;     ///< a JSON object, a piece of the payload; empty: the event tells none
    std::string updated;  ///< its member `updated`, if that is text
};

/// What a mapping makes of a request: an Event without ids, and how to recognise it again.
struct Normalized {
    std::string rule;  ///< `openregister/object-created`: mapping and rule, for `orbridge map`
    std::string event_class;
    std::string channel;
    std::string event_name;
    std::string subject;
    std::optional<TimePoint> occurred_at;
    std::string payload;  ///< JSON text
    /// Equal for the same change seen twice through one kind of intake, different for two changes. Empty: the
    /// source gives nothing to tell a repetition by (Nextcloud), and the store takes no such event for a duplicate.
    std::string dedup_key;
    /// Equal for the same change seen through different kinds of intake (webhooks and hooks), which
    /// share no identity: the store pairs such events of one subject, only across intakes and within a short time.
    /// Empty: this event has no such twin.
    std::string twin_key;
    StateFound state;
    bool ends = false;  ///< after it there is no such subject
};

/// Verified, but no rule wants it. Kept with its body, so that it can be replayed once a rule exists.
struct Unmapped {
    std::string event_class;  ///< as far as it can be told; may be empty
    std::string reason;
    std::string body;       ///< the received JSON without what must never be stored
    std::string dedup_key;  ///< may be empty, as that of Normalized
    Headers headers;        ///< those of the request that the mappings read or want kept
};

/// All events of the request, or, if only one of a batch has no rule, the whole as Unmapped: nothing of it
/// is lost then, and nothing is told twice when it is replayed. An empty batch is an empty list.
using NormalizeOutcome = std::variant<std::vector<Normalized>, Unmapped>;

class MappingSet;  // normalize/mapping.h

/// Pure: the same request, mappings and names always give the same outcome. Safe from any thread.
class Normalizer {
public:
    explicit Normalizer(std::shared_ptr<const MappingSet> mappings);

    /// Invalid: the body is not what its source can have sent (not JSON, not an object, too many events in it …): a
    /// 400.
    Result<NormalizeOutcome> normalize(const VerifiedRequest& request, const Names& names) const;

private:
    std::shared_ptr<const MappingSet> mappings_;
};

}  // namespace orbridge
