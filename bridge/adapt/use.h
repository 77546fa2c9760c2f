#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bridge/adapt/adapter.h"
#include "bridge/core/delivery.h"
#include "bridge/core/mask.h"
#include "bridge/credentials/book.h"
#include "bridge/deliver/recipe.h"
#include "bridge/settings/settings.h"

namespace orbridge {

/// Credentials that are kept in the store. Empty outside of the daemon. Called from any thread.
struct CredentialAccess {
    std::function<Result<HeldCredential>(const CredentialName&)> values{};
    std::function<void(const HeldCredential&, bool valid, const std::string& message)> report{};
};

/// What a task came to, for people and for the steps behind it (integrations.md I8).
struct StepReport {
    std::string name;
    bool success = false;
    std::string message;
    milliseconds duration{0};
};
struct TaskResult {
    bool success = false;
    std::string message;
    std::string data{};               ///< JSON; empty: none
    std::vector<StepReport> steps{};  ///< of a task with `steps`
    std::string params{};             ///< JSON, what is secret masked
};

/// One target's use of an adapter: which task with which parameters for which route, with which credentials. What a
/// native adapter's recipe is made from as well. Immutable; safe from any thread.
class AdapterUse {
public:
    /// Reads `task`, `params`, `credentials`, `config` and `base_url` of the target, and `task` and `params` of the
    /// routes that lead to it; what is wrong goes to the nodes' complaints. Calls done() on the target's node.
    AdapterUse(const TargetSettings& target, const std::vector<RouteSettings>& routes,
               std::shared_ptr<const Adapter> adapter, CredentialAccess access);

    /// A use by no target, for trying credentials out: `config` is what a target would say in `config`, a JSON object,
    /// from who knows whom. Invalid: what is wrong with it.
    static Result<AdapterUse> trial(std::shared_ptr<const Adapter> adapter, const Json& config);

    /// What an event's payload, and then its whole record, is passed through before templates see it: JSON comes back
    /// without what the other side would act upon. Set before the first use.
    using Guard = std::function<Result<std::string>(const std::string& json, bool is_payload)>;
    void set_guard(Guard guard) { guard_ = std::move(guard); }
    /// The record of an event as templates see it. Invalid: the guard refuses it.
    Result<std::string> event_of(const Delivery& delivery) const;
    /// The same for what earlier steps brought, JSON.
    Result<std::string> steps_of(const std::string& json) const { return guard_ ? guard_(json, false) : json; }

    const Adapter& adapter() const { return *adapter_; }
    bool is_trial() const { return target_.value.empty(); }
    const TargetId& target() const { return target_; }
    const std::string& base_url() const { return base_url_; }  ///< of the target; empty: the adapter's
    /// The name of the stored credentials; empty: they stand in the configuration, or there are none.
    const std::string& stored_credentials() const { return stored_; }
    const std::string& config() const { return config_; }  ///< JSON, with its defaults

    /// The task of a route; nothing: neither it nor the target names one.
    const Task* task_on(const std::string& route) const;
    const Task* task(const std::string& name) const;
    /// The task's parameters out of an event, with their defaults, checked. Invalid: what is wrong with which.
    Result<std::string> params_for(const Delivery& delivery, const std::string& route) const;
    /// The same for parameters that somebody gives.
    Result<std::string> checked(const Task& task, const std::string& params) const;

    struct Ready {
        Scope scope;  ///< `credentials` and `config`
        Mask mask;
        std::optional<HeldCredential> held{};
    };
    /// Unavailable, `credentials_required: …`: they are not there. Those of the target's `owner`, else of all.
    Result<Ready> ready() const;
    /// For a target without `owner`: those of the register that the event is about, if it has its own
    /// (integrations.md K11).
    Result<Ready> ready_for(const Delivery& delivery) const;
    /// Those of before they are stored.
    Result<Ready> ready_with(const Secret& credentials) const;
    /// All that a run by hand needs.
    struct Prepared {
        const Task* task;  ///< never null; of this use's adapter
        Ready ready;
        std::string params;  ///< checked, with their defaults
    };
    /// Invalid: no such task, or what is wrong with the parameters; else as ready(). The message holds no secret.
    Result<Prepared> prepare(const std::string& task, const std::string& params) const;
    /// Told for stored ones only.
    void report(const Ready& ready, bool valid, const std::string& message) const;

private:
    AdapterUse() = default;
    struct Assignment {
        const Task* task = nullptr;
        Tree params;
    };
    void read_credentials(const ConfigNode& node);
    void read_owner(const ConfigNode& node);
    Result<Ready> ready_as(const std::string& owner) const;
    void read_routes(const ConfigNode& node, const std::vector<RouteSettings>& routes);
    Assignment assign(const std::string& task, const ConfigNode& task_node, const ConfigNode& own,
                      const std::optional<ConfigNode>& over) const;
    const Assignment* assignment(const std::string& route) const;

    TargetId target_;
    std::shared_ptr<const Adapter> adapter_;
    CredentialAccess access_;
    Guard guard_;
    std::string base_url_;
    std::string stored_;
    std::string owner_;   ///< whose credentials they are; empty: the event says it
    Secret inline_;       ///< JSON
    std::string config_;  ///< JSON
    Assignment own_;
    std::map<std::string, Assignment> by_route_;
};

/// What runs a target's tasks by hand, or as a step of another target's chain. A recipe that has tasks is one, too. Its
/// functions wait for the other side: from any thread but the transport's. They never fail otherwise than in the
/// result, which holds no secret.
class TaskRunner {
public:
    virtual ~TaskRunner() = default;
    virtual const AdapterUse& use() const = 0;
    /// A recipe for one attempt of a delivery at a task, with parameters that are templates no more, a JSON object.
    /// What the target's configuration says of them does not count. The delivery's progress is that of this task. Waits
    /// for nobody. This runner must outlive the recipe. Never empty.
    virtual std::shared_ptr<const Recipe> attempt_at(const Task& task, const std::string& params,
                                                     const Delivery& delivery) const = 0;
    /// `params` is a JSON object; what the target's configuration says of them does not count.
    virtual TaskResult run_task(const std::string& task, const std::string& params, Transport& transport) const = 0;
    /// The adapter's test, with credentials that need not be stored yet. `refused`: it was they that were refused.
    virtual TaskResult try_out(const Secret& credentials, Transport& transport, bool& refused) const = 0;
};

/// Of the values that are secret by their declaration.
Mask mask_of(const Fields& fields, const Json& values);

/// `register:3` of `object:3/12/<uuid>`; `global` of what is in no register.
std::string owner_of(const std::string& subject);

/// The record of an event as templates see it.
std::string event_json(const Delivery& delivery);
/// The same without its payload.
std::string event_head_json(const Delivery& delivery);
/// `{"id":…}`
std::string delivery_json(const Delivery& delivery);
/// What templates may say of an event and its delivery.
KnownNames event_names();
/// Complains at `node` about parameters that the task does not have, and about those it needs.
void check_params(const Task& task, const Tree& params, const ConfigNode& node);

}  // namespace orbridge
