#include "bridge/adapt/native.h"

#include <utility>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

using Is = NativeEnd::Is;

constexpr std::size_t kKeptBytes = 20'000;

TaskResult failed(std::string message) { return {.success = false, .message = std::move(message)}; }

Performed rejected(std::string reason) { return {.outcome = Rejected{std::move(reason)}}; }

Outcome outcome_of(const NativeEnd& end) {
    switch (end.is) {
        case Is::Done: return Delivered{.message = end.message, .data = end.data};
        case Is::Rejected: return Rejected{end.message};
        case Is::Timeout: return Retry{.reason = end.message, .why = Retry::Why::Timeout, .unclear = end.unclear};
        case Is::Misconfigured:
        case Is::Unauthorized:
            return Retry{.reason = end.message, .why = Retry::Why::Misconfigured, .unclear = end.unclear};
        case Is::Trouble: break;
    }
    return Retry{.reason = end.message, .unclear = end.unclear};
}

/// Of a run by hand, which has no delivery.
std::string id_by_hand() {
    return "by-hand-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
}

}  // namespace

NativeRecipe::NativeRecipe(AdapterUse use, NativeLimits limits, std::unique_ptr<const NativeTasks> tasks)
    : use_(std::move(use)), limits_(std::move(limits)), tasks_(std::move(tasks)) {}

Result<HttpRequest> NativeRecipe::request_for(const Delivery&, const std::string&) const {
    return Error{Error::Kind::Invalid, "adapter " + use_.adapter().name + " makes no HTTP requests"};
}

Outcome NativeRecipe::outcome_of(const Delivery&, const HttpResponse&) const {
    return Rejected{"adapter " + use_.adapter().name + " reads no HTTP answers"};
}

NativeEnd NativeRecipe::run(const Task& task, AdapterUse::Ready& ready, const std::string& params,
                            const std::string& id, const std::stop_token& stop) const {
    if (auto set = ready.scope.set("params", params); !set)
        return {.is = Is::Rejected, .message = "params: unreadable"};
    const NativeRun run{.task = task.name,
                        .params = ready.scope.find("params"),
                        .credentials = ready.scope.find("credentials"),
                        .config = ready.scope.find("config"),
                        .id = id,
                        .address_from_others = use_.is_trial(),
                        .connect_timeout = limits_.connect_timeout,
                        .until = std::chrono::steady_clock::now() + limits_.timeout.value_or(task.timeout),
                        .answer_bytes_max = limits_.answer_bytes_max.value_or(task.answer_bytes_max),
                        .stop = stop};
    auto end = tasks_->run(run);
    end.message = ready.mask(on_one_line(end.message));
    end.data = ready.mask(std::move(end.data));
    if (end.is == Is::Unauthorized) use_.report(ready, false, end.message);
    if (end.is == Is::Done) use_.report(ready, true, "");
    return end;
}

/// One attempt at a task: credentials and parameters are fetched once.
class NativeRecipe::Attempt final : public Recipe {
public:
    Attempt(const NativeRecipe& of, const Task& task, const Delivery& delivery, Result<std::string> params)
        : of_(of), task_(task), ready_(of.use_.ready_for(delivery)), params_(std::move(params)) {}

    Result<HttpRequest> request_for(const Delivery& delivery, const std::string& route) const override {
        return of_.request_for(delivery, route);
    }
    Outcome outcome_of(const Delivery& delivery, const HttpResponse& response) const override {
        return of_.outcome_of(delivery, response);
    }
    bool blocks(const std::string&) const override { return true; }
    Performed perform(const Delivery& delivery, const std::string&, Transport&,
                      const std::stop_token& stop) const override {
        if (delivery.unclear && !task_.repeatable)
            return rejected("an earlier attempt may have arrived, and " + task_.name + " is not repeatable");
        if (!ready_) return {.outcome = Retry{.reason = ready_.error().message}};
        if (!params_) return rejected(ready_->mask(params_.error().message));
        auto ready = *ready_;
        auto end = of_.run(task_, ready, *params_, delivery.id.value, stop);
        auto outcome = orbridge::outcome_of(end);
        if (end.data.size() > kKeptBytes) end.data.resize(kKeptBytes);
        return {.outcome = std::move(outcome),
                .answered = end.answered,
                .answer = std::move(end.data),
                .not_begun = stop.stop_requested() && !end.sent};
    }
    std::string shown(std::string text) const override {
        return ready_ ? ready_->mask(std::move(text)) : std::string();  // rather nothing than a secret
    }
    std::optional<RunRow> run() const override {
        RunRow run;
        run.task = task_.name;
        run.params = "null";
        const auto given = JsonDocument::parse(params_ ? *params_ : "null");
        if (ready_ && given && (*given)->root().is_object())
            run.params = ready_->mask(masked(task_.params, (*given)->root()));
        return run;
    }

private:
    const NativeRecipe& of_;
    const Task& task_;
    const Result<AdapterUse::Ready> ready_;
    const Result<std::string> params_;
};

std::shared_ptr<const Recipe> NativeRecipe::for_attempt(const Delivery& delivery, const std::string& route) const {
    const auto* task = use_.task_on(route);
    if (task == nullptr) return nullptr;  // perform() says so
    return std::make_shared<Attempt>(*this, *task, delivery, use_.params_for(delivery, route));
}

std::shared_ptr<const Recipe> NativeRecipe::attempt_at(const Task& task, const std::string& params,
                                                       const Delivery& delivery) const {
    return std::make_shared<Attempt>(*this, task, delivery, use_.checked(task, params));
}

Performed NativeRecipe::perform(const Delivery& delivery, const std::string& route, Transport& transport,
                                const std::stop_token& stop) const {
    const auto attempt = for_attempt(delivery, route);
    if (!attempt) return rejected("no task is configured for this target on route " + route);
    return attempt->perform(delivery, route, transport, stop);
}

std::string NativeRecipe::shown(std::string text) const {
    const auto ready = use_.ready();
    if (!ready) return {};  // rather nothing than a secret
    return ready->mask(std::move(text));
}

TaskResult NativeRecipe::by_hand(const Task& task, AdapterUse::Ready ready, const std::string& params,
                                 bool& refused) const {
    auto end = run(task, ready, params, id_by_hand(), limits_.stopping);
    refused = end.is == Is::Unauthorized;
    TaskResult result{.success = end.is == Is::Done, .message = std::move(end.message)};
    if (result.success) result.data = std::move(end.data);
    if (const auto given = JsonDocument::parse(params))
        result.params = ready.mask(masked(task.params, (*given)->root()));
    return result;
}

TaskResult NativeRecipe::run_task(const std::string& name, const std::string& params, Transport&) const {
    auto prepared = use_.prepare(name, params);
    if (!prepared) return failed(prepared.error().message);
    bool refused = false;
    return by_hand(*prepared->task, std::move(prepared->ready), prepared->params, refused);
}

TaskResult NativeRecipe::try_out(const Secret& credentials, Transport&, bool& refused) const {
    auto ready = use_.ready_with(credentials);
    if (!ready) return failed(ready.error().message);
    return by_hand(use_.adapter().test, std::move(*ready), "{}", refused);
}

std::vector<TestStep> NativeRecipe::test(Transport&) const {
    auto ready = use_.ready();
    if (!ready) return {{"credentials", TestStep::Verdict::Failed, ready.error().message}};
    bool refused = false;
    const auto result = by_hand(use_.adapter().test, std::move(*ready), "{}", refused);
    return {{use_.adapter().name, result.success ? TestStep::Verdict::Ok : TestStep::Verdict::Failed, result.message}};
}

}  // namespace orbridge
