#include "adapters/chain/recipe.h"

#include <algorithm>
#include <utility>

#include "bridge/core/json.h"

namespace orbridge::chain {
namespace {

/// What Progress::done says: `{"steps": {name: {message, data}}, "within": {…}}`, where `within` is the progress in the
/// step that comes next.
class Done {
public:
    explicit Done(const std::string& text) {
        auto document = JsonDocument::parse(text.empty() ? "{}" : text);
        if (document) document_ = *std::move(document);
    }
    bool has(const std::string& step) const { return document_ && document_->root()["steps"][step].present(); }
    std::string steps() const { return raw_of("steps", "{}"); }
    std::string within() const { return raw_of("within", ""); }
    std::string with_step(const std::string& name, const Delivered& delivered) const {
        JsonWriter json;
        json.object().key("steps").object();
        write_steps(json);
        json.key(name).object().member("message", delivered.message);
        json.member_raw("data", delivered.data.empty() ? "null" : delivered.data);
        return json.end().end().end().text();
    }
    std::string with_within(const std::string& within) const {
        JsonWriter json;
        json.object().key("steps").object();
        write_steps(json);
        return json.end().member_raw("within", within).end().text();
    }

private:
    std::string raw_of(const char* member, const char* otherwise) const {
        const auto value = document_ ? document_->root()[member] : Json();
        return value.present() ? std::string(value.raw()) : otherwise;
    }
    void write_steps(JsonWriter& json) const {
        if (!document_) return;
        for (const auto& member : document_->root()["steps"].members())
            json.raw_key(member.raw_key).raw(member.value.raw());
    }
    JsonPtr document_;
};

/// The first step that is not done. Steps that are called otherwise by now count as not done.
std::size_t next_step(const Steps& steps, const Done& done) {
    std::size_t next = 0;
    while (next + 1 < steps.size() && done.has(steps[next].name)) ++next;
    return next;
}

/// Each step is something of its own to whoever tells repetitions by their id, Windmill among them, which wants a UUID.
Delivery for_step(const Delivery& delivery, const Step& step) {
    auto own = delivery;
    own.id = derived_delivery_id(delivery.event.occurred_at, delivery.id.value + ':' + step.name);
    return own;
}

Result<std::string> params_for(const Step& step, const Delivery& delivery, const std::string& steps) {
    Scope scope;
    const auto event = step.runner->use().event_of(delivery);
    if (!event) return event.error();
    if (auto set = scope.set("event", *event); !set) return set.error();
    if (auto set = scope.set("delivery", delivery_json(delivery)); !set) return set.error();
    const auto before = step.runner->use().steps_of(steps);
    if (!before) return before.error();
    if (auto set = scope.set("steps", *before); !set) return set.error();
    auto params = render(step.params, scope);
    return params.empty() ? std::string("{}") : params;
}

/// One attempt at the step that comes next.
class ChainAttempt final : public Recipe {
public:
    ChainAttempt(const Steps& steps, std::size_t progress_bytes_max, const Delivery& delivery)
        : steps_(steps), progress_bytes_max_(progress_bytes_max), done_(delivery.progress.done) {
        at_ = next_step(steps_, done_);
        auto own = for_step(delivery, step());
        own.progress.done = done_.within();
        auto params = params_for(step(), own, done_.steps());
        fault_ = params ? std::string() : params.error().message;
        inner_ = step().runner->attempt_at(*step().task, params ? *params : "null", own);
    }

    Result<HttpRequest> request_for(const Delivery& delivery, const std::string& route) const override {
        if (!fault_.empty()) return Error{Error::Kind::Invalid, told(fault_)};
        auto request = inner_->request_for(for_step(delivery, step()), route);
        if (!request) return Error{request.error().kind, told(request.error().message)};
        return request;
    }
    Outcome outcome_of(const Delivery& delivery, const HttpResponse& response) const override {
        return of_step(inner_->outcome_of(for_step(delivery, step()), response));
    }
    bool blocks(const std::string& route) const override { return fault_.empty() && inner_->blocks(route); }
    Performed perform(const Delivery& delivery, const std::string& route, Transport& transport,
                      const std::stop_token& stop) const override {
        auto performed = inner_->perform(for_step(delivery, step()), route, transport, stop);
        performed.outcome = of_step(std::move(performed.outcome));
        return performed;
    }
    std::string shown(std::string text) const override { return inner_->shown(std::move(text)); }
    std::optional<RunRow> run() const override {
        auto run = inner_->run();
        if (run) run->step = run->step.empty() ? step().name : step().name + '.' + run->step;
        return run;
    }

private:
    const Step& step() const { return steps_[at_]; }
    std::string told(const std::string& reason) const { return "step " + step().name + ": " + reason; }

