#include "bridge/api/adapters_api.h"

#include <filesystem>
#include <system_error>

#include "bridge/api/in_use.h"
#include "bridge/core/text.h"
#include "bridge/receive/error_answer.h"

namespace orbridge {
namespace {

const char* to_text(TestStep::Verdict verdict) {
    switch (verdict) {
        case TestStep::Verdict::Ok: return "ok";
        case TestStep::Verdict::Warning: return "warning";
        case TestStep::Verdict::Failed: return "failed";
        case TestStep::Verdict::Skipped: return "skipped";
    }
    return "";
}

void write_task(JsonWriter& json, const Task& task) {
    json.object().member("name", task.name).member("title", task.title);
    if (!task.description.empty()) json.member("description", task.description);
    json.member("repeatable", task.repeatable).member_raw("params", to_json_schema(task.params, task.title));
    json.end();
}

void write_adapter(JsonWriter& json, const Adapter& adapter) {
    json.object().member("name", adapter.name).member("title", adapter.title).member("kind", adapter.kind);
    if (!adapter.description.empty()) json.member("description", adapter.description);
    json.member("file", adapter.file).key("tasks").array();
    for (const auto& [name, task] : adapter.tasks) write_task(json, task);
    json.end().end();
}

std::string result_json(const TaskResult& result) {
    JsonWriter json;
    json.object().member("success", result.success).member("message", result.message);
    if (!result.data.empty()) json.member_raw("data", result.data);
    if (!result.steps.empty()) {
        json.key("steps").array();
        for (const auto& step : result.steps) {
            json.object().member("task", step.name).member("success", step.success).member("message", step.message);
            json.member("seconds", static_cast<double>(step.duration.count()) / 1000).end();
        }
        json.end();
    }
    return json.end().text();
}

std::shared_ptr<const Recipe> find(const Recipes& recipes, const std::string& target) {
    const auto found = recipes.find({target});
    return found == recipes.end() ? nullptr : found->second;
}

}  // namespace

Answer AdaptersApi::list(const InboundRequest& request) const {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    JsonWriter json;
    json.object().key("adapters").array();
    for (const auto& [name, adapter] : parts_.adapters()->declared) write_adapter(json, *adapter);
    json.end().key("left_out").array();
    for (const auto& line : parts_.faults()) json.value(line);
    json.end().end();
    return {.status = 200, .body = json.text()};
}

Answer AdaptersApi::remove(const InboundRequest& request, const std::string& adapter) const {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto box = parts_.adapters();
    const auto found = box->declared.find(adapter);
    if (found == box->declared.end()) return error_answer(404, "not_found", "no adapter of this name", "adapter");
    std::vector<std::string> users;
    for (const auto& [id, recipe] : *parts_.recipes()) {
        const auto* runner = dynamic_cast<const TaskRunner*>(recipe.get());
        if (runner != nullptr && runner->use().adapter().name == adapter) users.push_back("target " + id.value);
    }
    for (auto& each : parts_.kept(adapter)) users.push_back(std::move(each));
    if (!users.empty()) return in_use_answer(users);
    const auto& file = found->second->file;
    std::error_code trouble;
    const bool removed = std::filesystem::remove(file, trouble);
    if (trouble) return error_answer(503, "unavailable", file + " cannot be removed: " + trouble.message(), "adapter");
    parts_.audit.note(kAdmin, "adapter.remove", adapter, {{"file", file}});
    JsonWriter json;
    json.object().member("removed", adapter).member("file", file).member("was_there", removed);
    json.member("note", "counts from the next reload on").end();
    return {.status = 200, .body = json.text()};
}

Answer AdaptersApi::run(const InboundRequest& request, const std::string& target, const std::string& task) const {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto recipe = find(*parts_.recipes(), target);
    if (!recipe) return error_answer(404, "not_found", "no target of this name is configured", "target");
    const auto runner = std::dynamic_pointer_cast<const TaskRunner>(recipe);
    if (!runner) return error_answer(400, "invalid", "the target's adapter has no tasks to run by hand", "target");
    const auto began = parts_.clock.now();
    const auto result = runner->run_task(task, request.body.empty() ? "{}" : request.body, parts_.transport);
    keep_runs(target, task, result, began);
    const bool known = runner->use().task(task) != nullptr;
    parts_.audit.note(kAdmin, "task.run", target,
                      {{"task", known ? task : std::string("unknown")},
                       {"success", result.success ? "true" : "false"},
                       {"message", result.message},
                       {"params", result.params}});
    return {.status = 200, .body = result_json(result)};
}

/// One row for each step. What is no task of the adapter was not run.
void AdaptersApi::keep_runs(const std::string& target, const std::string& task, const TaskResult& result,
                            TimePoint began) const {
    const auto recipe = find(*parts_.recipes(), target);
    const auto* runner = dynamic_cast<const TaskRunner*>(recipe.get());
    if (runner == nullptr || runner->use().task(task) == nullptr) return;
    std::vector<RunRow> rows;
    const auto add = [&](const std::string& step, bool success, const std::string& message, milliseconds took) {
        RunRow row;
        row.at = began;
        row.duration = took;
        row.target = target;
        row.task = task;
        row.step = step;
        row.who = kAdmin;
        row.params = result.params.empty() ? "null" : result.params;
        row.success = success;
        row.message = message;
        rows.push_back(std::move(row));
        began += took;
    };
    for (const auto& step : result.steps) add(step.name, step.success, step.message, step.duration);
    if (rows.empty()) add("", result.success, result.message, parts_.clock.now() - began);
    (void)parts_.store.add_runs(rows);  // the run is over: that it cannot be noted changes nothing
}

Answer AdaptersApi::test(const InboundRequest& request, const std::string& target) const {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto recipe = find(*parts_.recipes(), target);
    if (!recipe) return error_answer(404, "not_found", "no target of this name is configured", "target");
    JsonWriter json;
    json.object().key("steps").array();
    for (const auto& step : recipe->test(parts_.transport)) {
        json.object().member("step", step.name).member("verdict", to_text(step.verdict));
        json.member("detail", step.detail).end();
    }
    json.end().end();
    return {.status = 200, .body = json.text()};
}

std::vector<AdapterForm> AdaptersApi::forms() const {
    std::vector<AdapterForm> forms;
    for (const auto& [name, adapter] : parts_.adapters()->declared) {
        if (!adapter->credentials.empty())
            forms.push_back({name, adapter->title, adapter->description, adapter->credentials, adapter->config});
    }
    return forms;
}

std::vector<std::string> AdaptersApi::users(const std::string& adapter, const std::string& name) const {
    std::vector<std::string> users;
    for (const auto& [id, recipe] : *parts_.recipes()) {
        const auto* runner = dynamic_cast<const TaskRunner*>(recipe.get());
        if (runner == nullptr || runner->use().adapter().name != adapter) continue;
        if (runner->use().stored_credentials() == name) users.push_back("target " + id.value);
    }
    return users;
}

Result<CredentialTest> AdaptersApi::try_out(const CredentialName& which, const Secret& values,
                                            const std::string& config) const {
    bool refused = false;
    if (config.empty()) {  // kept ones, where they are used
        for (const auto& [id, recipe] : *parts_.recipes()) {
            const auto* runner = dynamic_cast<const TaskRunner*>(recipe.get());
            if (runner == nullptr || runner->use().adapter().name != which.adapter) continue;
            if (runner->use().stored_credentials() != which.name) continue;
            const auto result = runner->try_out(values, parts_.transport, refused);
            return CredentialTest{result.success, refused, result.message};
        }
    }
    const auto box = parts_.adapters();
    const auto adapter = box->declared.find(which.adapter);
    if (adapter == box->declared.end()) return Error{Error::Kind::NotFound, "no adapter of this name"};
    const auto document = JsonDocument::parse(config.empty() ? "{}" : config);
    if (!document) return Error{Error::Kind::Invalid, "config: " + document.error().message};
    const auto runner = make_trial(adapter->second, (*document)->root(), *box);
    if (!runner) return runner.error();
    const auto result = (*runner)->try_out(values, parts_.transport, refused);
    return CredentialTest{result.success, refused, result.message};
}

}  // namespace orbridge
