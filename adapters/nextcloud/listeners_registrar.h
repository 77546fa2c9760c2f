#pragma once

#include <map>
#include <string>
#include <vector>

#include "adapters/nextcloud/ocs_client.h"
#include "bridge/run/registrar.h"
#include "bridge/run/remembered.h"

namespace orbridge::nextcloud {

struct ListenersSettings {
    SourceId source;
    std::string public_url;
    Secret secret;                     ///< sent back to us by Nextcloud as X-Orbridge-Secret
    std::vector<std::string> classes;  ///< what to register for
    /// Whether somebody asked for these classes by name: then each that is refused is a fault.
    bool classes_chosen = false;
    /// The classes are all taken or none: after the first refusal the others are not asked for.
    bool all_or_none = false;
    /// By AppAPI, under our own path: Nextcloud knows where we are.
    bool relative = false;
};

/// Registers the source's ingest address with webhook_listeners, one row per event class. Rows are ours if
/// their uri is exactly that address (or the one we had before); no other row is touched.
class ListenersRegistrar final : public Registrar {
public:
    /// The store must outlive it.
    ListenersRegistrar(ListenersSettings settings, OcsClient client, Store& store);

    const SourceId& source() const override { return settings_.source; }
    RegistrarReport reconcile(const Pass& pass) override;
    RegistrarReport unregister(const Pass& pass) override;

private:
    using RowsByClass = std::map<std::string, std::vector<ListenerRow>>;
    bool begin(RegistrarReport& report);
    void finish(RegistrarReport& report);
    bool refused_lately(const std::string& event_class, const Pass& pass) const;
    bool remove_all(RegistrarReport& report, const std::string& uri, const std::string& why);
    bool remove(RegistrarReport& report, const ListenerRow& row, const std::string& why);
    bool keep_right(RegistrarReport& report, const std::string& event_class, const std::vector<ListenerRow>& rows,
                    const Pass& pass);
    static bool leave(RegistrarReport& report, const std::string& event_class);
    bool create(RegistrarReport& report, const std::string& event_class, const Pass& pass);
    bool repair(RegistrarReport& report, const ListenerRow& row, const std::string& why, const Pass& pass);
    void refuse(RegistrarReport& report, const std::string& event_class, const std::string& why, const Pass& pass);
    void written(const ListenerRow& row);
    std::string drift(const ListenerRow& row) const;
    ListenerWish wish(const std::string& event_class) const;
    void say_what_is_worth_knowing(RegistrarReport& report) const;
    void say_what_cannot_arrive(RegistrarReport& report) const;

    ListenersSettings settings_;
    OcsClient client_;
    Remembered remembered_;
    std::string uri_;
};

}  // namespace orbridge::nextcloud
