#pragma once

#include "bridge/core/http.h"
#include "bridge/run/exapp.h"
#include "bridge/verify/app_api.h"

namespace orbridge {

/// `/heartbeat`, `/init` and `/enabled`, which Nextcloud's AppAPI asks of an ExApp (nextcloud.md §5.2). Safe from any
/// thread. `app` and `clock` must outlive it.
class ExAppApi {
public:
    ExAppApi(const AppApiSettings& settings, ExApp& app, const Clock& clock)
        : verifier_(settings.id, settings.secret), app_(app), clock_(clock) {}

    /// Open to everyone: AppAPI asks without credentials.
    static Answer heartbeat();
    Answer init(const InboundRequest& request);
    /// `?enabled=1` or `0`. Disabling blocks until what is registered is removed.
    Answer enabled(const InboundRequest& request);

private:
    AppApi verifier_;
    ExApp& app_;
    const Clock& clock_;
};

}  // namespace orbridge
