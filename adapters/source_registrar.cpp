#include "adapters/source_registrar.h"

#include <algorithm>
#include <array>
#include <utility>

#include "adapters/nextcloud/event_classes.h"
#include "adapters/nextcloud/listeners_registrar.h"
#include "adapters/openregister/hooks_registrar.h"
#include "adapters/openregister/webhooks_registrar.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace {

constexpr milliseconds kAskAgain{std::chrono::hours{24}};
constexpr auto kListenersTried = "listeners_tried";
constexpr auto kTheirEvents = "OpenRegister's events";
constexpr std::array kKinds = {Intake::Listeners, Intake::Webhooks, Intake::Hooks};

std::string active(Intake kind) { return std::string("active/") + to_text(kind); }

/// Troubles that concern the source as a whole: asking another of its APIs would only add to them.
bool concerns_all(const Trouble& trouble) {
    using Kind = Trouble::Kind;
    return trouble.kind == Kind::Credentials || trouble.kind == Kind::Busy || trouble.kind == Kind::Unreachable;
}

class SourceRegistrar final : public Registrar {
public:
    struct Parts {
        std::unique_ptr<Registrar> listeners, webhooks, hooks;  ///< webhooks and hooks: only OpenRegister has them
    };

    SourceRegistrar(SourceSettings settings, Parts parts, openregister::ApiClient client, Store& store)
        : settings_(std::move(settings)),
          parts_(std::move(parts)),
          client_(std::move(client)),
          remembered_(store, "registrar/" + settings_.id.value) {}

    const SourceId& source() const override { return settings_.id; }
    RegistrarReport reconcile(const Pass& pass) override;
    RegistrarReport unregister(const Pass& pass) override;
    NamesAnswer names() override;
    std::string credentials_mark() const override;

private:
    bool listed(std::string_view word) const {
        return std::find(settings_.intakes_wanted.begin(), settings_.intakes_wanted.end(), word) !=
               settings_.intakes_wanted.end();
    }
    bool automatic() const { return settings_.intakes_wanted.empty() || listed("auto"); }
    bool is_openregister() const { return settings_.type == "openregister"; }
    bool hooks_wanted() const {
        return parts_.hooks &&
               (automatic() ? !settings_.schemas.empty() || !settings_.hook_token.empty() : listed("hooks"));
    }
    Registrar* part(Intake kind) const;
    bool wanted(Intake kind, bool listeners_taken) const;
    std::string what_lacks() const;
    bool begin(RegistrarReport& report);
    void reconcile_kind(RegistrarReport& report, Intake kind, bool is_wanted, const Pass& pass);
    bool try_listeners(RegistrarReport& report, const Pass& pass);
    std::string hooked_schemas() const;
    void say_what_webhooks_lack(RegistrarReport& report) const;
    static void say_nothing_arrives(RegistrarReport& report);
    void finish(RegistrarReport& report);

    SourceSettings settings_;
    Parts parts_;
    openregister::ApiClient client_;
    Remembered remembered_;
};

Registrar* SourceRegistrar::part(Intake kind) const {
    if (kind == Intake::Listeners) return parts_.listeners.get();
    return kind == Intake::Webhooks ? parts_.webhooks.get() : parts_.hooks.get();
}

bool SourceRegistrar::wanted(Intake kind, bool listeners_taken) const {
    if (part(kind) == nullptr) return false;
    if (kind == Intake::Hooks) return hooks_wanted();
    if (!automatic()) return listed(to_text(kind));
    if (!is_openregister()) return kind == Intake::Listeners;
    return (kind == Intake::Listeners) == listeners_taken;
}

std::string SourceRegistrar::what_lacks() const {
    if (settings_.url.empty()) return "its `url`";
    // Empty credentials would count as a failed login.
    if (settings_.app_api) return {};
    const bool known = !settings_.bearer.empty() || (!settings_.user.empty() && !settings_.password.empty());
    return known ? std::string() : "`user` and `password`, or `token`";
}

bool SourceRegistrar::begin(RegistrarReport& report) {
    if (const auto lacking = what_lacks(); !lacking.empty()) {
        const auto sentence = "Nothing is registered at the source without " + lacking + ".";
        // A source that is only pushed to, by registrations made by hand, needs neither.
        if (automatic()) {
            report.notices.push_back(sentence);
        } else {
            end_with(report, {Trouble::Kind::Configuration, sentence});
        }
        return false;
    }
    auto loaded = remembered_.load();
    if (!loaded) end_with(report, {Trouble::Kind::Failed, "The store cannot be read: " + loaded.error().message});
    return loaded.has_value();
}

