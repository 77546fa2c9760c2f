#include "bridge/api/credentials_api.h"

#include <algorithm>
#include <utility>

#include "bridge/api/bodies.h"
#include "bridge/api/in_use.h"
#include "bridge/core/json.h"
#include "bridge/core/text.h"
#include "bridge/receive/error_answer.h"

namespace orbridge {
namespace {

using Verdict = CredentialRow::Verdict;

/// An empty body is an object without members.
Result<JsonPtr> object_or_empty(const InboundRequest& request) {
    return object_of(request.body.empty() ? "{}" : request.body);
}

/// One message for each field (integrations.md K3).
Answer faults_answer(const std::vector<FieldFault>& faults, const std::string& inside) {
    JsonWriter json;
    json.object().key("error").object().member("code", "invalid").member("message", to_text(faults));
    json.member("field", faults.front().field.empty() ? inside : inside + '.' + faults.front().field);
    json.key("fields").array();
    for (const auto& fault : faults) json.object().member("field", fault.field).member("message", fault.message).end();
    json.end().end().end();
    return {.status = 422, .body = json.text()};
}

Answer unknown_adapter(const std::string& adapter) {
    return error_answer(404, "not_found", "there is no adapter `" + adapter + "` that has credentials", "adapter");
}

Answer test_answer(const CredentialTest& result) {
    JsonWriter json;
    json.object().member("success", result.success).member("message", result.message).end();
    return ok(json);
}

std::string status_of(const CredentialRow& row) {
    if (row.sealed.empty()) return "credentials_required";
    if (row.verdict == Verdict::Untested) return "untested";
    return row.verdict == Verdict::Valid ? "valid" : "refused";
}

std::string name_of(const CredentialName& which) { return which.adapter + '/' + which.name + '@' + which.scope; }

CredentialName name_in(const Json& body) {
    return {body["adapter"].string().value_or(""), body["name"].string().value_or(""),
            body["scope"].string().value_or("global")};
}

std::string filled(const Fields& fields, const std::string& values) {
    const auto document = JsonDocument::parse(values);
    return document ? with_defaults(fields, (*document)->root()) : values;
}

std::vector<FieldFault> faults_of(const Fields& fields, const std::string& values) {
    const auto document = JsonDocument::parse(values);
    if (!document) return {{"", document.error().message}};
    return validate(fields, (*document)->root());
}

}  // namespace

std::optional<AdapterForm> CredentialsApi::form_of(const std::string& adapter) const {
    for (auto& form : parts_.adapters.forms())
        if (form.adapter == adapter) return std::move(form);
    return std::nullopt;
}

void CredentialsApi::write_row(JsonWriter& json, const CredentialRow& row,
                               const std::optional<AdapterForm>& form) const {
    json.object().member("id", row.id).member("adapter", row.adapter).member("name", row.name);
    json.member("scope", row.scope).member("status", status_of(row)).key("is_valid");
    if (row.verdict == Verdict::Untested) {
        json.null();
    } else {
        json.value(row.verdict == Verdict::Valid);
    }
    if (row.checked_at) json.member("validated_at", to_iso8601(*row.checked_at));
    if (!row.message.empty()) json.member("message", row.message);
    json.member("created_at", to_iso8601(row.created_at)).member("updated_at", to_iso8601(row.updated_at));
    json.member("key_id", row.key_id).key("used_by").array();
    for (const auto& user : parts_.adapters.users(row.adapter, row.name)) json.value(user);
    json.end();
    if (row.sealed.empty()) {
        json.end();
        return;
    }
    const auto held = parts_.book.hold(row);
    const auto values = held ? JsonDocument::parse(held->values.reveal()) : Result<JsonPtr>(held.error());
    if (values) json.member_raw("values", masked(form ? form->credentials : Fields{}, (*values)->root()));
    if (!held) json.member("trouble", held.error().message);
    json.end();
}

Answer CredentialsApi::row_answer(const CredentialRow& row) const {
    JsonWriter json;
    write_row(json, row, form_of(row.adapter));
    return ok(json);
}

std::optional<CredentialRow> CredentialsApi::row_of(const CredentialName& which) const {
    const auto rows = parts_.book.all();
    if (!rows) return std::nullopt;
    for (const auto& row : *rows)
        if (row.adapter == which.adapter && row.name == which.name && row.scope == which.scope) return row;
    return std::nullopt;
}

Secret CredentialsApi::old_values(const CredentialName& which) const {
    const auto row = row_of(which);
    if (!row) return Secret("{}");
    const auto held = parts_.book.hold(*row);
    return held ? held->values : Secret("{}");
}

Answer CredentialsApi::form(const InboundRequest& request, const std::string& adapter) const {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto form = form_of(adapter);
    if (!form) return unknown_adapter(adapter);
    const auto of = query_value(request.query, "of");
    if (!of.empty() && of != "credentials" && of != "config")
        return error_answer(400, "invalid", "expected credentials or config", "of");
    const auto title = form->title.empty() ? form->adapter : form->title;
    return {.status = 200,
            .body = to_json_schema(of == "config" ? form->config : form->credentials, title, form->description),
            .content_type = "application/schema+json"};
}

Answer CredentialsApi::try_out(const InboundRequest& request, const std::string& adapter) const {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto body = object_or_empty(request);
    if (!body) return error_answer(body.error());
    const auto form = form_of(adapter);
    if (!form) return unknown_adapter(adapter);
    const auto given = (*body)->root()["credentials"];
    const Secret values(given.present() ? std::string(given.raw()) : "{}");
    if (const auto faults = faults_of(form->credentials, values.reveal()); !faults.empty())
        return faults_answer(faults, "credentials");
    const auto config = (*body)->root()["config"];
    const auto result =
        parts_.adapters.test({adapter, "", "global"}, Secret(filled(form->credentials, values.reveal())),
                             config.present() ? std::string(config.raw()) : "{}");
    return result ? test_answer(*result) : error_answer(result.error());
}

Answer CredentialsApi::list(const InboundRequest& request) const {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto rows = parts_.book.all();
    if (!rows) return error_answer(rows.error());
    const auto adapter = query_value(request.query, "adapter");
    JsonWriter json;
    json.object().key("credentials").array();
    for (const auto& row : *rows)
        if (adapter.empty() || row.adapter == adapter) write_row(json, row, form_of(row.adapter));
    json.end().key("adapters").array();
    for (const auto& form : parts_.adapters.forms())
        json.object().member("name", form.adapter).member("title", form.title).end();
    json.end().end();
    return ok(json);
}

Answer CredentialsApi::show(const InboundRequest& request, const std::string& id) const {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto row = parts_.book.find(id);
    return row ? row_answer(*row) : error_answer(row.error());
}

Answer CredentialsApi::put(const InboundRequest& request) {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto body = object_or_empty(request);
    if (!body) return error_answer(body.error());
    const auto root = (*body)->root();
    const auto which = name_in(root);
    if (const auto wrong = check_scope(which.scope); !wrong)
        return error_answer(400, "invalid", wrong.error().message, "scope");
    const auto form = form_of(which.adapter);
    if (!form) return unknown_adapter(which.adapter);
    if (!root["values"].is_object()) return error_answer(422, "invalid", "expected an object", "values");
    const auto before = old_values(which);
    const auto old = JsonDocument::parse(before.reveal());
    const Secret values(merged(form->credentials, root["values"], old ? (*old)->root() : Json()));
    if (const auto faults = faults_of(form->credentials, values.reveal()); !faults.empty())
        return faults_answer(faults, "values");
    std::optional<std::string> tested;
    if (root["test"].boolean().value_or(false)) {
        const auto result = parts_.adapters.test(which, Secret(filled(form->credentials, values.reveal())), "");
        if (!result) return error_answer(result.error());
        if (!result->success) return error_answer(422, "refused", result->message, "values");
        tested = result->message;
    }
    const auto row = parts_.book.put(which, values, tested);
    if (!row) return error_answer(row.error());
    parts_.log.info("admin.credentials_set", {{"credentials", name_of(which)}});
    parts_.audit.note(kAdmin, "credentials.set", name_of(which), {{"tested", tested.has_value()}});
    return row_answer(*row);
}

Answer CredentialsApi::test(const InboundRequest& request, const std::string& id) {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto row = parts_.book.find(id);
    if (!row) return error_answer(row.error());
    const auto form = form_of(row->adapter);
    if (!form) return unknown_adapter(row->adapter);
    const auto held = parts_.book.hold(*row);
    if (!held) return error_answer(held.error());
    const auto result = parts_.adapters.test({row->adapter, row->name, row->scope},
                                             Secret(filled(form->credentials, held->values.reveal())), "");
    if (!result) return error_answer(result.error());
    // That nobody answered says nothing of the credentials.
    if (result->success || result->refused) parts_.book.report_test(*held, result->success, result->message);
    parts_.audit.note(kAdmin, "credentials.test", name_of({row->adapter, row->name, row->scope}),
                      {{"success", result->success}});
    return test_answer(*result);
}

Answer CredentialsApi::remove(const InboundRequest& request, const std::string& id) {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto row = parts_.book.find(id);
    if (!row) return error_answer(row.error());
    const auto users = parts_.adapters.users(row->adapter, row->name);
    const auto global = row_of({row->adapter, row->name, "global"});
    const bool another = row->scope != "global" && global && !global->sealed.empty();
    if (!users.empty() && !another) return in_use_answer(users);
    if (const auto removed = parts_.book.remove(id); !removed) return error_answer(removed.error());
    const auto name = name_of({row->adapter, row->name, row->scope});
    parts_.log.info("admin.credentials_removed", {{"credentials", name}});
    parts_.audit.note(kAdmin, "credentials.remove", name);
    JsonWriter json;
    json.object().member("removed", id).end();
    return ok(json);
}

Answer CredentialsApi::rekey(const InboundRequest& request) {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto done = parts_.book.rekey();
    if (!done) return error_answer(done.error());
    parts_.log.info("admin.credentials_rekeyed",
                    {{"sealed_anew", done->sealed_anew}, {"unreadable", static_cast<int>(done->unreadable.size())}});
    parts_.audit.note(kAdmin, "credentials.rekey", "", {{"sealed_anew", done->sealed_anew}});
    JsonWriter json;
    json.object().member("sealed_anew", done->sealed_anew).member("current", done->current);
    json.key("unreadable").array();
    for (const auto& message : done->unreadable) json.value(message);
    json.end().end();
    return ok(json);
}

Answer CredentialsApi::export_all(const InboundRequest& request) const {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto rows = parts_.book.all();
    if (!rows) return error_answer(rows.error());
    JsonWriter json;
    json.object().member("orbridge_export", 1).key("credentials").array();
    for (const auto& row : *rows) {
        json.object().member("adapter", row.adapter).member("name", row.name).member("scope", row.scope);
        json.key("used_by").array();
        for (const auto& user : parts_.adapters.users(row.adapter, row.name)) json.value(user);
        json.end().end();
    }
    json.end().end();
    return ok(json);
}

Answer CredentialsApi::import_all(const InboundRequest& request) {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto body = object_or_empty(request);
    if (!body) return error_answer(body.error());
    if ((*body)->root()["orbridge_export"].integer() != 1)
        return error_answer(422, "invalid", "expected 1: what GET /api/v1/export answered", "orbridge_export");
    JsonWriter json;
    json.object().key("credentials").array();
    for (const auto& member : (*body)->root()["credentials"].members()) {
        const auto row = parts_.book.want(name_in(member.value));
        if (!row) return error_answer(row.error());
        write_row(json, *row, form_of(row->adapter));
    }
    json.end().end();
    parts_.log.info("admin.credentials_imported", {{"count", static_cast<int>((*body)->root()["credentials"].size())}});
    parts_.audit.note(kAdmin, "credentials.import", "");
    return ok(json);
}

}  // namespace orbridge
