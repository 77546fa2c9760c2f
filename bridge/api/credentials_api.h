#pragma once

#include <functional>
#include <optional>
#include <string>

#include "bridge/core/http.h"
#include "bridge/core/log.h"
#include "bridge/credentials/book.h"
#include "bridge/credentials/catalogue.h"
#include "bridge/record/audit_trail.h"

namespace orbridge {

/// The part of the admin API that is about credentials: integrations.md §5.2. No answer holds what a field that is
/// declared secret was given. Safe from any thread; everything given to it must outlive it.
class CredentialsApi {
public:
    struct Parts {
        CredentialBook& book;
        AdapterCatalogue adapters;
        Log& log;
        AuditTrail& audit;
        /// Nothing if the caller may, else the 401.
        std::function<std::optional<Answer>(const InboundRequest&)> refuse;
    };
    explicit CredentialsApi(Parts parts) : parts_(std::move(parts)) {}

    /// Of the credentials, or with `?of=config` of what a target says besides.
    Answer form(const InboundRequest& request, const std::string& adapter) const;
    /// Tries out what is in the body. Nothing is stored.
    Answer try_out(const InboundRequest& request, const std::string& adapter) const;
    Answer list(const InboundRequest& request) const;
    Answer show(const InboundRequest& request, const std::string& id) const;
    Answer put(const InboundRequest& request);
    Answer test(const InboundRequest& request, const std::string& id);
    Answer remove(const InboundRequest& request, const std::string& id);
    Answer rekey(const InboundRequest& request);
    /// What there is, without secrets, for import() elsewhere (integrations.md K13).
    Answer export_all(const InboundRequest& request) const;
    Answer import_all(const InboundRequest& request);

private:
    std::optional<AdapterForm> form_of(const std::string& adapter) const;
    void write_row(JsonWriter& json, const CredentialRow& row, const std::optional<AdapterForm>& form) const;
    Answer row_answer(const CredentialRow& row) const;
    std::optional<CredentialRow> row_of(const CredentialName& which) const;
    /// The old values of what is replaced; an empty object if there are none that open.
    Secret old_values(const CredentialName& which) const;
    Parts parts_;
};

}  // namespace orbridge
