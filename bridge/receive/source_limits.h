#pragma once

#include <map>
#include <optional>

#include "bridge/core/clock.h"
#include "bridge/core/ids.h"
#include "bridge/record/rate_limit.h"

namespace orbridge {

/// How much each source may still push. Counts what was believed only, so that nobody else can use up a source's
/// share. Kept in memory: after a restart, and after its limit was changed, a source may begin anew. One thread.
class SourceLimits {
public:
    /// Counts a request. If it is one too many: when the next one may come.
    std::optional<TimePoint> over(const SourceId& source, const RateLimit& limit, TimePoint now) {
        if (limit.requests == 0) return std::nullopt;
        auto [place, is_new] = shares_.try_emplace(source);
        if (is_new || place->second.limit != limit) place->second = {limit, TokenBucket(limit, limit.requests)};
        auto& bucket = place->second.bucket;
        if (bucket.take(now)) return std::nullopt;
        return bucket.next(now);
    }

private:
    struct Share {
        RateLimit limit;
        TokenBucket bucket;
    };
    std::map<SourceId, Share> shares_;  ///< at most one for each source ever configured
};

}  // namespace orbridge
