#include "adapters/http/attempt.h"

#include <utility>

#include "adapters/http/recipe.h"
#include "bridge/deliver/retry_after.h"

namespace orbridge::http_tasks {
namespace {

Error wrong(std::string message) { return {Error::Kind::Invalid, std::move(message)}; }

Outcome failure_for(const Reading& reading, const HttpResponse& response, const Mask& mask, TimePoint now) {
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

/// User and password of Basic are one text on the wire, which answers may repeat.
Mask mask_of(const AuthSpec& auth, const AdapterUse::Ready& ready) {
    auto mask = ready.mask;
    if (auth.how != AuthSpec::How::Basic) return mask;
    const auto user = auth.user.text(ready.scope, Encoding::Header);
    const auto password = auth.password.text(ready.scope, Encoding::Header);
    if (user && password) mask.add(*user + ':' + *password);
    return mask;
}

/// The members of `done`, an object or empty, and one more.
std::string with_step(const std::string& done, const std::string& name, const std::string& message,
                      const std::string& data) {
    JsonWriter json;
    json.object();
    const auto document = JsonDocument::parse(done.empty() ? "{}" : done);
    if (document) {
        for (const auto& member : (*document)->root().members()) json.raw_key(member.raw_key).raw(member.value.raw());
    }
    json.key(name).object().member("message", message).member_raw("data", data.empty() ? "null" : data);
    return json.end().end().text();
}

}  // namespace

TaskAttempt::TaskAttempt(const TaskRecipe& of, const Task& task, Result<AdapterUse::Ready> ready,
                         Result<std::string> params, const Delivery& delivery)
    : of_(of), task_(task), ready_(std::move(ready)), params_(std::move(params)) {
    find_step(delivery.progress.done);
    if (!ready_) return;
    mask_ = mask_of(of_.use().adapter().auth, *ready_);
    scope_ = ready_->scope;
    const bool by_hand = delivery.id.value.empty();
    (void)scope_.set("params", params_ ? *params_ : "null");
    (void)scope_.set("event", by_hand ? "null" : event_head_json(delivery));
    (void)scope_.set("delivery", by_hand ? "null" : delivery_json(delivery));
    if (!done_.empty()) (void)scope_.set("steps", done_);
}

/// Steps that are called otherwise by now count as not done: rather one twice than one never.
void TaskAttempt::find_step(const std::string& done) {
    const auto document = JsonDocument::parse(done.empty() ? "{}" : done);
    if (!document || task_.steps.size() < 2) return;
    done_ = done;
    const auto is_done = [&](std::size_t step) {
        return (*document)->root()[task_.steps[step].front().name].present();
    };
    while (step_ + 1 < task_.steps.size() && is_done(step_)) ++step_;
}

Result<HttpRequest> TaskAttempt::request_for(const Delivery& delivery, const std::string&) const {
    if (!ready_) return ready_.error();
    if (!params_) return wrong(mask_(params_.error().message));
    auto scope = scope_;
    if (!delivery.id.value.empty()) {
        const auto event = of_.use().event_of(delivery);
        if (!event) return wrong(mask_(event.error().message));
        if (auto set = scope.set("event", *event); !set) return set.error();
    }
    if (!done_.empty()) {
        const auto before = of_.use().steps_of(done_);
        if (!before) return wrong(mask_(before.error().message));
        if (auto set = scope.set("steps", *before); !set) return set.error();
    }
    const auto* spec = choose(either(), scope);
    if (spec == nullptr) return wrong("none of the ways of " + task_.name + " fits these credentials");
    auto mask = mask_;
    auto request = of_.written(task_, *spec, scope, mask);
    if (!request) return Error{request.error().kind, mask(request.error().message)};
    if (delivery.unclear && !spec->repeatable && !has_idempotency_key(*request))
        return wrong("an earlier attempt may have arrived, and " + task_.name + " is not repeatable");
    return request;
}

Outcome TaskAttempt::outcome_of(const Delivery&, const HttpResponse& response) const {
    if (!ready_) return Retry{.reason = "the credentials were taken away before the answer came", .unclear = true};
    auto scope = scope_;
    const auto* spec = choose(either(), scope);
    if (spec == nullptr) spec = &either().front();
    const auto reading = read_answer(*spec, response, scope, mask_);
    const bool refused = reading.is == AnswerClass::Unauthorized;
    if (refused) of_.use().report(*ready_, false, mask_(reading.message));
    if (reading.is == AnswerClass::Delivered) of_.use().report(*ready_, true, "");
    return reading.is == AnswerClass::Delivered ? succeeded(reading) : failure_for(reading, response, mask_, of_.now());
}

/// What is kept for later steps is on disk: they see it masked as well.
Outcome TaskAttempt::succeeded(const Reading& reading) const {
    if (step_ + 1 < task_.steps.size()) return advanced(reading);
    return Delivered{.message = mask_(reading.message), .data = mask_(reading.data)};
}

Outcome TaskAttempt::advanced(const Reading& reading) const {
    const auto message = mask_(reading.message);
    auto done = with_step(done_, step(), message, mask_(reading.data));
    if (done.size() > of_.limits().progress_bytes_max) {
        return Rejected{"what the steps brought up to `" + step() +
                        "` is larger than `adapters.step_data_bytes_max` (" +
                        std::to_string(of_.limits().progress_bytes_max) + " bytes)"};
    }
    return Advanced{std::move(done), message};
}

std::string TaskAttempt::shown(std::string text) const {
    if (!ready_) return {};  // rather nothing than a secret
    return mask_(std::move(text));
}

std::optional<RunRow> TaskAttempt::run() const {
    RunRow run;
    run.task = task_.name;
    run.step = step();
    run.params = "null";
    const auto given = JsonDocument::parse(params_ ? *params_ : "null");
    if (given && (*given)->root().is_object()) run.params = mask_(masked(task_.params, (*given)->root()));
    return run;
}

TaskResult run_by_hand(const TaskRecipe& of, const Task& task, const AdapterUse::Ready& ready,
                       const std::string& params, Transport& transport, bool& refused) {
    TaskResult result;
    Delivery nobodys;
    while (true) {
        const TaskAttempt attempt(of, task, ready, params, nobodys);
        StepReport step{.name = attempt.step(), .success = false, .message = {}};
        Outcome outcome = Rejected{};
        const auto begun = std::chrono::steady_clock::now();
        if (auto request = attempt.request_for(nobodys, {}); !request) {
            outcome = Rejected{request.error().message};
        } else {
            const auto came = exchange(transport, *std::move(request));
            const auto* failure = std::get_if<TransportFailure>(&came);
            outcome = failure != nullptr ? Outcome(Retry{.reason = attempt.shown(failure->reason)})
                                         : attempt.outcome_of(nobodys, std::get<HttpResponse>(came));
        }
        step.duration = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
        std::visit(Overloaded{[&](const Delivered& delivered) {
                                  step.success = true;
                                  step.message = delivered.message;
                                  result.data = delivered.data;
                              },
                              [&](const Advanced& advanced) {
                                  step.success = true;
                                  step.message = advanced.message;
                                  nobodys.progress.done = advanced.done;
                              },
                              [&](const Retry& retry) {
                                  step.message = retry.reason;
                                  refused = retry.why == Retry::Why::Misconfigured;
                              },
                              [&](const Rejected& rejected) { step.message = rejected.reason; }},
                   outcome);
        result.success = step.success;
        result.message = step.message;
        result.params = attempt.run()->params;
        if (task.steps.size() > 1) result.steps.push_back(std::move(step));
        if (!std::holds_alternative<Advanced>(outcome)) return result;
    }
}

}  // namespace orbridge::http_tasks
