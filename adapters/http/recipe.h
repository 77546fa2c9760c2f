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
    std::size_t progress_bytes_max = 256 << 10;     ///< of what the steps of a delivery bring
};

/// Delivers by the tasks of a declared adapter, each step of a task as an attempt of its own (attempt.h).
class TaskRecipe final : public Recipe, public TaskRunner {
public:
    /// `now` is called from any thread. Where the address of a request does not stand in the configuration itself, it
    /// may only lead to where the policy lets it (integrations.md I12).
    TaskRecipe(AdapterUse use, TaskLimits limits, std::shared_ptr<const OutboundPolicy> policy,
               std::function<TimePoint()> now);

    std::shared_ptr<const Recipe> for_attempt(const Delivery& delivery, const std::string& route) const override;
    // The same as by for_attempt(), anew each time.
    Result<HttpRequest> request_for(const Delivery& delivery, const std::string& route) const override;
    Outcome outcome_of(const Delivery& delivery, const HttpResponse& response) const override;
    Outcome outcome_on(const Delivery& delivery, const std::string& route, const HttpResponse& response) const override;
    std::string shown(std::string text) const override;
    bool has_stored_credentials() const override { return !use_.stored_credentials().empty(); }
    std::vector<TestStep> test(Transport& transport) const override;

    const AdapterUse& use() const override { return use_; }
    std::shared_ptr<const Recipe> attempt_at(const Task& task, const std::string& params,
                                             const Delivery& delivery) const override;
    TaskResult run_task(const std::string& task, const std::string& params, Transport& transport) const override;
    TaskResult try_out(const Secret& credentials, Transport& transport, bool& refused) const override;

    // For its attempts.
    const TaskLimits& limits() const { return limits_; }
    TimePoint now() const { return now_(); }
    Result<HttpRequest> written(const Task& task, const ExchangeSpec& spec, const Scope& scope, Mask& mask) const;

private:
    bool address_is_given(const ExchangeSpec& spec) const;

    const AdapterUse use_;
    const TaskLimits limits_;
    const std::shared_ptr<const OutboundPolicy> policy_;
    const std::function<TimePoint()> now_;
};

}  // namespace orbridge::http_tasks
