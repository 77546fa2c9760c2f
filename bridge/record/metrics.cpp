#include "bridge/record/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace orbridge {

namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Family;

const prometheus::Histogram::BucketBoundaries kSeconds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20};

double seconds_of(milliseconds time) { return static_cast<double>(time.count()) / 1000.0; }

double severity(Breaker::State state) {
    switch (state) {
        case Breaker::State::Closed: return 0;
        case Breaker::State::HalfOpen: return 1;
        case Breaker::State::Open: return 2;
        case Breaker::State::Paused: return 3;
    }
    return 0;
}

/// A gauge family of which each scrape shows exactly what it was told.
class Fresh {
public:
    explicit Fresh(Family<prometheus::Gauge>& family) : family_(family) {}
    void clear() {
        for (auto* gauge : shown_) family_.Remove(gauge);
        shown_.clear();
    }
    void set(const prometheus::Labels& labels, double value) {
        auto& gauge = family_.Add(labels);
        gauge.Set(value);
        shown_.push_back(&gauge);
    }

private:
    Family<prometheus::Gauge>& family_;
    std::vector<prometheus::Gauge*> shown_;
};

/// How it last went with targets, or with sources.
struct HealthFamilies {
    std::string label;
    Fresh success, error, failures, next;

    void show(const std::vector<Metrics::Health>& all) {
        for (auto* fresh : {&success, &error, &failures, &next}) fresh->clear();
        for (const auto& each : all) {
            const prometheus::Labels labels = {{label, each.name}};
            const auto when = [&](Fresh& gauge, const std::optional<TimePoint>& time) {
                if (time) gauge.set(labels, seconds_of(time->time_since_epoch()));
            };
            when(success, each.last_success);
            when(error, each.last_error);
            when(next, each.next);
            failures.set(labels, each.failures);
        }
    }
};

}  // namespace

