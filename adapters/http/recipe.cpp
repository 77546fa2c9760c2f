#include "adapters/http/recipe.h"

#include <algorithm>
#include <utility>

#include "adapters/http/attempt.h"

namespace orbridge::http_tasks {
namespace {

Error wrong(std::string message) { return {Error::Kind::Invalid, std::move(message)}; }

TaskResult failed(std::string message) { return {.success = false, .message = std::move(message)}; }

}  // namespace

TaskRecipe::TaskRecipe(AdapterUse use, TaskLimits limits, std::shared_ptr<const OutboundPolicy> policy,
                       std::function<TimePoint()> now)
    : use_(std::move(use)), limits_(limits), policy_(std::move(policy)), now_(std::move(now)) {}

/// All that it is made of stands in the file of the adapter or of the configuration.
bool TaskRecipe::address_is_given(const ExchangeSpec& spec) const {
    if (use_.is_trial()) return false;
    const bool whole = !spec.url.paths().empty() || spec.path.json(Scope()) == "\"\"";
    if (!whole && !use_.base_url().empty()) return true;
    const auto paths = whole ? spec.url.paths() : use_.adapter().base_url.paths();
    return std::all_of(paths.begin(), paths.end(), [&](const std::string& path) {
        if (path.starts_with("config.")) return true;
        return path.starts_with("credentials.") && use_.stored_credentials().empty();
    });
}

Result<HttpRequest> TaskRecipe::written(const Task& task, const ExchangeSpec& spec, const Scope& scope,
                                        Mask& mask) const {
    const Writing writing{.adapter = use_.adapter(),
                          .base_url = use_.base_url(),
                          .now = now_(),
                          .connect_timeout = limits_.connect_timeout,
                          .timeout = limits_.timeout.value_or(task.timeout),
                          .answer_bytes_max = limits_.answer_bytes_max.value_or(task.answer_bytes_max)};
    auto request = write_request(spec, writing, scope, mask);
    if (!request || address_is_given(spec)) return request;
    auto url = policy_->judge_url(request->url);
    if (!url) return wrong("the address is refused: " + url.error().message);
    request->may_connect = [policy = policy_, url = *url](const std::string& address) -> Status {
        const auto ip = parse_ip(address);
        if (!ip) return wrong("the address cannot be read");
        return policy->judge_address(url, *ip);
    };
    return request;
}

std::shared_ptr<const Recipe> TaskRecipe::for_attempt(const Delivery& delivery, const std::string& route) const {
    const auto* task = use_.task_on(route);
    if (task == nullptr) return nullptr;  // request_for() says so
    return std::make_shared<TaskAttempt>(*this, *task, use_.ready_for(delivery), use_.params_for(delivery, route),
                                         delivery);
}

std::shared_ptr<const Recipe> TaskRecipe::attempt_at(const Task& task, const std::string& params,
                                                     const Delivery& delivery) const {
    return std::make_shared<TaskAttempt>(*this, task, use_.ready_for(delivery), use_.checked(task, params), delivery);
}

Result<HttpRequest> TaskRecipe::request_for(const Delivery& delivery, const std::string& route) const {
    const auto attempt = for_attempt(delivery, route);
    if (!attempt) return wrong("no task is configured for this target on route " + route);
    return attempt->request_for(delivery, route);
}

Outcome TaskRecipe::outcome_of(const Delivery& delivery, const HttpResponse& response) const {
    return outcome_on(delivery, {}, response);
}

Outcome TaskRecipe::outcome_on(const Delivery& delivery, const std::string& route, const HttpResponse& response) const {
    const auto attempt = for_attempt(delivery, route);
    if (!attempt) return Retry{.reason = "the task was taken away before the answer came", .unclear = true};
    return attempt->outcome_of(delivery, response);
}

std::string TaskRecipe::shown(std::string text) const {
    return TaskAttempt(*this, use_.adapter().test, use_.ready(), std::string("{}"), {}).shown(std::move(text));
}

TaskResult TaskRecipe::run_task(const std::string& name, const std::string& params, Transport& transport) const {
    const auto prepared = use_.prepare(name, params);
    if (!prepared) return failed(prepared.error().message);
    bool refused = false;
    return run_by_hand(*this, *prepared->task, prepared->ready, prepared->params, transport, refused);
}

TaskResult TaskRecipe::try_out(const Secret& credentials, Transport& transport, bool& refused) const {
    auto ready = use_.ready_with(credentials);
    if (!ready) return failed(ready.error().message);
    return run_by_hand(*this, use_.adapter().test, *ready, "{}", transport, refused);
}

std::vector<TestStep> TaskRecipe::test(Transport& transport) const {
    auto ready = use_.ready();
    if (!ready) return {{"credentials", TestStep::Verdict::Failed, ready.error().message}};
    bool refused = false;
    const auto result = run_by_hand(*this, use_.adapter().test, *ready, "{}", transport, refused);
    return {{use_.adapter().name, result.success ? TestStep::Verdict::Ok : TestStep::Verdict::Failed, result.message}};
}

}  // namespace orbridge::http_tasks
