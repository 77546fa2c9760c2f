#pragma once

#include <string>
#include <vector>

#include "adapters/openregister/api_client.h"
#include "bridge/run/registrar.h"
#include "bridge/run/remembered.h"

namespace orbridge::openregister {

struct HooksSettings {
    SourceId source;
    std::string public_url;
    Secret hook_token;                 ///< OpenRegister shows it to /engine
    std::vector<std::string> schemas;  ///< ids, uuids or slugs; `*` = all
};

/// Stands in as OpenRegister's Windmill and puts hooks on schemas. Hooks are for what has happened only, and
/// always `async`: with `sync`, or before the fact, our absence would make users' saves fail. OpenRegister
/// has one place for a Windmill: where another engine has it, nothing is touched.
class HooksRegistrar final : public Registrar {
public:
    /// The store must outlive it.
    HooksRegistrar(HooksSettings settings, ApiClient client, Store& store);

    const SourceId& source() const override { return settings_.source; }
    RegistrarReport reconcile(const Pass& pass) override;
    RegistrarReport unregister(const Pass& pass) override;

private:
    bool begin(RegistrarReport& report);
    void finish(RegistrarReport& report);
    bool keep_engine(RegistrarReport& report);
    bool create_engine(RegistrarReport& report);
    bool repair_engine(RegistrarReport& report, const Json& engine);
    void refuse_slot(RegistrarReport& report, const Json& engine) const;
    void keep_schemas(RegistrarReport& report, bool wanted);
    /// False: nothing more can be done in this pass.
    bool keep_schema(RegistrarReport& report, const Json& listed, bool wanted);
    bool wants(const Json& schema) const;
    bool is_ours(const Json& hook) const;
    bool is_right(const Json& hooks, bool wanted) const;
    std::string hooks_with_ours(const Json& hooks, bool wanted) const;
    void say_what_is_missing(RegistrarReport& report, const Rows& schemas) const;
    void say_what_cannot_arrive(RegistrarReport& report) const;
    std::string engine_fields() const;

    HooksSettings settings_;
    ApiClient client_;
    Remembered remembered_;
    std::string base_url_, workflow_;
};

}  // namespace orbridge::openregister
