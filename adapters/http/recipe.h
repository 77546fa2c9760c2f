#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/http/exchange.h"
#include "bridge/adapt/use.h"
#include "bridge/deliver/outbound_policy.h"
#include "bridge/deliver/recipe.h"

namespace orbridge::http_tasks {

struct TaskLimits {
    milliseconds connect_timeout{5'000};
    std::optional<milliseconds> timeout{};          ///< of the target; nothing: each task's own
    std::optional<std::size_t> answer_bytes_max{};  ///< likewise
};

/// Delivers by the tasks of a declared adapter. The dispatcher sends a task of one step; chains are run by hand.
class TaskRecipe final : public Recipe, public TaskRunner {
public:
    /// `now` is called from any thread. Where the address of a request does not stand in the configuration itself, it
    /// may only lead to where the policy lets it (integrations.md I12).
    TaskRecipe(AdapterUse use, TaskLimits limits, std::shared_ptr<const OutboundPolicy> policy,
               std::function<TimePoint()> now);

    Result<HttpRequest> request_for(const Delivery& delivery, const std::string& route) const override;
    Outcome outcome_of(const Delivery& delivery, const HttpResponse& response) const override;
    Outcome outcome_on(const Delivery& delivery, const std::string& route, const HttpResponse& response) const override;
    std::string shown(std::string text) const override;
    std::vector<TestStep> test(Transport& transport) const override;

    const AdapterUse& use() const override { return use_; }
    TaskResult run_task(const std::string& task, const std::string& params, Transport& transport) const override;
    TaskResult try_out(const Secret& credentials, Transport& transport, bool& refused) const override;

private:
    TaskResult run(const Task& task, AdapterUse::Ready ready, const std::string& params, Transport& transport,
                   bool& refused) const;
    Result<HttpRequest> written(const Task& task, const ExchangeSpec& spec, const Scope& scope, Mask& mask) const;
    Mask mask_of(const AdapterUse::Ready& ready) const;
    bool address_is_given(const ExchangeSpec& spec) const;

    const AdapterUse use_;
    const TaskLimits limits_;
    const std::shared_ptr<const OutboundPolicy> policy_;
    const std::function<TimePoint()> now_;
};

}  // namespace orbridge::http_tasks
