#include "bridge/receive/ingest.h"

#include <algorithm>

#include "bridge/core/json.h"
#include "bridge/normalize/record.h"
#include "bridge/receive/error_answer.h"

namespace orbridge {
namespace {

Event event_base(const VerifiedRequest& request, IdMaker& ids) {
    Event event;
    event.id = ids.event_id();
    event.source = request.source();
    event.intake = request.intake();
    event.received_at = request.received_at();
    event.occurred_at = request.received_at();
    return event;
}

NewDelivery delivery_for(const Match& match, const Event& event, IdMaker& ids) {
    return {ids.delivery_id(), match.target, match.route,      match.ordered ? event.subject : std::string(),
            event.received_at, false,        match.latest_only};
}

Prepared prepare_mapped(Normalized mapped, const Router& router, const VerifiedRequest& request, IdMaker& ids,
                        bool backfilled) {
    Prepared prepared;
    prepared.rule = std::move(mapped.rule);
    auto& event = prepared.event.event;
    event = event_base(request, ids);
    event.backfilled = backfilled;
    event.event_class = std::move(mapped.event_class);
    event.channel = std::move(mapped.channel);
    event.event_name = std::move(mapped.event_name);
    event.subject = std::move(mapped.subject);
    if (mapped.occurred_at) event.occurred_at = *mapped.occurred_at;
    event.payload = std::move(mapped.payload);
    prepared.event.dedup_key = std::move(mapped.dedup_key);
    prepared.event.twin_key = std::move(mapped.twin_key);
    prepared.state = std::move(mapped.state);
    prepared.ends = mapped.ends;
    for (const auto& match : router.match(event)) {
        prepared.event.deliveries.push_back(delivery_for(match, event, ids));
        prepared.loops.push_back(match.loop);
    }
    return prepared;
}

Prepared prepare_unmapped(Unmapped unmapped, const VerifiedRequest& request, IdMaker& ids) {
    Prepared prepared;
    auto& event = prepared.event.event;
    event = event_base(request, ids);
    event.state = EventState::Unmapped;
    event.event_class = std::move(unmapped.event_class);
    event.payload = std::move(unmapped.body);
    prepared.event.dedup_key = std::move(unmapped.dedup_key);
    prepared.event.headers = std::move(unmapped.headers);
    return prepared;
}

/// Which intake a request to /ingest/{source} came through, told by what only that intake sends.
Intake push_intake(const SourcePlan& source, const InboundRequest& request) {
    if (source.type == "push") return Intake::Push;
    if (source.type == "record") return Intake::Record;
    if (source.type == "nextcloud") return Intake::Listeners;
    if (find_header(request.headers, "X-Webhook-Signature") != nullptr) return Intake::Webhooks;
    return source.type == "openregister" ? Intake::Listeners : Intake::Push;
}

/// The state that an event leaves its subject in.
std::optional<SubjectState> state_of(const Prepared& prepared, std::optional<TimePoint> read_after) {
    if (prepared.state.text.empty() || prepared.event.event.subject.empty()) return std::nullopt;
    const auto as_of = prepared.ends ? prepared.event.event.occurred_at : from_iso8601(prepared.state.updated);
    return SubjectState{prepared.state.text, prepared.ends, read_after, as_of};
}

std::vector<TargetId> targets_of(const NewEvent& event) {
    std::vector<TargetId> targets;
    for (const auto& delivery : event.deliveries) targets.push_back(delivery.target);
    return targets;
}

Answer approved_answer() {
    // Anything but an object with a status would be a TypeError inside the user's save (openregister.md §6).
    return {.status = 200, .body = R"({"status":"approved"})"};
}

Answer accepted_answer(const std::vector<Accepted>& accepted, int status) {
    const bool all_known = !accepted.empty() && std::all_of(accepted.begin(), accepted.end(),
                                                            [](const Accepted& each) { return each.duplicate; });
    std::vector<std::string> ids;  // all of a repeated request are the first one's first
    for (const auto& each : accepted)
        if (ids.empty() || ids.back() != each.id.value) ids.push_back(each.id.value);
    JsonWriter json;
    json.object();
    if (!ids.empty()) json.member("id", ids.front());
    if (ids.size() > 1) {
        json.key("ids").array();
        for (const auto& id : ids) json.value(id);
        json.end();
    }
    if (all_known) json.member("duplicate", true);
    json.end();
    return {.status = all_known ? 200 : status, .body = std::move(json).text()};
}

/// Why nothing can be pushed by a source; nothing if it can. Null: there is no such source.
std::optional<Answer> closed(const SourcePlan* source) {
    if (source == nullptr) return error_answer(404, "unknown_source", "no source of this name is configured");
    if (!source->enabled) return error_answer(410, "source_disabled", "this source is switched off");
    if (source->push == nullptr) {
        return error_answer(400, "not_pushed", "this source is polled: nothing can be pushed to it");
    }
    return std::nullopt;
}

const SourcePlan* find_source(const IngestPlan& plan, const std::string& name) {
    const auto found = plan.sources.find(name);
    return found == plan.sources.end() ? nullptr : &found->second;
}

/// Text that somebody else chose: no browser may take it for anything but text.
Answer text_answer(std::string text) {
    return {.status = 200,
            .body = std::move(text),
            .content_type = "text/plain; charset=utf-8",
            .headers = {{"X-Content-Type-Options", "nosniff"}}};
}

std::int64_t whole_seconds(milliseconds time) { return std::max<std::int64_t>(1, (time.count() + 999) / 1000); }

}  // namespace

std::vector<Prepared> prepare(NormalizeOutcome outcome, const Router& router, const VerifiedRequest& request,
                              IdMaker& ids, bool backfilled) {
    std::vector<Prepared> all;
    std::visit(
        Overloaded{[&](std::vector<Normalized>& mapped) {
                       for (auto& each : mapped)
                           all.push_back(prepare_mapped(std::move(each), router, request, ids, backfilled));
                   },
                   [&](Unmapped& unmapped) { all.push_back(prepare_unmapped(std::move(unmapped), request, ids)); }},
        outcome);
    return all;
}

Ingest::Ingest(PlanNow plan, Store& store, const Names& names, IdMaker& ids, const Clock& clock, Metrics& metrics,
               Log& log, Wake wake, Subscribers subscribers)
    : plan_(std::move(plan)),
      store_(store),
      names_(names),
      ids_(ids),
      clock_(clock),
      metrics_(metrics),
      log_(log),
      wake_(std::move(wake)),
      subscribers_(std::move(subscribers)) {}

/// What goes to the store together.
struct Ingest::Batch {
    std::vector<Prepared> all;  ///< their events are in the arrival until it is stored
    Arrival arrival;
};

/// A request between verified and answered.
struct Ingest::Pending {
    std::shared_ptr<const IngestPlan> plan;  ///< of which the batch has pointers
    const SourcePlan& source;
    Intake intake;
    Batch batch;
};

Answer Ingest::push(const std::string& source, const InboundRequest& request) {
    return answer(begin_push(source, request));
}

void Ingest::push_later(const std::string& source, const InboundRequest& request, const Respond& respond) {
    answer_later(begin_push(source, request), respond);
}

Answer Ingest::hook(const std::string& workspace, const InboundRequest& request) {
    return answer(begin_hook(workspace, request));
}

void Ingest::hook_later(const std::string& workspace, const InboundRequest& request, const Respond& respond) {
    answer_later(begin_hook(workspace, request), respond);
}

Answer Ingest::answer(Begun begun) {
    if (auto* answer = std::get_if<Answer>(&begun)) return std::move(*answer);
    auto& pending = *std::get<std::unique_ptr<Pending>>(begun);
    return end(pending, store_.accept(pending.batch.arrival));
}

void Ingest::answer_later(Begun begun, const Respond& respond) {
    if (auto* answer = std::get_if<Answer>(&begun)) return respond(std::move(*answer));
    const std::shared_ptr<Pending> pending = std::move(std::get<std::unique_ptr<Pending>>(begun));
    store_.accept_later(
        pending->batch.arrival,
        [this, pending, respond](const Result<std::vector<Accepted>>& accepted) { respond(end(*pending, accepted)); });
}

Ingest::Begun Ingest::begin_push(const std::string& source_name, const InboundRequest& request) {
    const auto plan = plan_();
    const auto* source = find_source(*plan, source_name);
    if (auto answer = closed(source)) return *std::move(answer);
    const auto intake = push_intake(*source, request);
    const auto now = clock_.now();
    const auto verified = verify_request(*source->push, request, source->id, source->mapping, intake, now);
    if (!verified) return refuse(source->id, intake, verified.error());
    if (auto greeting = source->push->greeting(request)) return text_answer(*std::move(greeting));
    if (auto answer = over_limit(*source, now)) return *std::move(answer);
    return begin(plan, *source, intake, *verified);
}

Ingest::Begun Ingest::begin_hook(const std::string& workspace, const InboundRequest& request) {
    const auto plan = plan_();
    const auto* source = find_source(*plan, workspace);
    if (source == nullptr || source->hooks == nullptr)
        return error_answer(404, "unknown_workspace", "no source of this name takes schema hooks");
    const auto verified =
        verify_request(*source->hooks, request, source->id, source->type, Intake::Hooks, clock_.now());
    if (!verified) return refuse(source->id, Intake::Hooks, verified.error());
    return begin(plan, *source, Intake::Hooks, *verified);
}

Ingest::Begun Ingest::begin(const std::shared_ptr<const IngestPlan>& plan, const SourcePlan& source, Intake intake,
                            const VerifiedRequest& request) {
    auto outcome = normalize(*plan, source.mapping, request);
    if (!outcome) return refuse(source.id, intake, outcome.error());
    auto all = prepare(std::move(*outcome), plan->router, request, ids_);
    if (source.snapshots)
        for (auto& prepared : all) prepared.event.leaves = state_of(prepared, std::nullopt);
    Arrival arrival;
    arrival.request_id = request.request_id();
    return std::make_unique<Pending>(Pending{plan, source, intake, ready(std::move(all), std::move(arrival))});
}

Answer Ingest::end(Pending& pending, const Result<std::vector<Accepted>>& accepted) {
    tell(pending.batch, accepted);
    if (!accepted) return refuse(pending.source.id, pending.intake, accepted.error());
    if (pending.intake == Intake::Hooks) return approved_answer();
    return accepted_answer(*accepted, pending.source.accepted_status);
}

Answer Ingest::challenge(const std::string& source_name, const InboundRequest& request) {
    const auto plan = plan_();
    const auto* source = find_source(*plan, source_name);
    if (auto answer = closed(source)) return *std::move(answer);
    auto asked = source->push->challenge(request);
    if (!asked) {
        return error_answer(405, "method_not_allowed",
                            "events come by POST: set the webhook's method to POST (a GET's signature covers a body "
                            "that is not sent)",
                            {}, {{"Allow", "POST, PUT"}});
    }
    if (*asked) return text_answer(std::move(**asked));
    const auto& reason = asked->error().message;
    metrics_.refused(source->id, 403);
    refused_(source->id, "HTTP 403: " + reason);
    log_.warn("request.refused", {{"source", source->id}, {"intake", "push"}, {"status", 403}, {"reason", reason}});
    return error_answer(403, "challenge_refused", reason);
}

std::optional<Answer> Ingest::over_limit(const SourcePlan& source, TimePoint now) {
    const auto next = limits_.with([&](SourceLimits& limits) { return limits.over(source.id, source.limit, now); });
    if (!next) return std::nullopt;
    metrics_.refused(source.id, 429);
    refused_(source.id, "HTTP 429: over its limit");
    return error_answer(429, "too_many_requests", "this source has a limit, and has reached it; nothing was kept", {},
                        {{"Retry-After", std::to_string(whole_seconds(*next - now))}});
}

Result<std::vector<Accepted>> Ingest::observe(const SourceId& id, const std::vector<Observed>& found,
                                              TimePoint read_after, const std::optional<Bookmark>& bookmark) {
    const auto plan = plan_();
    const auto* source = find_source(*plan, id.value);
    if (source == nullptr) return Error{Error::Kind::Invalid, "there is no source " + id.value + " any more"};
    Arrival arrival;
    arrival.seen_at = id;
    arrival.seen_when = clock_.now();
    arrival.bookmark = bookmark;
    std::vector<Prepared> all;
    for (const auto& each : found) {
        const auto request = verified_before(id, source->mapping, Intake::Poll, each.body, arrival.seen_when);
        auto outcome = normalize(*plan, source->mapping, request);
        if (!outcome) return outcome.error();
        for (auto& prepared : prepare(std::move(*outcome), plan->router, request, ids_, each.backfilled)) {
            // What was remembered before is told as it is known by now, and leaves nothing of its own.
            if (each.existing || !each.backfilled)
                prepared.event.leaves = state_of(prepared, each.current ? std::optional(read_after) : std::nullopt);
            if (!each.existing || each.backfilled) {
                all.push_back(std::move(prepared));
            } else if (prepared.event.leaves) {
                arrival.seen.push_back({prepared.event.event.subject, *std::move(prepared.event.leaves)});
            }
        }
    }
    auto batch = ready(std::move(all), std::move(arrival));
    auto accepted = store_.accept(batch.arrival);
    tell(batch, accepted);
    return accepted;
}

Result<Ingest::Backfilled> Ingest::backfill(const SourceId& source, const std::vector<Observed>& existing) {
    Backfilled told;
    if (existing.empty()) return told;
    const auto accepted = observe(source, existing, clock_.now(), std::nullopt);
    if (accepted) {
        const auto is_new = [](const Accepted& each) { return !each.duplicate; };
        told.events = static_cast<std::uint64_t>(std::count_if(accepted->begin(), accepted->end(), is_new));
    } else if (accepted.error().kind != Error::Kind::Invalid) {
        return accepted.error();
    } else if (existing.size() == 1) {
        told.problems.push_back(accepted.error().message);
    } else {  // one of them is to blame
        for (const auto& one : existing) {
            const auto part = backfill(source, {one});
            if (!part) return part.error();
            told.events += part->events;
            told.problems.insert(told.problems.end(), part->problems.begin(), part->problems.end());
        }
    }
    return told;
}

/// What is to be stored, as it will be.
Ingest::Batch Ingest::ready(std::vector<Prepared> all, Arrival arrival) {
    for (auto& prepared : all) {
        guard_against_loops(prepared);
        add_subscribers(prepared.event);
        arrival.events.push_back(std::move(prepared.event));
    }
    arrival.only_if_known = full_();
    return {std::move(all), std::move(arrival)};
}

/// Tells whoever waits for what was stored.
void Ingest::tell(Batch& batch, const Result<std::vector<Accepted>>& accepted) {
    for (std::size_t i = 0; i < batch.all.size(); ++i) {
        auto& prepared = batch.all[i];
        prepared.event = std::move(batch.arrival.events[i]);
        // Even if it failed: it may be stored all the same, if only the answer got lost.
        const bool is_new = !accepted || !(*accepted)[i].duplicate;
        if (is_new && !prepared.event.deliveries.empty()) wake_(targets_of(prepared.event));
        if (accepted) record(prepared, (*accepted)[i]);
    }
}

/// Counts and tells what has been stored, or was already.
void Ingest::record(const Prepared& prepared, const Accepted& accepted) {
    if (!accepted.duplicate && !prepared.event.event.backfilled) count_for_loops(prepared);
    if (!accepted.duplicate && prepared.event.leaves)
        changed_(prepared.event.event.source, prepared.event.event.subject);
    const auto what = accepted.duplicate      ? Metrics::Received::Duplicate
                      : prepared.rule.empty() ? Metrics::Received::Unmapped
                                              : Metrics::Received::Accepted;
    const auto& event = prepared.event.event;
    metrics_.received(event.source, event.intake, what);
    if (event.backfilled && !accepted.duplicate) metrics_.backfilled(event.source);
    if (!event.backfilled && !prepared.rule.empty()) note_lag(event);
    if (what == Metrics::Received::Unmapped)
        log_.warn("event.unmapped", {{"source", event.source}, {"event", accepted.id}, {"class", event.event_class}});
}

/// What comes from a clock that is ahead of ours counts as just now.
void Ingest::note_lag(const Event& event) {
    const auto lag = std::max<milliseconds>(event.received_at - event.occurred_at, milliseconds{0});
    lags_.with([&](Lags& lags) { lags[{event.source.value, event.intake}] = lag; });
    metrics_.lag(event.source, event.intake, lag);
}

/// Cuts deliveries of events that our own scripts seem to have caused: they are stored as such, never left out.
void Ingest::guard_against_loops(Prepared& prepared) {
    auto& event = prepared.event;
    for (std::size_t i = 0; i < prepared.loops.size(); ++i) {
        if (prepared.loops[i] == nullptr) continue;
        auto& delivery = event.deliveries[i];
        const auto verdict = loops_.with([&](const LoopGuard& guard) {
            return guard.judge(*prepared.loops[i], event.event, delivery.target, event.event.received_at,
                               [this](const std::string& id) { return is_ours(id); });
        });
        if (verdict.cut) {
            delivery.cut = verdict.reason;
        } else if (verdict.echo && prepared.loops[i]->policy == LoopSettings::Policy::Mark) {
            delivery.mark = verdict.reason;
        }
    }
}

/// Only now it is certain that the event is none that came before.
void Ingest::count_for_loops(const Prepared& prepared) {
    const auto& event = prepared.event.event;
    for (std::size_t i = 0; i < prepared.loops.size(); ++i) {
        if (prepared.loops[i] == nullptr) continue;
        const auto& delivery = prepared.event.deliveries[i];
        const auto& rules = *prepared.loops[i];
        const bool cut = !delivery.cut.empty();
        if (!cut) loops_.with([&](LoopGuard& guard) { guard.count(rules, event, delivery.target, event.received_at); });
        if (cut) metrics_.loop_cut(delivery.target);
        if (cut || !delivery.mark.empty()) {
            log_.warn(cut ? "delivery.loop_cut" : "delivery.loop_marked",
                      {{"event", event.id},
                       {"target", delivery.target},
                       {"subject", event.subject},
                       {"reason", cut ? delivery.cut : delivery.mark}});
        }
    }
}

bool Ingest::is_ours(const std::string& id) {
    return store_.event({id}).has_value() || store_.delivery({id}).has_value();
}

Result<NormalizeOutcome> Ingest::normalize(const IngestPlan& plan, const std::string& mapping,
                                           const VerifiedRequest& request) const {
    return mapping == "record" ? normalize_record(request) : plan.normalizer.normalize(request, names_);
}

void Ingest::add_subscribers(NewEvent& event) {
    if (!subscribers_ || event.event.state == EventState::Unmapped) return;
    for (const auto& match : subscribers_(event.event))
        event.deliveries.push_back(delivery_for(match, event.event, ids_));
}

Answer Ingest::refuse(const SourceId& source, Intake intake, const Error& error) {
    if (error.kind == Error::Kind::Unavailable && full_()) return refuse_for_now(source);
    int status = 503;
    if (error.kind == Error::Kind::Unauthorized) status = 401;
    if (error.kind == Error::Kind::Invalid) status = 400;
    metrics_.refused(source, status);
    refused_(source, "HTTP " + std::to_string(status) + ": " + error.message);
    log_.warn("request.refused",
              {{"source", source}, {"intake", to_text(intake)}, {"status", status}, {"reason", error.message}});
    if (status == 401) return error_answer(401, "unauthorized", error.message);
    if (status == 400) return error_answer(400, "malformed", error.message);
    auto answer = error_answer(503, "not_stored", "the event could not be stored; nothing of it was kept");
    answer.headers.push_back({"Retry-After", "5"});
    return answer;
}

/// Said in the log once, by whoever noticed that it is full, and not again for every request.
Answer Ingest::refuse_for_now(const SourceId& source) {
    metrics_.refused(source, 503);
    refused_(source, "HTTP 503: too much waits to be delivered or the disk is nearly full");
    return error_answer(503, "backlog_full",
                        "too much waits to be delivered or the disk is nearly full; nothing of the event was kept", {},
                        {{"Retry-After", "30"}});
}

Status Ingest::remap(const Event& event) {
    const auto plan = plan_();
    const auto source = plan->sources.find(event.source.value);
    const auto mapping = source == plan->sources.end() ? std::string() : source->second.mapping;
    auto headers = store_.kept_headers(event.id);
    if (!headers) return headers.error();
    const auto request =
        verified_before(event.source, mapping, event.intake, event.payload, event.received_at, std::move(*headers));
    auto outcome = normalize(*plan, mapping, request);
    if (!outcome) return outcome.error();
    if (std::holds_alternative<Unmapped>(*outcome))
        return Error{Error::Kind::Conflict, "no mapping takes it: " + std::get<Unmapped>(*outcome).reason};
    std::vector<NewEvent> mapped;
    std::vector<TargetId> targets;
    for (auto& prepared : prepare(std::move(*outcome), plan->router, request, ids_)) {
        if (mapped.empty()) prepared.event.event.id = event.id;
        prepared.event.event.sequence = event.sequence;  // it is none that is coming in just now
        if (source != plan->sources.end() && source->second.snapshots)
            prepared.event.leaves = state_of(prepared, std::nullopt);
        add_subscribers(prepared.event);
        for (auto& target : targets_of(prepared.event)) targets.push_back(std::move(target));
        mapped.push_back(std::move(prepared.event));
    }
    if (mapped.empty()) return Error{Error::Kind::Conflict, "the mapping makes no event of it"};
    auto status = store_.remap(event.id, mapped);
    wake_(targets);
    for (const auto& each : mapped)
        if (status && each.leaves) changed_(each.event.source, each.event.subject);
    return status;
}

}  // namespace orbridge
