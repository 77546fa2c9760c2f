#pragma once

#include <functional>
#include <optional>

#include "bridge/core/clock.h"
#include "bridge/core/http.h"
#include "bridge/core/log.h"
#include "bridge/core/random.h"
#include "bridge/receive/lease_tokens.h"
#include "bridge/record/audit_trail.h"
#include "bridge/store/lease_book.h"

namespace orbridge {

/// The part of the admin API that is about leased subscribers and their tokens. Safe from any thread; everything
/// given to it must outlive it.
class SubscriptionsApi {
public:
    struct Parts {
        LeaseBook& book;
        LeaseTokens& tokens;
        const Clock& clock;
        Random& random;
        Log& log;
        AuditTrail& audit;
        /// Nothing if the caller may, else the 401.
        std::function<std::optional<Answer>(const InboundRequest&)> refuse;
        std::function<milliseconds()> lease_max;
    };
    explicit SubscriptionsApi(Parts parts) : parts_(std::move(parts)) {}

    Answer list(const InboundRequest& request) const;
    Answer remove(const InboundRequest& request);
    Answer extend(const InboundRequest& request);
    Answer tokens(const InboundRequest& request) const;
    Answer create_token(const InboundRequest& request);
    Answer remove_token(const InboundRequest& request);

private:
    Parts parts_;
};

}  // namespace orbridge
