#include "adapters/openregister/webhooks_registrar.h"

#include <algorithm>
#include <set>

#include "bridge/core/text.h"

namespace orbridge::openregister {
namespace {

constexpr int kTimeoutSeconds = 5;  // OpenRegister calls us inside the user's save
constexpr auto kPath = "/api/webhooks";
constexpr auto kUuid = "uuid";
constexpr auto kSecret = "secret";

std::string path_of(const std::string& id) { return std::string(kPath) + "/" + percent_encode(id); }

bool same_texts(const Json& list, std::vector<std::string> wanted) {
    std::vector<std::string> present;
    for (const auto& member : list.members()) present.push_back(text_of(member.value));
    std::sort(present.begin(), present.end());
    std::sort(wanted.begin(), wanted.end());
    return present == wanted;
}

bool filled(const Json& value) { return value.present() && !value.is_null() && !value.empty(); }

const Json* row_with_uuid(const Rows& rows, const std::string& uuid) {
    const auto found = std::find_if(rows.rows.begin(), rows.rows.end(),
                                    [&](const Json& row) { return to_lower(text_of(row["uuid"])) == uuid; });
    return found == rows.rows.end() ? nullptr : &*found;
}

}  // namespace

std::string webhook_uuid(const std::string& public_url, const SourceId& source) {
    auto bytes = sha256("orbridge webhook\n" + public_url + "\n" + source.value).substr(0, 16);
    bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x50);
    bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
    auto text = to_hex(bytes);
    for (const std::size_t at : {8, 13, 18, 23}) text.insert(at, 1, '-');
    return text;
}

WebhooksRegistrar::WebhooksRegistrar(WebhooksSettings settings, ApiClient client, Store& store)
    : settings_(std::move(settings)),
      client_(std::move(client)),
      remembered_(store, "registrar/" + settings_.source.value + "/webhooks"),
      uri_(ingest_url(settings_.public_url, settings_.source)),
      uuid_(webhook_uuid(settings_.public_url, settings_.source)),
      name_("orbridge " + settings_.source.value) {}

RegistrarReport WebhooksRegistrar::reconcile(const Pass&) {
    RegistrarReport report{.source = settings_.source};
    if (settings_.secret.empty() || settings_.public_url.empty()) {
        const std::string what = settings_.secret.empty() ? "`secret`" : "`public_url`";
        end_with(report, {Trouble::Kind::Configuration, "Nothing is registered without " + what + "."});
        return report;
    }
    if (!begin(report)) return report;
    const auto rows = client_.list(kPath);
    if (rows.trouble) {
        end_with(report, *rows.trouble);
        return report;
    }
    const auto before = remembered_.get(kUuid);
    if (const auto* old = before.empty() || before == uuid_ ? nullptr : row_with_uuid(rows, before))
        remove(report, *old, "had our earlier address");
    if (!report.trouble) remembered_.set(kUuid, uuid_);
    if (!report.trouble && remove_doubles(report, rows)) keep_right(report, rows);
    finish(report);
    return report;
}

RegistrarReport WebhooksRegistrar::unregister(const Pass&) {
    RegistrarReport report{.source = settings_.source};
    if (!begin(report)) return report;
    const auto rows = client_.list(kPath);
    if (rows.trouble) {
        end_with(report, *rows.trouble);
        return report;
    }
    for (const auto& uuid : std::set{uuid_, remembered_.get(kUuid)}) {
        if (const auto* row = row_with_uuid(rows, uuid); row != nullptr && !report.trouble)
            remove(report, *row, "unregistered");
    }
    if (!report.trouble) remembered_.clear();
    finish(report);
    return report;
}

bool WebhooksRegistrar::begin(RegistrarReport& report) {
    auto loaded = remembered_.load();
    if (!loaded) end_with(report, {Trouble::Kind::Failed, "The store cannot be read: " + loaded.error().message});
    return loaded.has_value();
}

void WebhooksRegistrar::finish(RegistrarReport& report) {
    if (auto saved = remembered_.save(); !saved)
        worsen(report, RegistrarState::Degraded, "What was registered could not be noted: " + saved.error().message);
}

void WebhooksRegistrar::keep_right(RegistrarReport& report, const Rows& rows) {
    const auto* row = row_with_uuid(rows, uuid_);
    if (row == nullptr) {
        create(report, RegistrationState::Created, "");
        return;
    }
    const auto id = text_of((*row)["id"]);
    if (const auto mapping = (*row)["mapping"]; mapping.present() && !mapping.is_null()) {
        // Cannot be taken off by an update: null is ignored.
        if (remove(report, *row, "had a mapping, which changes the body"))
            create(report, RegistrationState::Repaired, "made anew without a mapping");
        return;
    }
    std::string why;
    const auto fields = drift(*row, why);
    if (!fields.empty()) return repair(report, id, fields, why);
    add(report, id, RegistrationState::Present, "");
}