struct Metrics::Families {
    prometheus::Registry registry;
    Family<prometheus::Counter>& received =
        BuildCounter()
            .Name("orbridge_events_received_total")
            .Help("Verified events by what became of them: accepted, duplicate, unmapped (stored too)")
            .Register(registry);
    Family<prometheus::Counter>& backfilled = BuildCounter()
                                                  .Name("orbridge_events_backfilled_total")
                                                  .Help("Accepted events that tell what was there before, on demand")
                                                  .Register(registry);
    Family<prometheus::Gauge>& lag = BuildGauge()
                                         .Name("orbridge_intake_lag_seconds")
                                         .Help("How long ago the last thing that an intake told had happened then")
                                         .Register(registry);
    Family<prometheus::Counter>& refused = BuildCounter()
                                               .Name("orbridge_requests_refused_total")
                                               .Help("Requests to a source that were not accepted, by HTTP status")
                                               .Register(registry);
    Family<prometheus::Counter>& attempts =
        BuildCounter()
            .Name("orbridge_delivery_attempts_total")
            .Help("Attempts by outcome: delivered, advanced, duplicate, retry, rejected")
            .Register(registry);
    Family<prometheus::Histogram>& duration = BuildHistogram()
                                                  .Name("orbridge_delivery_attempt_duration_seconds")
                                                  .Help("How long attempts took")
                                                  .Register(registry);
    Family<prometheus::Counter>& ended = BuildCounter()
                                             .Name("orbridge_deliveries_total")
                                             .Help("Deliveries that ended, by outcome: delivered, dead")
                                             .Register(registry);
    Family<prometheus::Counter>& changed =
        BuildCounter()
            .Name("orbridge_payload_texts_changed_total")
            .Help("Texts of events changed so that the target does not act upon them, e.g. Windmill's $var:")
            .Register(registry);
    Family<prometheus::Counter>& lease_requests =
        BuildCounter()
            .Name("orbridge_lease_requests_total")
            .Help("Requests to the lease API that had a token, by its name and by result: success, failure")
            .Register(registry);
    Family<prometheus::Counter>& callbacks =
        BuildCounter()
            .Name("orbridge_callbacks_total")
            .Help("Callbacks to subscribers by outcome: delivered, retry, rejected")
            .Register(registry);
    Family<prometheus::Counter>& expired = BuildCounter()
                                               .Name("orbridge_subscriptions_expired_total")
                                               .Help("Subscriptions whose lease ended")
                                               .Register(registry);
    Fresh subscribed{
        BuildGauge().Name("orbridge_subscriptions_active").Help("Subscriptions whose lease runs").Register(registry)};
    Family<prometheus::Counter>& cut = BuildCounter()
                                           .Name("orbridge_deliveries_loop_cut_total")
                                           .Help("Deliveries cut because our own scripts seem to have caused the event")
                                           .Register(registry);
    Fresh breaker{BuildGauge()
                      .Name("orbridge_target_breaker_state")
                      .Help("0 closed, 1 half-open, 2 open, 3 paused")
                      .Register(registry)};
    Fresh in_flight{
        BuildGauge().Name("orbridge_target_in_flight").Help("Deliveries on their way, by target").Register(registry)};
    Fresh pending{BuildGauge()
                      .Name("orbridge_deliveries_pending")
                      .Help("Deliveries not yet ended, by target")
                      .Register(registry)};
    Fresh oldest{BuildGauge()
                     .Name("orbridge_delivery_oldest_pending_age_seconds")
                     .Help("Age of the oldest delivery not yet ended, by target")
                     .Register(registry)};
    Fresh dead{BuildGauge()
                   .Name("orbridge_dead_letters")
                   .Help("Deliveries given up on and kept, by target")
                   .Register(registry)};
    Fresh stored{BuildGauge().Name("orbridge_events_stored").Help("Events in the store, by state").Register(registry)};
    Fresh heard{BuildGauge()
                    .Name("orbridge_intake_last_heard_timestamp_seconds")
                    .Help("When an intake was last heard from")
                    .Register(registry)};
    Fresh registration{BuildGauge()
                           .Name("orbridge_registration_ok")
                           .Help("1 if what is registered at the source is as configured")
                           .Register(registry)};
    Fresh poll_checked{BuildGauge()
                           .Name("orbridge_poll_checked_timestamp_seconds")
                           .Help("End of the last poll, whatever came of it")
                           .Register(registry)};
    Fresh poll_fetched{BuildGauge()
                           .Name("orbridge_poll_fetched_timestamp_seconds")
                           .Help("When the last poll that went well ended")
                           .Register(registry)};
    Fresh poll_next{BuildGauge()
                        .Name("orbridge_poll_next_timestamp_seconds")
                        .Help("When the source is polled next; none: not by itself")
                        .Register(registry)};
    Fresh poll_failures{BuildGauge()
                            .Name("orbridge_poll_failures_in_a_row")
                            .Help("Polls that failed since the last one that went well")
                            .Register(registry)};
    Fresh poll_found{BuildGauge()
                         .Name("orbridge_poll_found")
                         .Help("Changes found by polling since the start: recovered (no push had brought them), "
                               "duplicate, untold (content gone before it could be read)")
                         .Register(registry)};
    Fresh poll_gaps{BuildGauge()
                        .Name("orbridge_poll_gaps")
                        .Help("Kinds of change that this source cannot tell; `orbridge status` names them")
                        .Register(registry)};
    Fresh push_silent{BuildGauge()
                          .Name("orbridge_poll_push_silent")
                          .Help("1 if pushes once came and have not for `push_timeout`")
                          .Register(registry)};
    Fresh backlog{BuildGauge()
                      .Name("orbridge_backlog_ratio")
                      .Help("How much of each limit of the backlog is used: at 1 nothing new is accepted")
                      .Register(registry)};
    HealthFamilies target_health{"target",
                                 Fresh(BuildGauge()
                                           .Name("orbridge_target_last_success_timestamp_seconds")
                                           .Help("When it last went well")
                                           .Register(registry)),
                                 Fresh(BuildGauge()
                                           .Name("orbridge_target_last_error_timestamp_seconds")
                                           .Help("When it last went wrong")
                                           .Register(registry)),
                                 Fresh(BuildGauge()
                                           .Name("orbridge_target_failures_in_a_row")
                                           .Help("Failures since the last success")
                                           .Register(registry)),
                                 Fresh(BuildGauge()
                                           .Name("orbridge_target_next_attempt_timestamp_seconds")
                                           .Help("When the next one is due; none: nothing waits for its time")
                                           .Register(registry))};
    HealthFamilies source_health{"source",
                                 Fresh(BuildGauge()
                                           .Name("orbridge_source_last_success_timestamp_seconds")
                                           .Help("When it last went well")
                                           .Register(registry)),
                                 Fresh(BuildGauge()
                                           .Name("orbridge_source_last_error_timestamp_seconds")
                                           .Help("When it last went wrong")
                                           .Register(registry)),
                                 Fresh(BuildGauge()
                                           .Name("orbridge_source_failures_in_a_row")
                                           .Help("Failures since the last success")
                                           .Register(registry)),
                                 Fresh(BuildGauge()
                                           .Name("orbridge_source_next_poll_timestamp_seconds")
                                           .Help("When the next one is due; none: nothing waits for its time")
                                           .Register(registry))};
    std::mutex scraping;

    void show(const Metrics::Poll& poll);
};

void Metrics::Families::show(const Metrics::Poll& poll) {
    const prometheus::Labels source = {{"source", poll.source}};
    const auto when = [&](Fresh& gauge, const std::optional<TimePoint>& time) {
        if (time) gauge.set(source, seconds_of(time->time_since_epoch()));
    };
    when(poll_checked, poll.checked_at);
    when(poll_fetched, poll.fetched_at);
    when(poll_next, poll.next_poll);
    poll_failures.set(source, poll.failures);
    const auto found = [&](const char* what, std::uint64_t count) {
        poll_found.set({{"source", poll.source}, {"what", what}}, static_cast<double>(count));
    };
    found("recovered", poll.recovered);
    found("duplicate", poll.duplicates);
    found("untold", poll.untold);
    poll_gaps.set(source, static_cast<double>(poll.cannot_tell));
    push_silent.set(source, poll.push_silent ? 1 : 0);
}

