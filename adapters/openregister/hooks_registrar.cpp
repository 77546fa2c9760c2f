#include "adapters/openregister/hooks_registrar.h"

#include <algorithm>
#include <array>
#include <set>

#include "bridge/core/text.h"

namespace orbridge::openregister {
namespace {

constexpr int kTimeoutSeconds = 5;
constexpr std::array kEvents = {"created", "updated", "deleted"};
constexpr auto kEngines = "/api/engines";
constexpr auto kSchemas = "/api/schemas";
constexpr auto kToken = "token";

std::string path_of(const char* list, const std::string& id) { return std::string(list) + "/" + percent_encode(id); }

std::string name_of(const Json& schema) {
    const auto slug = text_of(schema["slug"]);
    return slug.empty() ? text_of(schema["id"]) : slug;
}

/// One refusal concerns one schema; anything else ends the pass.
bool concerns_one(const Trouble& trouble) {
    using Kind = Trouble::Kind;
    return trouble.kind == Kind::Rights || trouble.kind == Kind::NotFound || trouble.kind == Kind::Refused ||
           trouble.kind == Kind::Failed;
}

Registration engine_entry(const std::string& id, RegistrationState state, const std::string& detail) {
    return {Intake::Hooks, "engine", id, state, detail, state != RegistrationState::Present};
}

}  // namespace

HooksRegistrar::HooksRegistrar(HooksSettings settings, ApiClient client, Store& store)
    : settings_(std::move(settings)),
      client_(std::move(client)),
      remembered_(store, "registrar/" + settings_.source.value + "/hooks"),
      workflow_("orbridge/" + settings_.source.value) {
    base_url_ = settings_.public_url;
    while (base_url_.ends_with('/')) base_url_.pop_back();
    base_url_ += "/engine";
}

RegistrarReport HooksRegistrar::reconcile(const Pass&) {
    RegistrarReport report{.source = settings_.source};
    if (settings_.hook_token.empty() || settings_.public_url.empty()) {
        const std::string what = settings_.hook_token.empty() ? "`hook_token`" : "`public_url`";
        end_with(report, {Trouble::Kind::Configuration, "No schema hooks are set without " + what + "."});
        return report;
    }
    if (!begin(report)) return report;
    if (keep_engine(report)) keep_schemas(report, true);
    finish(report);
    return report;
}

RegistrarReport HooksRegistrar::unregister(const Pass&) {
    RegistrarReport report{.source = settings_.source};
    if (!begin(report)) return report;
    // Hooks first: a hook without an engine would fail in the user's save.
    keep_schemas(report, false);
    if (report.trouble) return report;
    const auto engines = client_.list(kEngines);
    if (engines.trouble) end_with(report, *engines.trouble);
    for (const auto& engine : engines.rows) {
        if (report.trouble || text_of(engine["engineType"]) != "windmill" || text_of(engine["baseUrl"]) != base_url_)
            continue;
        const auto id = text_of(engine["id"]);
        const auto removed = client_.remove(path_of(kEngines, id));
        if (!removed && removed.trouble->kind != Trouble::Kind::NotFound) {
            end_with(report, *removed.trouble);
        } else {
            report.registrations.push_back(engine_entry(id, RegistrationState::Removed, "unregistered"));
        }
    }
    if (!report.trouble) remembered_.clear();
    finish(report);
    return report;
}

bool HooksRegistrar::begin(RegistrarReport& report) {
    auto loaded = remembered_.load();
    if (!loaded) end_with(report, {Trouble::Kind::Failed, "The store cannot be read: " + loaded.error().message});
    return loaded.has_value();
}

void HooksRegistrar::finish(RegistrarReport& report) {
    if (auto saved = remembered_.save(); !saved)
        worsen(report, RegistrarState::Degraded, "What was registered could not be noted: " + saved.error().message);
}

// ---- the engine ---------------------------------------------------------------------------------

bool HooksRegistrar::keep_engine(RegistrarReport& report) {
    const auto engines = client_.list(kEngines);
    if (engines.trouble) {
        end_with(report, *engines.trouble);
        return false;
    }
    const Json* ours = nullptr;
    for (const auto& engine : engines.rows) {
        if (text_of(engine["engineType"]) != "windmill") continue;
        if (text_of(engine["baseUrl"]) != base_url_) {
            refuse_slot(report, engine);
            return false;
        }
        if (ours == nullptr) ours = &engine;
    }
    return ours == nullptr ? create_engine(report) : repair_engine(report, *ours);
}

/// OpenRegister uses the first engine of a type, whichever that is: two cannot be told apart.
void HooksRegistrar::refuse_slot(RegistrarReport& report, const Json& engine) const {
    const auto what = "The Windmill engine \"" + text_of(engine["name"]) + "\" (" + where(text_of(engine["baseUrl"])) +
                      ") already has OpenRegister's one place for a Windmill";
    auto entry = engine_entry(text_of(engine["id"]), RegistrationState::Foreign, "not ours: left alone");
    entry.news = false;
    report.registrations.push_back(std::move(entry));
    report.cannot_arrive.push_back(what + ": no schema hooks are set, and what only they would bring cannot arrive.");
    worsen(report, RegistrarState::Degraded, what + ".");
}

std::string HooksRegistrar::engine_fields() const {
    JsonWriter json;
    json.object().member("name", "orbridge " + settings_.source.value).member("engineType", "windmill");
    json.member("baseUrl", base_url_).member("authType", "bearer").key("authConfig").object();
    json.member("token", settings_.hook_token.reveal()).member("workspace", settings_.source.value).end();
    return json.member("enabled", true).end().text();
}

bool HooksRegistrar::create_engine(RegistrarReport& report) {
    const auto made = client_.post(kEngines, engine_fields());
    if (!made) {
        end_with(report, *made.trouble);
        return false;
    }
    const auto id = text_of(made.data["id"]);
    if (text_of(made.data["engineType"]) != "windmill" || text_of(made.data["baseUrl"]) != base_url_) {
        // Some versions answer 201 and store none of the fields; such a row would be made again each time.
        if (!id.empty()) (void)client_.remove(path_of(kEngines, id));
        report.registrations.push_back(engine_entry("", RegistrationState::Failed, "fields were not stored"));
        report.cannot_arrive.emplace_back("This OpenRegister does not store engines as sent: no schema hooks are set.");
        worsen(report, RegistrarState::Degraded, "OpenRegister does not store the engine as sent.");
        return false;
    }
    remembered_.set(kToken, fingerprint(settings_.hook_token, base_url_));
    report.registrations.push_back(engine_entry(id, RegistrationState::Created, ""));
    return true;
}

bool HooksRegistrar::repair_engine(RegistrarReport& report, const Json& engine) {
    const auto id = text_of(engine["id"]);
    const bool right = text_of(engine["authType"]) == "bearer" && engine["enabled"].boolean().value_or(false) &&
                       remembered_.get(kToken) == fingerprint(settings_.hook_token, base_url_);
    if (right) {
        report.registrations.push_back(engine_entry(id, RegistrationState::Present, ""));
        return true;
    }
    // What authConfig holds is never shown, and an update may keep none of it: only a new row is certain.
    const auto removed = client_.remove(path_of(kEngines, id));
    if (!removed && removed.trouble->kind != Trouble::Kind::NotFound) {
        end_with(report, *removed.trouble);
        return false;
    }
    if (!create_engine(report)) return false;
    auto& entry = report.registrations.back();
    entry.state = RegistrationState::Repaired;
    entry.detail = "made anew: token, authType or enabled differed";
    return true;
}

// ---- the schemas --------------------------------------------------------------------------------

void HooksRegistrar::keep_schemas(RegistrarReport& report, bool wanted) {
    const auto schemas = client_.list(kSchemas);
    if (schemas.trouble) return end_with(report, *schemas.trouble);
    for (const auto& schema : schemas.rows) {
        const bool wants_this = wanted && wants(schema);
        if (is_right(schema["hooks"], wants_this)) {
            if (wants_this) {
                report.registrations.push_back(
                    {Intake::Hooks, name_of(schema), text_of(schema["id"]), RegistrationState::Present, "", false});
            }
            continue;
        }
        if (!keep_schema(report, schema, wants_this)) return;
    }
    if (!wanted) return;
    say_what_is_missing(report, schemas);
    say_what_cannot_arrive(report);
}

bool HooksRegistrar::keep_schema(RegistrarReport& report, const Json& listed, bool wanted) {
    const auto id = text_of(listed["id"]);
    Registration entry{Intake::Hooks, name_of(listed), id, RegistrationState::Repaired, "", true};
    // Read anew just before writing: what somebody else added meanwhile must not be lost.
    auto reply = client_.get(path_of(kSchemas, id));
    if (reply) {
        const auto hooks = reply.data["hooks"];
        const auto any = hooks.members();
        const bool had = std::any_of(any.begin(), any.end(), [&](const auto& hook) { return is_ours(hook.value); });
        entry.state = !wanted ? RegistrationState::Removed
                      : had   ? RegistrationState::Repaired
                              : RegistrationState::Created;
        if (is_right(hooks, wanted)) return true;
        JsonWriter json;
        json.object().member_raw("hooks", hooks_with_ours(hooks, wanted)).end();
        reply = client_.patch(path_of(kSchemas, id), json.text());
    }
    if (!reply) {
        if (!concerns_one(*reply.trouble)) {
            end_with(report, *reply.trouble);
            return false;
        }
        entry.state = RegistrationState::Failed;
        entry.detail = reply.trouble->message;
        worsen(report, RegistrarState::Degraded, "Hooks of schema " + entry.event_class + ": " + entry.detail);
    }
    report.registrations.push_back(std::move(entry));
    return true;
}

bool HooksRegistrar::wants(const Json& schema) const {
    return std::any_of(settings_.schemas.begin(), settings_.schemas.end(), [&](const std::string& name) {
        return name == "*" || name == text_of(schema["id"]) || name == text_of(schema["slug"]) ||
               name == text_of(schema["uuid"]);
    });
}

bool HooksRegistrar::is_ours(const Json& hook) const {
    return text_of(hook["id"]).starts_with("orbridge-") && text_of(hook["workflowId"]) == workflow_;
}

/// Ours are there, once each and as wanted, or not at all.
bool HooksRegistrar::is_right(const Json& hooks, bool wanted) const {
    std::size_t ours = 0;
    std::set<std::string> right;
    for (const auto& [key, raw_key, hook] : hooks.members()) {
        if (!is_ours(hook)) continue;
        ++ours;
        const auto event = text_of(hook["event"]);
        const bool good = std::find(kEvents.begin(), kEvents.end(), event) != kEvents.end() &&
                          text_of(hook["id"]) == "orbridge-" + event && text_of(hook["mode"]) == "async" &&
                          text_of(hook["engine"]) == "windmill" && text_of(hook["onFailure"]) == "allow" &&
                          text_of(hook["timeout"]) == std::to_string(kTimeoutSeconds) &&
                          hook["enabled"].boolean().value_or(false) && hook["filterCondition"].empty();
        if (good) right.insert(event);
    }
    return wanted ? ours == kEvents.size() && right.size() == ours : ours == 0;
}

/// Everybody else's hooks as they were, byte for byte and in order, then ours.
std::string HooksRegistrar::hooks_with_ours(const Json& hooks, bool wanted) const {
    JsonWriter json;
    json.array();
    for (const auto& [key, raw_key, hook] : hooks.members())
        if (!is_ours(hook)) json.raw(hook.raw());
    for (const auto* event : kEvents) {
        if (!wanted) break;
        json.object().member("id", "orbridge-" + std::string(event)).member("event", event);
        json.member("engine", "windmill").member("workflowId", workflow_).member("mode", "async").member("order", 100);
        json.member("timeout", kTimeoutSeconds).member("enabled", true).member("onFailure", "allow");
        json.member("onTimeout", "allow").member("onEngineDown", "allow").end();
    }
    return json.end().text();
}

void HooksRegistrar::say_what_is_missing(RegistrarReport& report, const Rows& schemas) const {
    if (settings_.schemas.empty())
        report.notices.emplace_back("No schemas are configured: hooks are set on none (`schemas: ['*']` means all).");
    for (const auto& name : settings_.schemas) {
        const bool known =
            name == "*" || std::any_of(schemas.rows.begin(), schemas.rows.end(), [&](const Json& schema) {
                return name == text_of(schema["id"]) || name == text_of(schema["slug"]) ||
                       name == text_of(schema["uuid"]);
            });
        if (known) continue;
        report.cannot_arrive.push_back("Events of schema \"" + name +
                                       "\": this OpenRegister shows us no schema of that id, uuid or slug.");
        worsen(report, RegistrarState::Degraded, "There is no schema \"" + name + "\".");
    }
}

void HooksRegistrar::say_what_cannot_arrive(RegistrarReport& report) const {
    report.cannot_arrive.emplace_back(
        "Hooks bring nothing of bulk saves, imports and restores: OpenRegister tells nobody of them, only polling "
        "finds them.");
    if (refused_as_local(settings_.public_url)) {
        report.notices.push_back("OpenRegister's hooks reach a local address like " + where(settings_.public_url) +
                                 " only with `allow_local_remote_servers: true` in Nextcloud's config.php; it says "
                                 "nothing where they do not.");
    }
}

}  // namespace orbridge::openregister