    Outcome of_step(Outcome outcome) const {
        if (auto* retry = std::get_if<Retry>(&outcome)) retry->reason = told(retry->reason);
        if (auto* rejected = std::get_if<Rejected>(&outcome)) rejected->reason = told(rejected->reason);
        if (auto* advanced = std::get_if<Advanced>(&outcome))
            return advance(done_.with_within(advanced->done), advanced->message);
        const auto* delivered = std::get_if<Delivered>(&outcome);
        if (delivered == nullptr || at_ + 1 == steps_.size()) return outcome;
        return advance(done_.with_step(step().name, *delivered), delivered->message);
    }
    Outcome advance(std::string done, const std::string& message) const {
        if (done.size() <= progress_bytes_max_) return Advanced{std::move(done), message};
        return Rejected{told("what the steps brought so far is larger than `adapters.step_data_bytes_max` (" +
                             std::to_string(progress_bytes_max_) + " bytes)")};
    }

    const Steps& steps_;
    const std::size_t progress_bytes_max_;
    const Done done_;
    std::size_t at_ = 0;
    std::string fault_;
    std::shared_ptr<const Recipe> inner_;
};

}  // namespace

ChainRecipe::ChainRecipe(ChainSettings settings) : settings_(std::move(settings)) {}

const Steps& ChainRecipe::steps_on(const std::string& route) const {
    const auto found = settings_.by_route.find(route);
    return found == settings_.by_route.end() ? settings_.steps : found->second;
}

std::shared_ptr<const Recipe> ChainRecipe::for_attempt(const Delivery& delivery, const std::string& route) const {
    const auto& steps = steps_on(route);
    if (steps.empty()) return nullptr;  // request_for() says so
    return std::make_shared<ChainAttempt>(steps, settings_.progress_bytes_max, delivery);
}

Result<HttpRequest> ChainRecipe::request_for(const Delivery& delivery, const std::string& route) const {
    const auto attempt = for_attempt(delivery, route);
    if (!attempt) return Error{Error::Kind::Invalid, "no steps are configured for this target on route " + route};
    return attempt->request_for(delivery, route);
}

Outcome ChainRecipe::outcome_of(const Delivery& delivery, const HttpResponse& response) const {
    return outcome_on(delivery, {}, response);
}

Outcome ChainRecipe::outcome_on(const Delivery& delivery, const std::string& route,
                                const HttpResponse& response) const {
    const auto attempt = for_attempt(delivery, route);
    if (!attempt) return Retry{.reason = "the steps were taken away before the answer came", .unclear = true};
    return attempt->outcome_of(delivery, response);
}

std::vector<const Step*> ChainRecipe::places() const {
    std::vector<const Step*> found;
    const auto add = [&](const Steps& steps) {
        for (const auto& step : steps) {
            const auto same = [&](const Step* other) { return other->target == step.target; };
            if (std::none_of(found.begin(), found.end(), same)) found.push_back(&step);
        }
    };
    add(settings_.steps);
    for (const auto& [route, steps] : settings_.by_route) add(steps);
    return found;
}

bool ChainRecipe::blocks(const std::string& route) const {
    const auto& steps = steps_on(route);
    return std::any_of(steps.begin(), steps.end(), [&](const Step& step) { return step.recipe->blocks(route); });
}

std::string ChainRecipe::shown(std::string text) const {
    for (const auto* place : places()) text = place->recipe->shown(std::move(text));
    return text;
}

bool ChainRecipe::has_stored_credentials() const {
    const auto all = places();
    return std::any_of(all.begin(), all.end(), [](const Step* each) { return each->recipe->has_stored_credentials(); });
}

std::vector<TestStep> ChainRecipe::test(Transport& transport) const {
    std::vector<TestStep> all;
    for (const auto* place : places()) {
        for (auto& line : place->recipe->test(transport)) {
            line.name = place->target.value + ": " + line.name;
            all.push_back(std::move(line));
        }
    }
    return all;
}

}  // namespace orbridge::chain