Metrics::Metrics() : families_(std::make_unique<Families>()) {
    BuildGauge()
        .Name("orbridge_build_info")
        .Help("Constant 1, labelled with the version")
        .Register(families_->registry)
        .Add({{"version", ORBRIDGE_VERSION}})
        .Set(1);
    // Whoever counts, works: bridge/standby.cpp answers for those that wait.
    BuildGauge()
        .Name("orbridge_standby")
        .Help("1: waits for the store that another bridge has; 0: works")
        .Register(families_->registry)
        .Add({})
        .Set(0);
}

Metrics::~Metrics() = default;

void Metrics::received(const SourceId& source, Intake intake, Received what) {
    static constexpr const char* kWords[] = {"accepted", "duplicate", "unmapped"};
    families_->received
        .Add({{"source", source.value}, {"intake", to_text(intake)}, {"result", kWords[static_cast<int>(what)]}})
        .Increment();
}

void Metrics::backfilled(const SourceId& source) { families_->backfilled.Add({{"source", source.value}}).Increment(); }

void Metrics::lag(const SourceId& source, Intake intake, milliseconds lag) {
    families_->lag.Add({{"source", source.value}, {"intake", to_text(intake)}}).Set(seconds_of(lag));
}

void Metrics::refused(const SourceId& source, int status) {
    families_->refused.Add({{"source", source.value}, {"status", std::to_string(status)}}).Increment();
}

void Metrics::attempted(const TargetId& target, const std::string& outcome, milliseconds duration) {
    families_->attempts.Add({{"target", target.value}, {"outcome", outcome}}).Increment();
    families_->duration.Add({{"target", target.value}}, kSeconds).Observe(seconds_of(duration));
}

void Metrics::ended(const TargetId& target, DeliveryState state) {
    families_->ended.Add({{"target", target.value}, {"outcome", to_text(state)}}).Increment();
}

void Metrics::loop_cut(const TargetId& target) { families_->cut.Add({{"target", target.value}}).Increment(); }

void Metrics::changed(const TargetId& target, const std::string& what, int count) {
    families_->changed.Add({{"target", target.value}, {"what", what}}).Increment(static_cast<double>(count));
}

void Metrics::lease_request(const std::string& product, const std::string& action, const std::string& token,
                            bool success) {
    families_->lease_requests
        .Add({{"product", product}, {"action", action}, {"token", token}, {"result", success ? "success" : "failure"}})
        .Increment();
}

void Metrics::callback(const std::string& product, const std::string& channel, const std::string& outcome) {
    families_->callbacks.Add({{"product", product}, {"channel", channel}, {"outcome", outcome}}).Increment();
}

void Metrics::subscription_expired(const std::string& product, const std::string& channel) {
    families_->expired.Add({{"product", product}, {"channel", channel}}).Increment();
}

std::string Metrics::render(const Scrape& scrape) {
    auto& f = *families_;
    const std::lock_guard lock(f.scraping);
    for (auto* fresh : {&f.pending, &f.oldest, &f.dead, &f.stored, &f.heard, &f.registration, &f.subscribed, &f.breaker,
                        &f.in_flight, &f.poll_checked, &f.poll_fetched, &f.poll_next, &f.poll_failures, &f.poll_found,
                        &f.poll_gaps, &f.push_silent, &f.backlog})
        fresh->clear();
    for (const auto& [target, counts] : scrape.counts.targets) {
        f.pending.set({{"target", target.value}}, static_cast<double>(counts.pending));
        f.dead.set({{"target", target.value}}, static_cast<double>(counts.dead));
        const auto age = counts.oldest_pending ? scrape.now - *counts.oldest_pending : milliseconds{0};
        f.oldest.set({{"target", target.value}}, seconds_of(age));
    }
    for (const auto& each : scrape.subscriptions)
        f.subscribed.set({{"product", each.product}, {"channel", each.channel}}, static_cast<double>(each.count));
    f.stored.set({{"state", "mapped"}}, static_cast<double>(scrape.counts.events - scrape.counts.unmapped));
    f.stored.set({{"state", "unmapped"}}, static_cast<double>(scrape.counts.unmapped));
    for (const auto& intake : scrape.heard) {
        f.heard.set({{"source", intake.source}, {"intake", to_text(intake.intake)}},
                    seconds_of(intake.last_at.time_since_epoch()));
    }
    for (const auto& registration : scrape.registrations)
        f.registration.set({{"source", registration.source}, {"kind", registration.kind}}, registration.ok ? 1 : 0);
    for (const auto& each : scrape.breakers) {
        f.breaker.set({{"target", each.target.value}}, severity(each.state));
        f.in_flight.set({{"target", each.target.value}}, each.in_flight);
    }
    for (const auto& poll : scrape.polls) f.show(poll);
    f.target_health.show(scrape.target_health);
    f.source_health.show(scrape.source_health);
    for (const auto& [limit, ratio] : scrape.backlog) f.backlog.set({{"limit", limit}}, ratio);
    return prometheus::TextSerializer().Serialize(f.registry.Collect());
}

}  // namespace orbridge
