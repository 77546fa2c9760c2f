#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bridge/api/replay.h"
#include "bridge/api/snapshots_api.h"
#include "bridge/core/clock.h"
#include "bridge/core/guarded.h"
#include "bridge/core/log.h"
#include "bridge/core/random.h"
#include "bridge/credentials/book.h"
#include "bridge/credentials/catalogue.h"
#include "bridge/credentials/oauth2.h"
#include "bridge/deliver/transport.h"
#include "bridge/normalize/names.h"
#include "bridge/plan.h"
#include "bridge/poll/source_poll.h"
#include "bridge/receive/ingest.h"
#include "bridge/run/reconciler.h"
#include "bridge/run/request_rates.h"
#include "bridge/run/worker.h"
#include "bridge/store/store.h"

namespace orbridge {

/// All that asks sources, as one part of the daemon: registering there, polling them, logging in, each at the rate
/// that a source allows. Safe from any thread. Everything given to it must outlive it.
class Sources {
public:
    struct Tools {
        Store& store;
        Transport& transport;
        Ingest& ingest;
        CredentialBook& credentials;
        Names& names;
        const Clock& clock;
        Random& random;
        Log& log;
        std::function<std::shared_ptr<const Plan>()> plan;
        /// False as long as Nextcloud has not enabled the app: it would refuse what is asked as the app, and count
        /// that as wrong logins.
        std::function<bool()> is_app_enabled;
        /// Told of the end of each step of polling: what went wrong, or nothing.
        std::function<void(const SourceId&, const std::string& error)> polled{};
    };
    explicit Sources(Tools tools);

    /// Asks by this plan from now on. After stop(), or first.
    void start(const Plan& plan);
    /// Whoever waits for its turn to ask a source is let go. Blocks for what is on its way; the transport's end
    /// ends that too.
    void stop();

    // ---- registering
    std::vector<RegistrarReport> registrations() const;
    /// Registers soon, or removes what is registered; with no source: at all. NotFound: it registers nothing.
    Status ask_to_register(const std::string& source, bool remove);
    /// Where Nextcloud that runs us as an app is a source.
    void register_app();
    /// Takes back what is registered, while Nextcloud still listens to us. Blocks for up to 50 s. What went wrong, or
    /// nothing.
    std::string unregister_app();

    // ---- polling
    std::vector<PollReport> polls() const;
    RefreshVerdict refresh(const SourceId& source);
    /// RequestRates::gate_for()
    std::shared_ptr<RequestGate> gate_for(const HttpRequest& request) const { return rates_.gate_for(request); }
    std::map<SourceId, SnapshotSource> snapshots() const;
    Backfilling backfilling();

    // ---- credentials that sources use
    /// Those that had stopped for want of them go on.
    void credentials_changed(const CredentialName& which);
    /// Asks for a token where the source that uses them does. Values that are not kept name the source in `config`.
    Result<CredentialTest> test_credentials(const CredentialName& which, const Secret& values,
                                            const std::string& config);
    std::vector<std::string> users_of(const std::string& adapter, const std::string& name) const;

private:
    struct Registering {
        std::unique_ptr<Reconciler> reconciler;
        std::optional<Worker> worker;
    };
    struct Polling {
        std::unique_ptr<SourcePoll> poll;
        std::unique_ptr<Worker> worker;  ///< last: its thread uses the poll
    };

    Exchanger sender();
    bool is_held(bool as_app) const { return as_app && !tools_.is_app_enabled(); }
    void start_registering(const Plan& plan);
    void start_polling(const Plan& plan);
    std::unique_ptr<Poller> make_poller(const Plan& plan, const SourceSettings& source, const Exchanger& send);
    Polling make_polling(const SourceSettings& source, std::unique_ptr<Poller> poller);
    Result<Observation> observe(const SourceId& id, const std::vector<Observed>& found, TimePoint began,
                                const Bookmark& bookmark);
    Status can_backfill(const SourceId& source) const;
    Result<Backfilling::Told> backfill(const SourceId& source, const std::vector<UntoldSubject>& untold);
    std::vector<SourceId> app_sources() const;

    Tools tools_;
    OAuth2Tokens oauth2_tokens_;
    RequestRates rates_;
    Guarded<Registering> registering_;
    Guarded<std::vector<Polling>> polling_;
};

}  // namespace orbridge
