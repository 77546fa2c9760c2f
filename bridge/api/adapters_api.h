#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/registry.h"
#include "bridge/adapt/use.h"
#include "bridge/core/http.h"
#include "bridge/credentials/catalogue.h"
#include "bridge/deliver/transport.h"
#include "bridge/record/audit_trail.h"

namespace orbridge {

using Recipes = std::map<TargetId, std::shared_ptr<const Recipe>>;

/// The part of the admin API that is about adapters and their tasks, and what the credentials' part asks about them.
/// Safe from any thread; everything given to it must outlive it.
class AdaptersApi {
public:
    struct Parts {
        std::function<std::shared_ptr<const AdapterBox>()> adapters;
        /// One line for each thing wrong with files that were left out.
        std::function<std::vector<std::string>()> faults;
        std::function<std::shared_ptr<const Recipes>()> recipes;
        /// The stored credentials of an adapter, each as `credentials main@global`.
        std::function<std::vector<std::string>(const std::string& adapter)> kept;
        Transport& transport;
        Store& store;  ///< keeps the history of runs
        const Clock& clock;
        AuditTrail& audit;
        /// Nothing if the caller may, else the 401.
        std::function<std::optional<Answer>(const InboundRequest&)> refuse;
    };
    explicit AdaptersApi(Parts parts) : parts_(std::move(parts)) {}

    Answer list(const InboundRequest& request) const;
    /// Takes its file away, which counts from the next reload on. 409 with the users if anything uses it
    /// (integrations.md K12).
    Answer remove(const InboundRequest& request, const std::string& adapter) const;
    /// Runs a task by hand, once, and waits for it; it stands in the history of runs then. 200 with `{success, message,
    /// data}` whatever comes of it.
    Answer run(const InboundRequest& request, const std::string& target, const std::string& task) const;
    /// The target's test, step by step.
    Answer test(const InboundRequest& request, const std::string& target) const;

    // For CredentialsApi.
    std::vector<AdapterForm> forms() const;
    std::vector<std::string> users(const std::string& adapter, const std::string& name) const;
    Result<CredentialTest> try_out(const CredentialName& which, const Secret& values, const std::string& config) const;

private:
    void keep_runs(const std::string& target, const std::string& task, const TaskResult& result, TimePoint began) const;

    Parts parts_;
};

}  // namespace orbridge
