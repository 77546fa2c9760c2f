#include "bridge/sources.h"

#include <algorithm>

#include "adapters/http_json/poller.h"
#include "adapters/openregister/poller.h"
#include "adapters/source_registrar.h"
#include "bridge/poll/authorized_poller.h"
#include "bridge/run/shared_fetches.h"

namespace orbridge {
namespace {

constexpr milliseconds kUnregisterWithin{50'000};  // AppAPI waits 60 s
constexpr milliseconds kLookAgainIfEnabled{500};

bool uses(const SourceSettings& source, const std::string& adapter, const std::string& name) {
    return adapter == kOAuth2 && source.oauth2 && source.oauth2->credentials == name;
}

/// Only then an answer is worth keeping: as long as the source would not ask again anyway.
bool asks_like_another(const Plan& plan, const SourceSettings& source) {
    const auto& all = plan.settings.sources;
    return source.type == "http" && std::any_of(all.begin(), all.end(), [&](const SourceSettings& other) {
               return other.type == "http" && other.id != source.id && other.url == source.url &&
                      asker_of(other) == asker_of(source);
           });
}

}  // namespace

Sources::Sources(Tools tools)
    : tools_(std::move(tools)), oauth2_tokens_(tools_.credentials, tools_.clock, sender()), rates_(tools_.clock) {}

Exchanger Sources::sender() {
    return [&transport = tools_.transport](HttpRequest request) { return exchange(transport, std::move(request)); };
}

void Sources::start(const Plan& plan) {
    rates_.configure(plan.settings.sources);
    start_registering(plan);
    start_polling(plan);
}

void Sources::stop() {
    rates_.close();
    registering_.with([](Registering& r) { r.worker.reset(); });
    polling_.with([](auto& running) { running.clear(); });
}

// ---- registering

void Sources::start_registering(const Plan& plan) {
    std::vector<Reconciler::Source> sources;
    for (const auto& source : plan.settings.sources) {
        if (source.url.empty() || source.type == "http") continue;
        sources.push_back(
            {make_source_registrar(source, plan.settings.public_url, rates_.limited(source, sender()), tools_.store),
             source.reconcile_every, source.names_every, is_held(source.app_api.has_value())});
    }
    registering_.with([&](Registering& r) {
        r.worker.reset();
        r.reconciler = std::make_unique<Reconciler>(
            std::move(sources), Reconciler::Tools{tools_.store, tools_.clock, tools_.random, tools_.log, tools_.names});
        r.worker.emplace([reconciler = r.reconciler.get()] { return reconciler->step(); });
    });
}

std::vector<RegistrarReport> Sources::registrations() const {
    return registering_.with(
        [](const Registering& r) { return r.reconciler ? r.reconciler->reports() : std::vector<RegistrarReport>{}; });
}

Status Sources::ask_to_register(const std::string& source, bool remove) {
    return registering_.with([&](Registering& r) -> Status {
        bool known = true;
        if (source.empty() && !remove) {
            r.reconciler->reconcile_all_soon();
        } else if (source.empty()) {
            for (const auto& report : r.reconciler->reports()) r.reconciler->unregister_soon(report.source);
        } else {
            known = remove ? r.reconciler->unregister_soon({source}) : r.reconciler->reconcile_soon({source});
        }
        r.worker->wake();
        if (!known) return Error{Error::Kind::NotFound, "source: none of this name registers anything"};
        return Ok{};
    });
}

std::vector<SourceId> Sources::app_sources() const {
    std::vector<SourceId> sources;
    const auto plan = tools_.plan();  // held: a reload may let go of it meanwhile
    for (const auto& source : plan->settings.sources) {
        if (source.app_api) sources.push_back(source.id);
    }
    return sources;
}

void Sources::register_app() {
    for (const auto& source : app_sources()) (void)ask_to_register(source.value, false);
}

std::string Sources::unregister_app() {
    const auto sources = app_sources();
    for (const auto& source : sources) {
        if (auto asked = ask_to_register(source.value, true); !asked) return asked.error().message;
    }
    const bool done =
        registering_.with([&](Registering& r) { return r.reconciler->wait_until_done(kUnregisterWithin); });
    if (!done) return "not everything was unregistered in time";
    std::string faults;
    for (const auto& report : registrations()) {
        const bool ours = std::find(sources.begin(), sources.end(), report.source) != sources.end();
        if (ours && report.trouble) faults += (faults.empty() ? "" : " ") + report.trouble->message;
    }
    return faults;
}

// ---- polling

std::unique_ptr<Poller> Sources::make_poller(const Plan& plan, const SourceSettings& source, const Exchanger& send) {
    const auto json = plan.json_polls.find(source.id);
    if (json == plan.json_polls.end()) return make_openregister_poller(source, send, tools_.store, tools_.clock);
    if (!source.oauth2)
        return std::make_unique<http_json::JsonPoller>(source, json->second, send, tools_.store, tools_.clock);
    auto poller = std::make_unique<http_json::JsonPoller>(
        source, json->second, with_oauth2(*source.oauth2, oauth2_tokens_, tools_.credentials, send), tools_.store,
        tools_.clock);
    return std::make_unique<AuthorizedPoller>(*source.oauth2, oauth2_tokens_, tools_.credentials, std::move(poller));
}

/// One thread each: a source that is slow to answer holds up no other.
Sources::Polling Sources::make_polling(const SourceSettings& source, std::unique_ptr<Poller> poller) {
    Polling polling;
    polling.poll = std::make_unique<SourcePoll>(
        source.id, std::move(poller), *source.poll,
        SourcePoll::Tools{tools_.store, tools_.clock, tools_.random, tools_.log,
                          [this](const SourceId& id, const std::vector<Observed>& found, TimePoint began,
                                 const Bookmark& bookmark) { return observe(id, found, began, bookmark); },
                          tools_.polled});
    polling.worker = std::make_unique<Worker>([this, poll = polling.poll.get(), as_app = source.app_api.has_value()] {
        return is_held(as_app) ? kLookAgainIfEnabled : poll->step();
    });
    return polling;
}

void Sources::start_polling(const Plan& plan) {
    const auto shared = std::make_shared<SharedFetches>(tools_.clock);
    polling_.with([&](std::vector<Polling>& running) {
        running.clear();
        for (const auto& source : plan.settings.sources) {
            if (!source.poll) continue;
            auto send = rates_.limited(source, sender());
            if (asks_like_another(plan, source)) send = shared->share(std::move(send), source.poll->interval * 9 / 10);
            running.push_back(make_polling(source, make_poller(plan, source, send)));
        }
    });
}

Result<Observation> Sources::observe(const SourceId& id, const std::vector<Observed>& found, TimePoint began,
                                     const Bookmark& bookmark) {
    const auto accepted = tools_.ingest.observe(id, found, began, bookmark);
    if (!accepted) return accepted.error();
    Observation observation;
    for (const auto& each : *accepted) ++(each.duplicate ? observation.duplicates : observation.events);
    return observation;
}

std::vector<PollReport> Sources::polls() const {
    return polling_.with([](const std::vector<Polling>& running) {
        std::vector<PollReport> reports;
        reports.reserve(running.size());
        for (const auto& polling : running) reports.push_back(polling.poll->report());
        return reports;
    });
}

RefreshVerdict Sources::refresh(const SourceId& source) {
    return polling_.with([&](std::vector<Polling>& running) -> RefreshVerdict {
        for (const auto& polling : running) {
            if (polling.poll->report().source != source) continue;
            const auto verdict = polling.poll->refresh(tools_.clock.now());
            if (verdict.new_poll) polling.worker->wake();
            return verdict;
        }
        return {};
    });
}

std::map<SourceId, SnapshotSource> Sources::snapshots() const {
    std::map<SourceId, SnapshotSource> sources;
    const auto plan = tools_.plan();
    for (const auto& source : plan->settings.sources) {
        auto& seen = sources[source.id];
        seen.kept = source.snapshots;
        if (source.poll) seen.stale_after = source.poll->stale_after;
    }
    for (auto& report : polls()) sources[report.source].poll = std::move(report);
    return sources;
}

Backfilling Sources::backfilling() {
    return {.ready = [this](const SourceId& source) { return can_backfill(source); },
            .tell = [this](const SourceId& source,
                           const std::vector<UntoldSubject>& untold) { return backfill(source, untold); }};
}

Status Sources::can_backfill(const SourceId& source) const {
    const auto reports = polls();
    const auto report =
        std::find_if(reports.begin(), reports.end(), [&](const PollReport& each) { return each.source == source; });
    if (report == reports.end()) {
        return Error{Error::Kind::Invalid, "source: there is no source `" + source.value +
                                               "` with `poll`: only what is polled is known from before"};
    }
    if (report->complete) return Ok{};
    const auto why = report->error.empty() ? std::string("it is being read") : report->error;
    return Error{Error::Kind::Unavailable, "the source was not read to its end yet: " + why};
}

Result<Backfilling::Told> Sources::backfill(const SourceId& source, const std::vector<UntoldSubject>& untold) {
    const auto plan = tools_.plan();
    const auto json = plan->json_polls.find(source);
    std::vector<Observed> bodies;
    Backfilling::Told told;
    for (const auto& each : untold) {
        auto body = json == plan->json_polls.end() ? openregister_existing(each)
                                                   : http_json::existing_item(each, json->second.channel);
        if (body) {
            bodies.push_back({.body = *std::move(body), .backfilled = true});
        } else {
            told.problems.push_back(each.subject + ": what is kept of it says too little");
        }
    }
    const auto observed = tools_.ingest.backfill(source, bodies);
    if (!observed) return observed.error();
    told.events = observed->events;
    told.problems.insert(told.problems.end(), observed->problems.begin(), observed->problems.end());
    return told;
}

// ---- credentials

void Sources::credentials_changed(const CredentialName& which) {
    const auto plan = tools_.plan();
    polling_.with([&](std::vector<Polling>& running) {
        for (auto& polling : running) {
            const auto id = polling.poll->report().source;
            for (const auto& source : plan->settings.sources) {
                if (source.id != id || !uses(source, which.adapter, which.name)) continue;
                polling.poll->soon();
                polling.worker->wake();
            }
        }
    });
}

Result<CredentialTest> Sources::test_credentials(const CredentialName& which, const Secret& values,
                                                 const std::string& config) {
    const auto document = JsonDocument::parse(config.empty() ? "{}" : config);
    const auto wanted = document ? (*document)->root()["source"].string() : std::nullopt;
    const auto plan = tools_.plan();
    for (const auto& source : plan->settings.sources) {
        const bool fits =
            wanted ? source.id.value == *wanted : source.oauth2 && source.oauth2->credentials == which.name;
        if (!source.oauth2 || !fits) continue;
        return try_oauth2(*source.oauth2, values, sender(), tools_.clock.now());
    }
    return Error{Error::Kind::Invalid,
                 wanted ? "config.source: no source of this name has `oauth2`"
                        : "no source uses them, so there is no token_url to try them at; give one `oauth2` first"};
}

std::vector<std::string> Sources::users_of(const std::string& adapter, const std::string& name) const {
    std::vector<std::string> users;
    const auto plan = tools_.plan();
    for (const auto& source : plan->settings.sources) {
        if (uses(source, adapter, name)) users.push_back("source " + source.id.value);
    }
    return users;
}

}  // namespace orbridge
