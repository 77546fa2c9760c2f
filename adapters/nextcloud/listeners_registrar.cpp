#include "adapters/nextcloud/listeners_registrar.h"

#include <algorithm>

#include "bridge/core/text.h"

namespace orbridge::nextcloud {
namespace {

constexpr auto kAuthHeader = "X-Orbridge-Secret";
constexpr milliseconds kAskAgain{std::chrono::hours{24}};
constexpr auto kUri = "uri";

std::string without_backslash(std::string name) {
    if (name.starts_with('\\')) name.erase(0, 1);
    return name;
}

Registration registration(const std::string& event_class, std::int64_t id, RegistrationState state,
                          const std::string& detail, bool news) {
    return {Intake::Listeners, event_class, id == 0 ? std::string() : std::to_string(id), state, detail, news};
}

bool stop_at(RegistrarReport& report, const std::optional<Trouble>& trouble) {
    if (!trouble) return false;
    end_with(report, *trouble);
    return true;
}

}  // namespace

ListenersRegistrar::ListenersRegistrar(ListenersSettings settings, OcsClient client, Store& store)
    : settings_(std::move(settings)),
      client_(std::move(client)),
      remembered_(store, "registrar/" + settings_.source.value + "/listeners"),
      uri_(ingest_url(settings_.relative ? std::string() : settings_.public_url, settings_.source)) {
    std::vector<std::string> classes;
    for (auto& name : settings_.classes) {
        name = without_backslash(std::move(name));
        if (std::find(classes.begin(), classes.end(), name) == classes.end()) classes.push_back(name);
    }
    settings_.classes = std::move(classes);
}

RegistrarReport ListenersRegistrar::reconcile(const Pass& pass) {
    RegistrarReport report{.source = settings_.source};
    const bool unknown_place = settings_.public_url.empty() && !settings_.relative;
    if (settings_.secret.empty() || unknown_place) {
        const std::string what = settings_.secret.empty() ? "`secret`" : "`public_url`";
        end_with(report, {Trouble::Kind::Configuration, "Nothing is registered without " + what + "."});
        return report;
    }
    if (!begin(report)) return report;
    const auto rows = client_.list(uri_);
    if (stop_at(report, rows.trouble)) return report;
    RowsByClass by_class;
    for (const auto& row : rows.value) by_class[without_backslash(row.event)].push_back(row);
    bool given_up = false;
    for (const auto& event_class : settings_.classes) {
        if (!keep_right(report, event_class, by_class[event_class], pass)) break;
        by_class.erase(event_class);
        given_up = settings_.all_or_none && report.registrations.back().state == RegistrationState::Refused;
        if (given_up) break;
    }
    if (!report.trouble && !given_up) {
        for (const auto& [event_class, surplus] : by_class) {
            for (const auto& row : surplus)
                if (!report.trouble) remove(report, row, "not wanted any more");
        }
    }
    say_what_is_worth_knowing(report);
    if (!report.trouble) say_what_cannot_arrive(report);
    finish(report);
    return report;
}

RegistrarReport ListenersRegistrar::unregister(const Pass&) {
    RegistrarReport report{.source = settings_.source};
    if (!begin(report) || !remove_all(report, uri_, "unregistered")) return report;
    remembered_.clear();
    finish(report);
    return report;
}

/// Reads what is remembered and removes what an earlier address of ours left behind.
bool ListenersRegistrar::begin(RegistrarReport& report) {
    if (auto loaded = remembered_.load(); !loaded) {
        end_with(report, {Trouble::Kind::Failed, "The store cannot be read: " + loaded.error().message});
        return false;
    }
    const auto before = remembered_.get(kUri);
    if (!before.empty() && before != uri_ && !remove_all(report, before, "had our earlier address")) return false;
    remembered_.set(kUri, uri_);
    return true;
}

void ListenersRegistrar::finish(RegistrarReport& report) {
    if (auto saved = remembered_.save(); !saved)
        worsen(report, RegistrarState::Degraded, "What was registered could not be noted: " + saved.error().message);
}

bool ListenersRegistrar::refused_lately(const std::string& event_class, const Pass& pass) const {
    const auto at = remembered_.time("refused/" + event_class);
    return at && !pass.afresh && pass.now < *at + kAskAgain;
}

bool ListenersRegistrar::remove_all(RegistrarReport& report, const std::string& uri, const std::string& why) {
    const auto rows = client_.list(uri);
    if (stop_at(report, rows.trouble)) return false;
    return std::all_of(rows.value.begin(), rows.value.end(), [&](const auto& row) { return remove(report, row, why); });
}

bool ListenersRegistrar::remove(RegistrarReport& report, const ListenerRow& row, const std::string& why) {
    const auto removed = client_.remove(row.id);
    if (stop_at(report, removed.trouble)) return false;
    remembered_.erase("written/" + std::to_string(row.id));
    report.registrations.push_back(
        registration(without_backslash(row.event), row.id, RegistrationState::Removed, why, true));
    return true;
}

bool ListenersRegistrar::keep_right(RegistrarReport& report, const std::string& event_class,
                                    const std::vector<ListenerRow>& rows, const Pass& pass) {
    if (rows.empty()) {
        if (!refused_lately(event_class, pass)) return create(report, event_class, pass);
        return leave(report, event_class);
    }
    const auto& keep = *std::min_element(rows.begin(), rows.end(), [](auto& a, auto& b) { return a.id < b.id; });
    for (const auto& row : rows)
        if (row.id != keep.id && !remove(report, row, "a double of " + std::to_string(keep.id))) return false;
    if (const auto why = drift(keep); !why.empty())
        return refused_lately(event_class, pass) ? leave(report, event_class) : repair(report, keep, why, pass);
    report.registrations.push_back(registration(event_class, keep.id, RegistrationState::Present, "", false));
    return true;
}

/// Refused within the last day: not asked again yet.
bool ListenersRegistrar::leave(RegistrarReport& report, const std::string& event_class) {
    report.registrations.push_back(
        registration(event_class, 0, RegistrationState::Refused, "refused before; asked again once a day", false));
    return true;
}

bool ListenersRegistrar::create(RegistrarReport& report, const std::string& event_class, const Pass& pass) {
    const auto made = client_.create(wish(event_class));
    if (made.trouble && made.trouble->kind == Trouble::Kind::Refused) {
        refuse(report, event_class, made.trouble->message, pass);
        return true;
    }
    if (stop_at(report, made.trouble)) return false;
    remembered_.erase("refused/" + event_class);
    written(made.value);
    report.registrations.push_back(registration(event_class, made.value.id, RegistrationState::Created, "", true));
    return true;
}

bool ListenersRegistrar::repair(RegistrarReport& report, const ListenerRow& row, const std::string& why,
                                const Pass& pass) {
    const auto event_class = without_backslash(row.event);
    const auto updated = client_.update(row.id, wish(event_class));
    if (updated.trouble && updated.trouble->kind == Trouble::Kind::Refused) {
        refuse(report, event_class, updated.trouble->message, pass);
        return true;
    }
    if (stop_at(report, updated.trouble)) return false;
    // An update of a row that is gone answers 200 like any other.
    const auto now = client_.show(row.id);
    if (now.trouble && now.trouble->kind == Trouble::Kind::NotFound) return create(report, event_class, pass);
    if (stop_at(report, now.trouble)) return false;
    written(now.value);
    const auto left = drift(now.value);
    const auto state = left.empty() ? RegistrationState::Repaired : RegistrationState::Failed;
    report.registrations.push_back(
        registration(event_class, row.id, state, left.empty() ? why : "still differs after an update: " + left, true));
    return true;
}

void ListenersRegistrar::refuse(RegistrarReport& report, const std::string& event_class, const std::string& why,
                                const Pass& pass) {
    const bool first = !remembered_.time("refused/" + event_class);
    remembered_.set_time("refused/" + event_class, pass.now);
    report.registrations.push_back(registration(event_class, 0, RegistrationState::Refused, why, first));
}

void ListenersRegistrar::written(const ListenerRow& row) {
    remembered_.set("written/" + std::to_string(row.id), fingerprint(settings_.secret, uri_));
}

/// What is not as wanted, or nothing. The secret is shown encrypted, so it is compared with what we noted.
std::string ListenersRegistrar::drift(const ListenerRow& row) const {
    if (row.http_method != "POST") return "httpMethod was " + row.http_method;
    if (row.auth_method != "header") return "authMethod was " + row.auth_method;
    if (!row.event_filter.empty()) return "there was an eventFilter";
    if (!row.user_id_filter.empty()) return "there was a userIdFilter";
    if (!row.token_needed.empty()) return "tokens were asked for";
    if (row.headers != R"({"Content-Type":"application/json"})") return "headers differed";
    if (remembered_.get("written/" + std::to_string(row.id)) != fingerprint(settings_.secret, uri_))
        return "the secret may differ";
    return {};
}

ListenerWish ListenersRegistrar::wish(const std::string& event_class) const {
    return {uri_, event_class, kAuthHeader, settings_.secret};
}

void ListenersRegistrar::say_what_is_worth_knowing(RegistrarReport& report) const {
    const auto created = std::any_of(report.registrations.begin(), report.registrations.end(),
                                     [](const auto& r) { return r.state == RegistrationState::Created; });
    if (created) {
        report.notices.emplace_back(
            "Nextcloud remembers its registered classes for 5 minutes: until then new registrations may miss events.");
    }
    if (!settings_.relative && refused_as_local(settings_.public_url)) {
        report.notices.push_back(
            "Nextcloud calls a local address like " + where(settings_.public_url) +
            " only with `allow_local_remote_servers: true` in its config.php; otherwise each event "
            "is lost with a line in its log.");
    }
}

void ListenersRegistrar::say_what_cannot_arrive(RegistrarReport& report) const {
    std::size_t wanted = 0;
    std::vector<std::string> refused;
    for (const auto& one : report.registrations) {
        if (one.state == RegistrationState::Removed) continue;
        ++wanted;
        if (one.state == RegistrationState::Refused) refused.push_back(one.event_class);
        if (one.state == RegistrationState::Failed)
            worsen(report, RegistrarState::Degraded, one.event_class + ": " + one.detail + ".");
    }
    if (refused.empty()) return;
    if (refused.size() == wanted) {
        worsen(report, RegistrarState::Failed, "webhook_listeners refuses every class asked for.");
    } else if (settings_.classes_chosen) {
        worsen(report, RegistrarState::Degraded, "webhook_listeners refuses some of the classes asked for.");
    }
    auto& place = settings_.classes_chosen || refused.size() == wanted ? report.cannot_arrive : report.notices;
    place.push_back(join(refused, ", ") +
                    ": not offered to webhooks by this Nextcloud (the app is not enabled, its version is older, or "
                    "the class is not made for webhooks).");
}

}  // namespace orbridge::nextcloud
