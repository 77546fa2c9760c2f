#include "bridge/api/admin_api.h"

#include <charconv>

#include "bridge/api/bodies.h"
#include "bridge/api/rows.h"
#include "bridge/api/targets.h"
#include "bridge/core/text.h"
#include "bridge/receive/error_answer.h"

namespace orbridge {
namespace {

constexpr int kLimitMax = 1'000;

/// Reads query parameters; remembers the first that is wrong.
class Query {
public:
    explicit Query(const std::string& text) : text_(text) {}

    std::string text(const char* name) const { return query_value(text_, name); }
    int limit(int fallback) {
        const auto value = text("limit");
        if (value.empty()) return fallback;
        int number = 0;
        const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
        if (parsed.ec != std::errc{} || parsed.ptr != value.data() + value.size() || number < 1 || number > kLimitMax)
            wrong("limit", "expected a number from 1 to " + std::to_string(kLimitMax));
        return number;
    }
    std::optional<TimePoint> time(const char* name) {
        const auto value = text(name);
        if (value.empty()) return std::nullopt;
        const auto time = from_iso8601(value);
        if (!time) wrong(name, "expected a time such as 2026-03-02T13:05:09Z");
        return time;
    }
    template <class State>
    std::optional<State> state(std::optional<State> (*read)(const std::string&), const char* expected) {
        const auto value = text("state");
        if (value.empty()) return std::nullopt;
        const auto state = read(value);
        if (!state) wrong("state", expected);
        return state;
    }
    std::uint64_t number(const char* name) {
        const auto value = text(name);
        std::uint64_t number = 0;
        const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
        if (!value.empty() && (parsed.ec != std::errc{} || parsed.ptr != value.data() + value.size()))
            wrong(name, "expected a whole number");
        return number;
    }
    std::optional<bool> flag(const char* name) {
        const auto value = text(name);
        if (value.empty()) return std::nullopt;
        if (value != "true" && value != "false") wrong(name, "expected true or false");
        return value == "true";
    }
    const std::optional<Answer>& fault() const { return fault_; }

private:
    void wrong(const std::string& field, const std::string& what) {
        if (!fault_) fault_ = error_answer(400, "invalid", field + ": " + what, field);
    }
    const std::string& text_;
    std::optional<Answer> fault_;
};

std::optional<EventState> event_state(const std::string& text) {
    if (text == "mapped") return EventState::Mapped;
    if (text == "unmapped") return EventState::Unmapped;
    if (text == "erased") return EventState::Erased;
    return std::nullopt;
}

std::string explanation(const DeliveryRow& row) {
    const auto tries = std::to_string(row.attempts_made) + (row.attempts_made == 1 ? " attempt" : " attempts");
    if (row.state != DeliveryState::Pending)
        return std::string(to_text(row.state)) + " after " + tries + (row.reason.empty() ? "" : ": " + row.reason);
    if (row.in_flight) return "being sent right now, after " + tries + " before";
    if (row.waiting_for_order) return "waits until an earlier delivery about " + row.subject + " has ended";
    const auto when = row.due_at ? to_iso8601(*row.due_at) : std::string("now");
    if (row.attempts_made == 0) return "not tried yet, due " + when;
    return "next attempt at " + when + ", after " + tries + (row.reason.empty() ? "" : "; last: " + row.reason);
}

}  // namespace

std::optional<Answer> AdminApi::refuse(const InboundRequest& request) const {
    const auto* header = find_header(request.headers, "Authorization");
    constexpr std::string_view kScheme = "Bearer ";
    const bool bearer = header != nullptr && equal_ignoring_case(header->substr(0, kScheme.size()), kScheme);
    if (bearer && !parts_.token.empty() && equal_constant_time(header->substr(kScheme.size()), parts_.token.reveal()))
        return std::nullopt;
    auto answer = error_answer(401, "unauthorized", "the admin token is missing or wrong");
    answer.headers.push_back({"WWW-Authenticate", "Bearer"});
    return answer;
}

Answer AdminApi::status(const InboundRequest& request) {
    if (auto refusal = refuse(request)) return *refusal;
    JsonWriter json;
    parts_.write_status(json);
    return ok(json);
}

Answer AdminApi::events(const InboundRequest& request) {
    if (auto refusal = refuse(request)) return *refusal;
    Query query(request.query);
    EventQuery wanted;
    wanted.source = query.text("source");
    wanted.channel = query.text("channel");
    wanted.subject = query.text("subject");
    wanted.state = query.state<EventState>(event_state, "expected mapped, unmapped or erased");
    wanted.since = query.time("since");
    wanted.until = query.time("until");
    wanted.before_sequence = query.number("before");
    wanted.limit = query.limit(50);
    if (query.fault()) return *query.fault();
    const auto rows = parts_.store.events(wanted);
    if (!rows) return error_answer(rows.error());
    JsonWriter json;
    json.object().key("events").array();
    for (const auto& row : *rows) write_event(json, row);
    json.end();
    if (rows->size() == static_cast<std::size_t>(wanted.limit)) json.member("next_before", rows->back().sequence);
    json.end();
    return ok(json);
}

Answer AdminApi::event(const InboundRequest& request, const std::string& id) {
    if (auto refusal = refuse(request)) return *refusal;
    const auto event = parts_.store.event({id});
    if (!event) return error_answer(event.error());
    const auto kept = parts_.store.kept_headers({id});
    if (!kept) return error_answer(kept.error());
    JsonWriter json;
    const auto difference = parts_.store.difference({id});
    if (!difference) return error_answer(difference.error());
    write_whole_event(json, *event, *kept, *difference);
    return ok(json);
}

Answer AdminApi::deliveries(const InboundRequest& request) {
    if (auto refusal = refuse(request)) return *refusal;
    Query query(request.query);
    DeliveryQuery wanted;
    wanted.target = query.text("target");
    wanted.event = query.text("event");
    wanted.state = query.state<DeliveryState>(delivery_state_from_text, kDeliveryStates);
    wanted.since = query.time("since");
    wanted.until = query.time("until");
    wanted.before_id = query.text("before");
    wanted.limit = query.limit(50);
    if (query.fault()) return *query.fault();
    const auto rows = parts_.store.deliveries(wanted);
    if (!rows) return error_answer(rows.error());
    JsonWriter json;
    json.object().key("deliveries").array();
    for (const auto& row : *rows) write_delivery(json, row);
    json.end();
    if (rows->size() == static_cast<std::size_t>(wanted.limit)) json.member("next_before", rows->back().id.value);
    json.end();
    return ok(json);
}

Answer AdminApi::delivery(const InboundRequest& request, const std::string& id) {
    if (auto refusal = refuse(request)) return *refusal;
    const auto row = parts_.store.delivery({id});
    if (!row) return error_answer(row.error());
    JsonWriter json;
    write_story(json, *row);
    return ok(json);
}

/// A delivery with its attempts, its job and a sentence.
void AdminApi::write_story(JsonWriter& json, const DeliveryRow& row) {
    const auto deferral = deferral_of(row, parts_.dispatcher.view(row.target), parts_.clock.now());
    const auto held = deferral ? "; deferred by " + deferral->sentence : std::string();
    json.object().member("target", row.target.value).member("explanation", explanation(row) + held);
    if (deferral) {
        json.key("deferred");
        write_deferral(json, *deferral);
    }
    json.key("delivery");
    write_delivery(json, row);
    json.key("attempts_made").array();
    if (const auto attempts = parts_.store.attempts(row.id))
        for (const auto& attempt : *attempts) write_attempt(json, attempt);
    json.end();
    if (const auto job = parts_.store.job_of(row.id); job && *job) {
        json.key("job");
        write_job(json, **job);
    }
    json.end();
}

Answer AdminApi::explain(const InboundRequest& request, const std::string& event_id) {
    if (auto refusal = refuse(request)) return *refusal;
    const auto event = parts_.store.event({event_id});
    if (!event) return error_answer(event.error());
    DeliveryQuery wanted;
    wanted.event = event_id;
    wanted.target = query_value(request.query, "target");
    wanted.limit = kLimitMax;
    const auto rows = parts_.store.deliveries(wanted);
    if (!rows) return error_answer(rows.error());
    JsonWriter json;
    json.object().key("event");
    write_event(json, *event);
    json.key("deliveries").array();
    for (const auto& row : *rows) write_story(json, row);
    json.end().key("routes");
    auto verdicts = parts_.router()->explain(*event);
    if (!wanted.target.empty())
        std::erase_if(verdicts, [&](const RouteVerdict& v) { return v.target.value != wanted.target; });
    for (auto& verdict : parts_.subscribed(*event, wanted.target)) verdicts.push_back(std::move(verdict));
    write_verdicts(json, verdicts);
    json.end();
    return ok(json);
}

Answer AdminApi::targets(const InboundRequest& request) {
    if (auto refusal = refuse(request)) return *refusal;
    const auto now = parts_.clock.now();
    const auto health = parts_.target_health();
    std::map<TargetId, TimePoint> due;
    if (const auto pending = parts_.store.pending_targets()) due = {pending->begin(), pending->end()};
    JsonWriter json;
    json.object().key("targets").array();
    for (const auto& [id, view] : parts_.dispatcher.views()) {
        json.object().member("name", id.value);
        write_target(json, view, now);
        const auto first = due.find(id);
        const auto next = first == due.end() ? std::nullopt : next_attempt(view, first->second, now);
        if (const auto known = health.find(id.value); known != health.end()) write_health(json, known->second, next);
        json.end();
    }
    json.end().end();
    return ok(json);
}

namespace {

Answer no_target(const std::string& name) {
    return error_answer(404, "not_found", "no target `" + name + "` is configured");
}

Answer ordered(const std::string& target, const char* what) {
    JsonWriter json;
    json.object().member("target", target).member("requested", what).end();
    return {.status = 202, .body = json.text()};
}

}  // namespace

Answer AdminApi::pause(const InboundRequest& request, const std::string& target) {
    if (auto refusal = refuse(request)) return *refusal;
    if (!parts_.dispatcher.view({target})) return no_target(target);
    parts_.dispatcher.pause({target}, "paused by an administrator");
    parts_.log.info("admin.pause", {{"target", target}});
    parts_.audit.note(kAdmin, "target.pause", target);
    return ordered(target, "pause");
}

Answer AdminApi::resume(const InboundRequest& request, const std::string& target) {
    if (auto refusal = refuse(request)) return *refusal;
    if (!parts_.dispatcher.view({target})) return no_target(target);
    parts_.dispatcher.resume({target});
    parts_.log.info("admin.resume", {{"target", target}});
    parts_.audit.note(kAdmin, "target.resume", target);
    return ordered(target, "resume");
}

Answer AdminApi::cancel(const InboundRequest& request) {
    if (auto refusal = refuse(request)) return *refusal;
    const auto document = object_of(request.body);
    if (!document) return error_answer(400, "malformed", kNoObject);
    const auto target = (*document)->root()["target"].string();
    const auto delivery = (*document)->root()["delivery"].string();
    if (target.has_value() == delivery.has_value())
        return error_answer(400, "invalid", "name either a target or a delivery", "target");
    std::optional<TargetId> woken = target ? std::optional(TargetId{*target}) : std::nullopt;
    if (delivery) {
        const auto row = parts_.store.delivery({*delivery});
        if (!row) return error_answer(row.error());
        woken = row->target;
    }
    const auto count = parts_.store.cancel(target ? std::optional(TargetId{*target}) : std::nullopt,
                                           delivery ? std::optional(DeliveryId{*delivery}) : std::nullopt,
                                           "cancelled by an administrator", parts_.clock.now());
    if (!count) return error_answer(count.error());
    parts_.log.info("admin.cancel",
                    {{"target", target.value_or("")}, {"delivery", delivery.value_or("")}, {"cancelled", *count}});
    parts_.audit.note(kAdmin, "delivery.cancel", target ? *target : *delivery, {{"cancelled", *count}});
    parts_.wake({*woken});  // a delivery that waited for its turn may have got it
    JsonWriter json;
    json.object().member("cancelled", *count).end();
    return ok(json);
}

Answer AdminApi::runs(const InboundRequest& request) {
    if (auto refusal = refuse(request)) return *refusal;
    Query query(request.query);
    RunQuery wanted;
    wanted.target = query.text("target");
    wanted.task = query.text("task");
    wanted.delivery = query.text("delivery");
    wanted.success = query.flag("success");
    wanted.since = query.time("since");
    wanted.until = query.time("until");
    wanted.before_number = query.number("before");
    wanted.limit = query.limit(50);
    if (query.fault()) return *query.fault();
    const auto rows = parts_.store.runs(wanted);
    if (!rows) return error_answer(rows.error());
    JsonWriter json;
    json.object().key("runs").array();
    for (const auto& row : *rows) write_run(json, row);
    json.end();
    if (rows->size() == static_cast<std::size_t>(wanted.limit)) json.member("next_before", rows->back().number);
    json.end();
    return ok(json);
}

Answer AdminApi::registrations(const InboundRequest& request, bool remove) {
    if (auto refusal = refuse(request)) return *refusal;
    const auto now = parts_.clock.now();
    const auto source = query_value(request.query, "source");
    if (auto status = parts_.ask_reconciler(source, remove); !status) return error_answer(status.error());
    parts_.log.info(remove ? "admin.unregister" : "admin.register", {{"source", source}});
    parts_.audit.note(kAdmin, remove ? "source.unregister" : "source.register", source);
    JsonWriter json;
    json.object().member("requested_at", to_iso8601(now)).end();
    return {.status = 202, .body = json.text()};
}

Answer AdminApi::audit(const InboundRequest& request) {
    if (auto refusal = refuse(request)) return *refusal;
    Query query(request.query);
    AuditQuery wanted;
    wanted.who = query.text("who");
    wanted.what = query.text("what");
    wanted.subject = query.text("subject");
    wanted.since = query.time("since");
    wanted.until = query.time("until");
    wanted.before_number = query.number("before");
    wanted.limit = query.limit(50);
    if (query.fault()) return *query.fault();
    const auto rows = parts_.store.audit(wanted);
    if (!rows) return error_answer(rows.error());
    JsonWriter json;
    json.object().key("audit").array();
    for (const auto& row : *rows) write_audit(json, row);
    json.end();
    if (rows->size() == static_cast<std::size_t>(wanted.limit)) json.member("next_before", rows->back().number);
    json.end();
    return ok(json);
}

}  // namespace orbridge
