#pragma once

#include <string>
#include <vector>

#include "adapters/openregister/api_client.h"
#include "bridge/run/registrar.h"
#include "bridge/run/remembered.h"

namespace orbridge::openregister {

/// What `classes: [default]`, or no classes, means for OpenRegister: all_classes() without locks and unlocks
/// (every save ends with an unlock, inside the user's request), sources (their database URLs may hold
/// passwords), agents and conversations (people's chats).
const std::vector<std::string>& default_classes();
/// What `classes: [all]` means: every event of OpenRegister that tells what has happened and has a payload.
const std::vector<std::string>& all_classes();

struct WebhooksSettings {
    SourceId source;
    std::string url;  ///< of the Nextcloud: becomes cloudEventSource
    std::string public_url;
    Secret secret;
    std::vector<std::string> classes;
};

/// The uuid of our webhook: follows from address and source alone, so that neither a restart nor a lost
/// store makes a second one.
std::string webhook_uuid(const std::string& public_url, const SourceId& source);

/// Keeps one webhook of OpenRegister as it should be, recognised by its uuid. No other is touched, but for
/// doubles of it that carry our name and our address.
class WebhooksRegistrar final : public Registrar {
public:
    /// The store must outlive it.
    WebhooksRegistrar(WebhooksSettings settings, ApiClient client, Store& store);

    const SourceId& source() const override { return settings_.source; }
    RegistrarReport reconcile(const Pass& pass) override;
    RegistrarReport unregister(const Pass& pass) override;

private:
    bool begin(RegistrarReport& report);
    void finish(RegistrarReport& report);
    void keep_right(RegistrarReport& report, const Rows& rows);
    void create(RegistrarReport& report, RegistrationState state, const std::string& why);
    void repair(RegistrarReport& report, const std::string& id, const std::string& fields, const std::string& why);
    bool remove(RegistrarReport& report, const Json& row, const std::string& why);
    bool remove_doubles(RegistrarReport& report, const Rows& rows);
    /// JSON members that must be sent to put the row right; empty if nothing must. `why` names them.
    std::string drift(const Json& row, std::string& why) const;
    std::string wanted() const;
    std::string events() const;
    std::string configuration() const;
    void add(RegistrarReport& report, const std::string& id, RegistrationState state, const std::string& detail) const;

    WebhooksSettings settings_;
    ApiClient client_;
    Remembered remembered_;
    std::string uri_, uuid_, name_;
};

}  // namespace orbridge::openregister
