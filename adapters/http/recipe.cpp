#include "adapters/http/recipe.h"

#include <algorithm>
#include <utility>

#include "bridge/core/text.h"
#include "bridge/deliver/retry_after.h"

namespace orbridge::http_tasks {
namespace {

Error wrong(std::string message) { return {Error::Kind::Invalid, std::move(message)}; }

Outcome outcome_for(const Reading& reading, const HttpResponse& response, const Mask& mask, TimePoint now) {
    if (reading.is == AnswerClass::Delivered) return Delivered{};
    const auto reason = mask(reading.message);
    if (reading.is == AnswerClass::Rejected) return Rejected{reason};
    Retry retry;
    retry.reason = reason;
    retry.at_least = std::max(retry_after(response), until_rate_reset(response, now));
    if (reading.is == AnswerClass::RateLimited) retry.why = Retry::Why::RateLimited;
    if (reading.is == AnswerClass::Unauthorized) retry.why = Retry::Why::Misconfigured;
    return retry;
}

/// Whoever takes it knows it again by that.
bool has_idempotency_key(const HttpRequest& request) {
    return find_header(request.headers, "Idempotency-Key") != nullptr;
}

TaskResult failed(std::string message) { return {.success = false, .message = std::move(message)}; }

/// The scope that a delivery's answer is read with: its parameters are gone with the request by then.
bool is_about_credentials(const Reading& reading) { return reading.is == AnswerClass::Unauthorized; }

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

Result<HttpRequest> TaskRecipe::request_for(const Delivery& delivery, const std::string& route) const {
    const auto* task = use_.task_on(route);
    if (task == nullptr) return wrong("no task is configured for this target on route " + route);
    auto ready = use_.ready();
    if (!ready) return ready.error();
    const auto params = use_.params_for(delivery, route);
    if (!params) return wrong(ready->mask(params.error().message));
    auto& scope = ready->scope;
    if (auto set = scope.set("params", *params); !set) return set.error();
    const auto event = use_.event_of(delivery);
    if (!event) return wrong(ready->mask(event.error().message));
    if (auto set = scope.set("event", *event); !set) return set.error();
    if (auto set = scope.set("delivery", R"({"id":)" + json_string(delivery.id.value) + "}"); !set) return set.error();
    const auto* spec = choose(task->steps.front(), scope);
    if (spec == nullptr) return wrong("none of the ways of " + task->name + " fits these credentials");
    auto request = written(*task, *spec, scope, ready->mask);
    if (!request) return Error{request.error().kind, ready->mask(request.error().message)};
    if (delivery.unclear && !task->repeatable && !has_idempotency_key(*request))
        return wrong("an earlier attempt may have arrived, and " + task->name + " is not repeatable");
    return request;
}

Outcome TaskRecipe::outcome_of(const Delivery& delivery, const HttpResponse& response) const {
    return outcome_on(delivery, {}, response);
}

Outcome TaskRecipe::outcome_on(const Delivery&, const std::string& route, const HttpResponse& response) const {
    const auto* task = use_.task_on(route);
    auto ready = use_.ready();
    if (task == nullptr || !ready)
        return Retry{.reason = "the task or its credentials were taken away before the answer came", .unclear = true};
    const auto* spec = choose(task->steps.front(), ready->scope);
    if (spec == nullptr) spec = &task->steps.front().front();
    ready->mask = mask_of(*ready);
    const auto reading = read_answer(*spec, response, ready->scope, ready->mask);
    if (is_about_credentials(reading)) use_.report(*ready, false, ready->mask(reading.message));
    if (reading.is == AnswerClass::Delivered) use_.report(*ready, true, "");
    return outcome_for(reading, response, ready->mask, now_());
}

/// User and password of Basic are one text on the wire, which answers may repeat.
Mask TaskRecipe::mask_of(const AdapterUse::Ready& ready) const {
    auto mask = ready.mask;
    const auto& auth = use_.adapter().auth;
    if (auth.how != AuthSpec::How::Basic) return mask;
    const auto user = auth.user.text(ready.scope, Encoding::Header);
    const auto password = auth.password.text(ready.scope, Encoding::Header);
    if (user && password) mask.add(*user + ':' + *password);
    return mask;
}

std::string TaskRecipe::shown(std::string text) const {
    const auto ready = use_.ready();
    if (!ready) return {};  // rather nothing than a secret
    return mask_of(*ready)(std::move(text));
}

TaskResult TaskRecipe::run(const Task& task, AdapterUse::Ready ready, const std::string& params, Transport& transport,
                           bool& refused) const {
    auto& scope = ready.scope;
    auto& mask = ready.mask;
    TaskResult result;
    if (!scope.set("params", params)) return failed("params: cannot be read");
    (void)scope.set("event", "null");
    (void)scope.set("delivery", "null");
    std::vector<std::pair<std::string, std::string>> done;
    for (const auto& either : task.steps) {
        const auto* spec = choose(either, scope);
        StepReport step{.name = either.front().name, .success = false, .message = {}};
        if (spec == nullptr) {
            step.message = "none of the ways of " + task.name + " fits these credentials";
        } else if (auto request = written(task, *spec, scope, mask); !request) {
            step.message = mask(request.error().message);
        } else {
            const auto begun = std::chrono::steady_clock::now();
            const auto came = exchange(transport, *std::move(request));
            step.duration = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
            if (const auto* failure = std::get_if<TransportFailure>(&came)) {
                step.message = mask(failure->reason);
            } else {
                const auto reading = read_answer(*spec, std::get<HttpResponse>(came), scope, mask);
                step.success = reading.is == AnswerClass::Delivered;
                step.message = mask(reading.message);
                refused = is_about_credentials(reading);
                result.data = mask(reading.data);
                if (refused || step.success) use_.report(ready, step.success, refused ? step.message : "");
                done.emplace_back(spec->name, R"({"message":)" + json_string(reading.message) + R"(,"data":)" +
                                                  (reading.data.empty() ? "null" : reading.data) + "}");
            }
        }
        result.success = step.success;
        result.message = step.message;
        if (task.steps.size() > 1) result.steps.push_back(step);
        if (!step.success) break;
        JsonWriter steps;
        steps.object();
        for (const auto& [name, json] : done) steps.member_raw(name, json);
        (void)scope.set("steps", steps.end().text());
    }
    if (!result.success) result.data.clear();
    const auto given = JsonDocument::parse(params);
    if (given) result.params = mask(masked(task.params, (*given)->root()));
    return result;
}

TaskResult TaskRecipe::run_task(const std::string& name, const std::string& params, Transport& transport) const {
    const auto* task = use_.task(name);
    if (task == nullptr) {
        std::vector<std::string> names;
        for (const auto& [each, declared] : use_.adapter().tasks) names.push_back(each);
        return failed("adapter " + use_.adapter().name + " has no task of this name: there is " + join(names, ", "));
    }
    auto ready = use_.ready();
    if (!ready) return failed(ready.error().message);
    const auto checked = use_.checked(*task, params);
    if (!checked) return failed(ready->mask(checked.error().message));
    bool refused = false;
    return run(*task, std::move(*ready), *checked, transport, refused);
}

TaskResult TaskRecipe::try_out(const Secret& credentials, Transport& transport, bool& refused) const {
    auto ready = use_.ready_with(credentials);
    if (!ready) return failed(ready.error().message);
    return run(use_.adapter().test, std::move(*ready), "{}", transport, refused);
}

std::vector<TestStep> TaskRecipe::test(Transport& transport) const {
    auto ready = use_.ready();
    if (!ready) return {{"credentials", TestStep::Verdict::Failed, ready.error().message}};
    bool refused = false;
    const auto result = run(use_.adapter().test, std::move(*ready), "{}", transport, refused);
    return {{use_.adapter().name, result.success ? TestStep::Verdict::Ok : TestStep::Verdict::Failed, result.message}};
}

}  // namespace orbridge::http_tasks
