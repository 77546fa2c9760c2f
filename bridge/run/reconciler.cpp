#include "bridge/run/reconciler.h"

#include <algorithm>

#include "bridge/core/json.h"
#include "bridge/run/remembered.h"

namespace orbridge {
namespace {

constexpr milliseconds kFirstBackoff{10'000};
constexpr milliseconds kBackoffMax{std::chrono::minutes{15}};
constexpr milliseconds kDistanceMax{std::chrono::hours{24}};
constexpr milliseconds kHealsByHand{std::chrono::minutes{5}};
constexpr milliseconds kSleepMax{std::chrono::minutes{5}};
// A restart may try credentials again that were refused, but a daemon that is restarted over and over must
// stay well below the ten failures in 30 minutes after which Nextcloud locks out the address.
constexpr milliseconds kHoldAfterRefusal{std::chrono::minutes{5}};

std::string names_key(const SourceId& source) { return "names/" + source.value; }
std::string stopped_key(const SourceId& source) { return "registrar/" + source.value + "/stopped"; }

bool heals_by_hand(const Trouble& trouble) {
    using Kind = Trouble::Kind;
    return trouble.kind == Kind::Rights || trouble.kind == Kind::Missing || trouble.kind == Kind::Configuration;
}

milliseconds until(const std::optional<TimePoint>& due, TimePoint now) {
    return due ? std::clamp(*due - now, milliseconds{0}, kSleepMax) : kSleepMax;
}

}  // namespace

milliseconds reconcile_backoff(const Trouble& trouble, int failures) {
    auto pause = kFirstBackoff;
    for (int i = 1; i < failures && pause < kBackoffMax; ++i) pause *= 2;
    pause = std::min(pause, kBackoffMax);
    if (heals_by_hand(trouble)) pause = std::max(pause, kHealsByHand);
    return std::max(pause, std::min(trouble.at_least, kDistanceMax));
}

Reconciler::Reconciler(std::vector<Source> sources, Tools tools) : tools_(tools) {
    const auto now = tools_.clock.now();
    for (auto& source : sources) {
        Entry entry{.source = std::move(source), .due = now, .names_due = now};
        const auto& id = entry.source.registrar->source();
        load_names(id);
        reports_.with([&](auto& reports) { reports[id].source = id; });
        if (entry.source.held) {
            entry.due = entry.names_due = std::nullopt;
        } else {
            hold_if_refused_lately(entry);
        }
        entries_.push_back(std::move(entry));
    }
}

milliseconds Reconciler::step() {
    for (auto& entry : entries_) {
        take_wish(entry);
        const auto now = tools_.clock.now();
        if (entry.due && *entry.due <= now) {
            reconcile(entry, now);
            return milliseconds{0};
        }
        if (entry.names_due && *entry.names_due <= now) {
            refresh_names(entry, now);
            return milliseconds{0};
        }
    }
    auto pause = kSleepMax;
    const auto now = tools_.clock.now();
    for (const auto& entry : entries_) pause = std::min({pause, until(entry.due, now), until(entry.names_due, now)});
    return pause;
}

// ---- wishes -------------------------------------------------------------------------------------

bool Reconciler::wish(const SourceId& source, Wish wish) {
    const bool known = reports_.with([&](const auto& reports) { return reports.contains(source); });
    const std::lock_guard lock(wishes_mutex_);
    if (known) wishes_.open[source] = wish;
    return known;
}

bool Reconciler::reconcile_soon(const SourceId& source) { return wish(source, Wish::Register); }

bool Reconciler::unregister_soon(const SourceId& source) { return wish(source, Wish::Unregister); }

bool Reconciler::wait_until_done(milliseconds limit) {
    std::unique_lock lock(wishes_mutex_);
    return wishes_done_.wait_for(lock, limit, [&] { return wishes_.open.empty() && wishes_.being_done == 0; });
}

void Reconciler::reconcile_all_soon() {
    for (const auto& report : reports()) reconcile_soon(report.source);
}

void Reconciler::take_wish(Entry& entry) {
    const auto& source = entry.source.registrar->source();
    auto wish = Wish::Register;
    {
        const std::lock_guard lock(wishes_mutex_);
        const auto found = wishes_.open.find(source);
        if (found == wishes_.open.end()) return;
        wish = found->second;
        wishes_.open.erase(found);
        ++wishes_.being_done;
    }
    const auto now = tools_.clock.now();
    if (wish == Wish::Register) {
        entry.due = entry.names_due = now;
        entry.failures = entry.names_failures = 0;
        entry.afresh = true;
    } else {
        unregister(entry, now);
    }
    const std::lock_guard lock(wishes_mutex_);
    --wishes_.being_done;
    wishes_done_.notify_all();
}

// ---- passes -------------------------------------------------------------------------------------

void Reconciler::reconcile(Entry& entry, TimePoint now) {
    auto report = entry.source.registrar->reconcile({now, std::exchange(entry.afresh, false)});
    plan(entry, report);
    publish(std::move(report));
}

void Reconciler::plan(Entry& entry, RegistrarReport& report) {
    const auto now = tools_.clock.now();
    report.checked_at = now;
    if (report.state == RegistrarState::Stopped) {
        stop(entry);
        return;
    }
    if (report.trouble) {
        entry.due = now + later(reconcile_backoff(*report.trouble, ++entry.failures));
        // The names come from the same place: what keeps us away from one keeps us away from the other.
        if (entry.names_due && entry.failures > 0) entry.names_due = std::max(*entry.names_due, *entry.due);
    } else {
        entry.failures = 0;
        entry.due = now + around(entry.source.every);
    }
    report.next_try = entry.due;
}

void Reconciler::stop(Entry& entry) {
    entry.due = entry.names_due = std::nullopt;
    Remembered stopped(tools_.store, stopped_key(entry.source.registrar->source()));
    stopped.set("mark", entry.source.registrar->credentials_mark());
    stopped.set_time("at", tools_.clock.now());
    (void)stopped.save();  // only a restart would have used it
}

void Reconciler::hold_if_refused_lately(Entry& entry) {
    const auto& registrar = *entry.source.registrar;
    Remembered stopped(tools_.store, stopped_key(registrar.source()));
    const auto mark = registrar.credentials_mark();
    if (!stopped.load() || mark.empty() || stopped.get("mark") != mark) return;
    const auto at = stopped.time("at");
    const auto now = tools_.clock.now();
    if (!at || now >= *at + kHoldAfterRefusal) return;
    entry.due = entry.names_due = *at + kHoldAfterRefusal;
    RegistrarReport report{.source = registrar.source(), .state = RegistrarState::Stopped};
    report.message =
        "These credentials were refused a moment before the restart: they are tried once more in a few minutes, or at "
        "once by `orbridge register`.";
    report.next_try = entry.due;
    publish(std::move(report));
}

void Reconciler::unregister(Entry& entry, TimePoint now) {
    auto report = entry.source.registrar->unregister({now, true});
    report.checked_at = tools_.clock.now();
    entry.due = std::nullopt;
    if (report.trouble && report.trouble->kind == Trouble::Kind::Credentials) stop(entry);
    worsen(report, RegistrarState::Stopped,
           report.trouble ? "Not everything was unregistered; nothing more is tried."
                          : "Unregistered on request; `orbridge register` or a restart registers again.");
    publish(std::move(report));
}

void Reconciler::refresh_names(Entry& entry, TimePoint now) {
    const auto& source = entry.source.registrar->source();
    const auto answer = entry.source.registrar->names();
    if (!answer.trouble) {
        entry.names_failures = 0;
        entry.names_due = now + around(entry.source.names_every);
        for (const auto& [kind, slugs] : answer.slugs) tools_.names.replace(source, kind, slugs);
        if (!answer.slugs.empty()) save_names(source, answer.slugs);
        return;
    }
    tools_.log.warn("names.not_refreshed", {{"source", source}, {"reason", answer.trouble->message}});
    if (answer.trouble->kind != Trouble::Kind::Credentials) {
        entry.names_due = now + later(reconcile_backoff(*answer.trouble, ++entry.names_failures));
        return;
    }
    RegistrarReport report = reports_.with([&](auto& reports) { return reports[source]; });
    end_with(report, *answer.trouble);
    report.next_try = std::nullopt;
    for (auto& one : report.registrations) one.news = false;
    for (auto& [kind, as_configured] : report.as_configured) as_configured = false;
    stop(entry);
    publish(std::move(report));
}

// ---- what is shown ------------------------------------------------------------------------------

std::vector<RegistrarReport> Reconciler::reports() const {
    return reports_.with([](const auto& reports) {
        std::vector<RegistrarReport> all;
        all.reserve(reports.size());
        for (const auto& [source, report] : reports) all.push_back(report);
        return all;
    });
}

void Reconciler::publish(RegistrarReport report) {
    const auto before = reports_.with([&](auto& reports) { return std::exchange(reports[report.source], report); });
    log_news(report, before);
}

void Reconciler::log_news(const RegistrarReport& report, const RegistrarReport& before) {
    for (const auto& one : report.registrations) {
        if (!one.news) continue;
        tools_.log.info("registration.changed", {{"source", report.source},
                                                 {"kind", to_text(one.kind)},
                                                 {"class", one.event_class},
                                                 {"id", one.remote_id},
                                                 {"state", to_text(one.state)},
                                                 {"detail", one.detail}});
    }
    const bool same = report.state == before.state && report.message == before.message;
    if (!same) {
        const bool fine = report.state == RegistrarState::Ok;
        const auto write = fine ? &Log::info : &Log::warn;
        (tools_.log.*write)("registrar.state",
                            {{"source", report.source}, {"state", to_text(report.state)}, {"reason", report.message}});
    }
    if (report.trouble || report.cannot_arrive == before.cannot_arrive) return;
    for (const auto& sentence : report.cannot_arrive)
        tools_.log.warn("registrar.cannot_arrive", {{"source", report.source}, {"reason", sentence}});
}

// ---- names over a restart -----------------------------------------------------------------------

void Reconciler::load_names(const SourceId& source) {
    const auto note = tools_.store.note(names_key(source));
    if (!note || !*note) return;
    const auto document = JsonDocument::parse(**note);
    if (!document) return;
    for (const auto& kind : (*document)->root().members()) {
        std::map<std::string, std::string> slugs;
        for (const auto& one : kind.value.members()) slugs[one.key] = one.value.string().value_or("");
        tools_.names.replace(source, kind.key, std::move(slugs));
    }
}

void Reconciler::save_names(const SourceId& source, const Slugs& slugs) {
    JsonWriter json;
    json.object();
    for (const auto& [kind, by_id] : slugs) {
        json.key(kind).object();
        for (const auto& [id, slug] : by_id) json.member(id, slug);
        json.end();
    }
    json.end();
    const auto note = tools_.store.note(names_key(source));
    if (note && *note == json.text()) return;
    if (auto saved = tools_.store.set_note(names_key(source), json.text()); !saved)
        tools_.log.warn("names.not_kept", {{"source", source}, {"reason", saved.error().message}});
}

/// Up to a fifth more: what a source asked for is the least.
milliseconds Reconciler::later(milliseconds pause) {
    return pause + milliseconds{static_cast<std::int64_t>(static_cast<double>(pause.count()) * 0.2 * chance())};
}

/// Within a tenth, so that what started together does not stay together.
milliseconds Reconciler::around(milliseconds pause) {
    const auto share = 0.9 + 0.2 * chance();
    return milliseconds{static_cast<std::int64_t>(static_cast<double>(pause.count()) * share)};
}

double Reconciler::chance() { return tools_.random.unit(); }

}  // namespace orbridge
