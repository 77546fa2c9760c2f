#pragma once

#include <memory>
#include <optional>
#include <string>

#include "adapters/http/exchange.h"
#include "bridge/adapt/use.h"
#include "bridge/deliver/recipe.h"

namespace orbridge::http_tasks {

class TaskRecipe;

/// One attempt at one exchange of a task: the first of its steps that the delivery's progress does not name. It holds
/// the credentials and parameters from the request to the end of the answer, so that they are fetched once. Of several
/// steps each is an attempt of its own, so that what is done is on disk before the next begins (integrations.md T3).
/// Immutable. The recipe must outlive it.
class TaskAttempt final : public Recipe {
public:
    /// `params` with their defaults, or what is wrong with them. Without a delivery (its id is empty) there is no
    /// event.
    TaskAttempt(const TaskRecipe& of, const Task& task, Result<AdapterUse::Ready> ready, Result<std::string> params,
                const Delivery& delivery);

    Result<HttpRequest> request_for(const Delivery& delivery, const std::string& route) const override;
    Outcome outcome_of(const Delivery& delivery, const HttpResponse& response) const override;
    std::string shown(std::string text) const override;
    std::optional<RunRow> run() const override;

    /// The step's name; empty: the task has but one.
    const std::string& step() const { return either().front().name; }

private:
    const std::vector<ExchangeSpec>& either() const { return task_.steps[step_]; }
    void find_step(const std::string& done);
    Outcome advanced(const Reading& reading) const;
    Outcome succeeded(const Reading& reading) const;

    const TaskRecipe& of_;
    const Task& task_;
    Result<AdapterUse::Ready> ready_;
    Result<std::string> params_;
    Mask mask_;         ///< of the answer
    Scope scope_;       ///< all but the event's payload, which may be large
    std::string done_;  ///< JSON: the steps that are done, by name
    std::size_t step_ = 0;
};

/// `steps` of the attempts at a task by hand, one after the other, and what they came to.
TaskResult run_by_hand(const TaskRecipe& of, const Task& task, const AdapterUse::Ready& ready,
                       const std::string& params, Transport& transport, bool& refused);

}  // namespace orbridge::http_tasks