RegistrarReport SourceRegistrar::reconcile(const Pass& pass) {
    RegistrarReport report{.source = settings_.id};
    if (listed("off") || !begin(report)) return report;
    bool taken = false;
    if (automatic() && is_openregister()) taken = try_listeners(report, pass);
    for (const auto kind : kKinds) {
        const bool is_wanted = wanted(kind, taken);
        if (report.trouble && concerns_all(*report.trouble)) {
            if (is_wanted) report.as_configured[kind] = false;
            continue;
        }
        const bool done = kind == Intake::Listeners && automatic() && is_openregister();
        if (!done) reconcile_kind(report, kind, is_wanted, pass);
    }
    if (!report.trouble && wanted(Intake::Webhooks, taken)) say_what_webhooks_lack(report);
    if (!report.trouble && automatic() && is_openregister() && !taken && !parts_.webhooks) say_nothing_arrives(report);
    finish(report);
    return report;
}

void SourceRegistrar::reconcile_kind(RegistrarReport& report, Intake kind, bool is_wanted, const Pass& pass) {
    if (is_wanted) {
        remembered_.set(active(kind), "yes");
        auto found = part(kind)->reconcile(pass);
        report.as_configured[kind] = found.state == RegistrarState::Ok;
        merge(report, std::move(found));
        return;
    }
    // A way that was used before and is given up is taken back; one never used is not even asked about.
    if (part(kind) == nullptr || remembered_.get(active(kind)).empty()) return;
    auto removed = part(kind)->unregister(pass);
    if (!removed.trouble) remembered_.erase(active(kind));
    merge(report, std::move(removed));
}

/// Whether Nextcloud takes all of OpenRegister's classes as webhook events. It asks once a day: a refusal, a
/// missing right (listeners need an administrator) or a missing app is no fault, as webhooks do without.
bool SourceRegistrar::try_listeners(RegistrarReport& report, const Pass& pass) {
    const auto tried = remembered_.time(kListenersTried);
    const bool lately = tried && !pass.afresh && pass.now < *tried + kAskAgain;
    if (lately) {
        report.registrations.push_back({Intake::Listeners, kTheirEvents, "", RegistrationState::Refused,
                                        "refused by webhook_listeners; asked again once a day", false});
        return false;
    }
    auto attempt = parts_.listeners->reconcile(pass);
    const bool taken = attempt.state == RegistrarState::Ok;
    const bool ends =
        attempt.trouble && (concerns_all(*attempt.trouble) || attempt.trouble->kind == Trouble::Kind::Configuration);
    const bool some = std::any_of(attempt.registrations.begin(), attempt.registrations.end(),
                                  [](const auto& one) { return !one.remote_id.empty(); });
    if (some) remembered_.set(active(Intake::Listeners), "yes");
    if (taken || ends) {
        if (taken) {
            report.as_configured[Intake::Listeners] = true;
            attempt.notices.emplace_back(
                "webhook_listeners cannot carry events over 4000 bytes and fails the user's save instead: `register: "
                "[webhooks]` avoids that.");
        }
        if (taken) remembered_.erase(kListenersTried);
        merge(report, std::move(attempt));
        return taken;
    }
    for (auto& one : attempt.registrations) one.news = false;
    const auto why = attempt.trouble ? " (" + attempt.trouble->message + ")" : std::string();
    report.registrations = std::move(attempt.registrations);
    report.registrations.push_back({Intake::Listeners, kTheirEvents, "", RegistrationState::Refused,
                                    "Nextcloud's webhook_listeners refuses OpenRegister's classes" + why +
                                        (parts_.webhooks ? "; OpenRegister's own webhooks are used instead" : "") +
                                        ". Asked again once a day.",
                                    !tried.has_value()});
    remembered_.set_time(kListenersTried, pass.now);
    return false;
}

std::string SourceRegistrar::hooked_schemas() const {
    const auto& names = settings_.schemas;
    if (names.empty()) return "no schema yet, as `schemas` is empty";
    if (std::find(names.begin(), names.end(), "*") != names.end()) return "all schemas";
    return join(names, ", ");
}

void SourceRegistrar::say_what_webhooks_lack(RegistrarReport& report) const {
    const bool only_created = std::all_of(settings_.classes.begin(), settings_.classes.end(),
                                          [](const auto& name) { return name.ends_with("ObjectCreatedEvent"); });
    if (only_created && !settings_.classes.empty()) return;
    const std::string hooks = hooks_wanted()
                                  ? "schema hooks are configured and bring updates of " + hooked_schemas() + "."
                                  : "schema hooks are not configured (`schemas` and `hook_token`).";
    report.cannot_arrive.push_back(
        "This OpenRegister only sends ObjectCreatedEvent to webhooks (all releases to date): updates and deletes "
        "cannot "
        "arrive this way; " +
        hooks);
    if (!hooks_wanted()) worsen(report, RegistrarState::Degraded, "Only created objects arrive by webhook.");
}