void WebhooksRegistrar::create(RegistrarReport& report, RegistrationState state, const std::string& why) {
    const auto made = client_.post(kPath, wanted());
    if (!made) {
        end_with(report, *made.trouble);
        // The unique index on uuid also counts webhooks that we may not see.
        if (made.status == 500) {
            worsen(report, RegistrarState::Failed,
                   "If the message speaks of a duplicate, a webhook with our uuid " + uuid_ +
                       " belongs to another organisation: remove it there.");
        }
        return add(report, "", RegistrationState::Failed, made.trouble->message);
    }
    remembered_.set(kSecret, fingerprint(settings_.secret, uuid_));
    add(report, text_of(made.data["id"]), state, why);
}

void WebhooksRegistrar::repair(RegistrarReport& report, const std::string& id, const std::string& fields,
                               const std::string& why) {
    const auto updated = client_.put(path_of(id), fields);
    if (!updated) return end_with(report, *updated.trouble);
    remembered_.set(kSecret, fingerprint(settings_.secret, uuid_));
    std::string left;
    if (drift(updated.data, left).empty()) return add(report, id, RegistrationState::Repaired, why);
    add(report, id, RegistrationState::Failed, "differs even after an update: " + left);
    worsen(report, RegistrarState::Degraded, "OpenRegister does not keep our webhook as sent (" + left + ").");
}

bool WebhooksRegistrar::remove(RegistrarReport& report, const Json& row, const std::string& why) {
    const auto id = text_of(row["id"]);
    const auto removed = client_.remove(path_of(id));
    if (!removed && removed.trouble->kind != Trouble::Kind::NotFound) {
        end_with(report, *removed.trouble);
        return false;
    }
    add(report, id, RegistrationState::Removed, why);
    return true;
}

/// Webhooks with our address but another uuid: somebody made them by hand, or a copy of the database did.
bool WebhooksRegistrar::remove_doubles(RegistrarReport& report, const Rows& rows) {
    for (const auto& row : rows.rows) {
        if (text_of(row["url"]) != uri_ || to_lower(text_of(row["uuid"])) == uuid_) continue;
        if (text_of(row["name"]) == name_) {
            if (!remove(report, row, "a double of ours")) return false;
        } else {
            add(report, text_of(row["id"]), RegistrationState::Foreign, "made by hand, sends to us as well");
            report.notices.push_back("Webhook " + text_of(row["id"]) + " (\"" + text_of(row["name"]) +
                                     "\") was made by hand and sends here as well: its events arrive twice, and are "
                                     "refused unless its secret is one of ours.");
        }
    }
    return true;
}

std::string WebhooksRegistrar::drift(const Json& row, std::string& why) const {
    JsonWriter json;
    json.object();
    std::vector<std::string> names;
    const auto fix = [&](bool right, std::string_view name, const std::string& value) {
        if (right) return;
        json.member_raw(name, value);
        names.emplace_back(name);
    };
    const auto text = [&](std::string_view key) { return text_of(row[key]); };
    const auto config = row["configuration"];
    fix(text("name") == name_, "name", json_string(name_));
    fix(text("url") == uri_, "url", json_string(uri_));
    fix(to_lower(text("method")) == "post", "method", R"("POST")");
    fix(same_texts(row["events"], settings_.classes), "events", events());
    fix(!filled(row["headers"]), "headers", "{}");
    fix(!filled(row["filters"]), "filters", "{}");
    fix(row["enabled"].boolean().value_or(false), "enabled", "true");
    fix(text("timeout") == std::to_string(kTimeoutSeconds), "timeout", std::to_string(kTimeoutSeconds));
    // Anything more in it is not ours: interceptRequests would bring users' credentials here.
    const auto written = JsonDocument::parse(configuration());
    fix(config.is_object() && canonical_json(config) == canonical_json((*written)->root()), "configuration",
        configuration());
    const bool known = row["secret"].is_string() && remembered_.get(kSecret) == fingerprint(settings_.secret, uuid_);
    fix(known, "secret", json_string(settings_.secret.reveal()));
    json.end();
    why = join(names, ", ");
    return names.empty() ? std::string() : json.text();
}

std::string WebhooksRegistrar::events() const {
    JsonWriter json;
    json.array();
    for (const auto& event_class : settings_.classes) json.value(event_class);
    return json.end().text();
}

std::string WebhooksRegistrar::configuration() const {
    JsonWriter json;
    json.object().member("useCloudEvents", false).member("cloudEventSource", settings_.url);
    return json.member("allowPrivateTargets", true).end().text();
}

std::string WebhooksRegistrar::wanted() const {
    JsonWriter json;
    json.object().member("uuid", uuid_).member("name", name_).member("url", uri_).member("method", "POST");
    json.member_raw("events", events()).member("secret", settings_.secret.reveal()).member("enabled", true);
    json.member("timeout", kTimeoutSeconds).member_raw("configuration", configuration()).end();
    return std::move(json).text();
}

void WebhooksRegistrar::add(RegistrarReport& report, const std::string& id, RegistrationState state,
                            const std::string& detail) const {
    const bool found_again = state == RegistrationState::Present || state == RegistrationState::Foreign;
    report.registrations.push_back({Intake::Webhooks, join(settings_.classes, ", "), id, state, detail, !found_again});
}

}  // namespace orbridge::openregister
