#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/http.h"
#include "bridge/record/request_gate.h"
#include "bridge/run/source_client.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// `rate` of sources: those that show the same credentials to the same server share one gate, at the lowest of their
/// rates, and so do those of them that have none of their own. Safe from any thread. The clock must outlive it.
class RequestRates {
public:
    explicit RequestRates(const Clock& clock) : clock_(clock) {}

    /// Opens. What a gate has let through before goes on to count.
    void configure(const std::vector<SourceSettings>& sources);
    /// Whoever waits is let go with a failure, and so is whoever comes.
    void close();
    /// `send`, in its turn.
    Exchanger limited(const SourceSettings& source, Exchanger send) const;
    /// The gate of the sources that show the same server the same credentials as this request does, whoever makes it;
    /// those that log in as an ExApp or by OAuth 2 have theirs for themselves. Nothing: no rate is to be kept. Quick
    /// where no source has a rate.
    std::shared_ptr<RequestGate> gate_for(const HttpRequest& request) const;

private:
    const Clock& clock_;
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<RequestGate>> gates_;  ///< by who asks whom
    std::atomic<bool> any_{false};
};

/// Who asks whom: server and credentials. Not for anybody's eyes.
std::string asker_of(const SourceSettings& source);

}  // namespace orbridge