void SourceRegistrar::say_nothing_arrives(RegistrarReport& report) {
    report.cannot_arrive.emplace_back(
        "This Nextcloud does not hand OpenRegister's events to apps. OpenRegister's own webhooks need `public_url`, an "
        "address at which Nextcloud reaches us directly, and `user`, an account to act as there.");
    worsen(report, RegistrarState::Degraded, "No events of OpenRegister can arrive by push.");
}

void SourceRegistrar::finish(RegistrarReport& report) {
    if (auto saved = remembered_.save(); !saved)
        worsen(report, RegistrarState::Degraded, "What was registered could not be noted: " + saved.error().message);
}

RegistrarReport SourceRegistrar::unregister(const Pass& pass) {
    RegistrarReport report{.source = settings_.id};
    if (!begin(report)) return report;
    for (const auto kind : kKinds) {
        const bool used = !remembered_.get(active(kind)).empty() || wanted(kind, false);
        if (part(kind) == nullptr || !used) continue;
        auto removed = part(kind)->unregister(pass);
        if (!removed.trouble) remembered_.erase(active(kind));
        merge(report, std::move(removed));
        if (report.trouble && concerns_all(*report.trouble)) break;
    }
    if (!report.trouble) remembered_.clear();
    finish(report);
    return report;
}

NamesAnswer SourceRegistrar::names() {
    NamesAnswer answer;
    // OpenRegister knows users, not apps.
    const bool nobody = settings_.app_api && settings_.user.empty();
    if (!is_openregister() || nobody || !what_lacks().empty()) return answer;
    for (const auto& [kind, path] : {std::pair{"register", "/api/registers"}, std::pair{"schema", "/api/schemas"}}) {
        const auto rows = client_.list(path);
        if (rows.trouble) return {{}, rows.trouble};
        auto& slugs = answer.slugs[kind];
        for (const auto& row : rows.rows) {
            if (auto slug = openregister::text_of(row["slug"]); !slug.empty())
                slugs[openregister::text_of(row["id"])] = std::move(slug);
        }
    }
    return answer;
}

std::string SourceRegistrar::credentials_mark() const {
    const auto app = settings_.app_api ? settings_.app_api->id + ":" + settings_.app_api->secret.reveal() : "";
    const Secret all(settings_.user + "\n" + settings_.password.reveal() + "\n" + settings_.bearer.reveal() + app);
    return fingerprint(all, settings_.url);
}

/// `default` and `all` stand for lists; anything else is a class.
std::vector<std::string> classes_of(const SourceSettings& settings, const std::vector<std::string>& usual,
                                    const std::vector<std::string>& all) {
    if (settings.classes.empty()) return usual;
    std::vector<std::string> classes;
    const auto add = [&](const std::string& name) {
        if (std::find(classes.begin(), classes.end(), name) == classes.end()) classes.push_back(name);
    };
    for (const auto& name : settings.classes) {
        if (name == "default" || name == "all") {
            const auto& more = name == "all" ? all : usual;
            std::for_each(more.begin(), more.end(), add);
        } else {
            add(name.starts_with('\\') ? name.substr(1) : name);
        }
    }
    return classes;
}

/// Whether each class was asked for by its own name.
bool chosen(const SourceSettings& settings) {
    return !settings.classes.empty() &&
           std::none_of(settings.classes.begin(), settings.classes.end(),
                        [](const auto& name) { return name == "default" || name == "all"; });
}

}  // namespace

std::unique_ptr<Registrar> make_source_registrar(const SourceSettings& settings, const std::string& public_url,
                                                 const Exchanger& exchange, Store& store) {
    const auto access = access_of(settings);
    const bool openregister = settings.type == "openregister";
    const auto secret = settings.secrets.empty() ? Secret() : settings.secrets.front();
    const auto classes = openregister
                             ? classes_of(settings, openregister::default_classes(), openregister::all_classes())
                             : classes_of(settings, nextcloud::default_classes(), nextcloud::all_classes());
    const openregister::ApiClient api(access, exchange);
    SourceRegistrar::Parts parts;
    parts.listeners = std::make_unique<nextcloud::ListenersRegistrar>(
        nextcloud::ListenersSettings{settings.id, public_url, secret, classes, openregister || chosen(settings),
                                     openregister, settings.app_api.has_value()},
        nextcloud::OcsClient(access, exchange), store);
    // OpenRegister's own ways out know neither AppAPI nor where an ExApp is.
    const bool direct = !settings.app_api || (!settings.user.empty() && !public_url.empty());
    if (openregister && direct) {
        parts.webhooks = std::make_unique<openregister::WebhooksRegistrar>(
            openregister::WebhooksSettings{settings.id, settings.url, public_url, secret, classes}, api, store);
        parts.hooks = std::make_unique<openregister::HooksRegistrar>(
            openregister::HooksSettings{settings.id, public_url, settings.hook_token, settings.schemas}, api, store);
    }
    return std::make_unique<SourceRegistrar>(settings, std::move(parts), api, store);
}

}  // namespace orbridge
