#include "bridge/api/replays_api.h"

#include <utility>
#include <variant>
#include <vector>

#include "bridge/api/bodies.h"
#include "bridge/api/rows.h"
#include "bridge/receive/error_answer.h"

namespace orbridge {
namespace {

/// Most replays are of a few deliveries: who asks for one is told at once how it went.
constexpr milliseconds kMoment{2'000};
constexpr std::uint64_t kCountedMost = 1'000'000;

std::optional<Answer> read_times(const Json& root, ReplayOrder& order) {
    for (auto [name, time] : {std::pair{"since", &order.since}, std::pair{"until", &order.until}}) {
        if (!root[name]) continue;
        *time = from_iso8601(root[name].string().value_or(""));
        if (!*time) {
            return error_answer(400, "invalid", std::string(name) + ": expected a time such as 2026-03-02T13:05:09Z",
                                name);
        }
    }
    return std::nullopt;
}

/// Reads the body of POST /api/v1/backfills.
std::variant<ReplayOrder, Answer> read_backfill(const Json& root) {
    ReplayOrder order;
    order.backfill = root["source"].string().value_or("");
    if (order.backfill.empty()) return error_answer(400, "invalid", "source: missing, name the source", "source");
    if (auto fault = read_times(root, order)) return *std::move(fault);
    return order;
}

/// Reads the body of POST /api/v1/replays; the answer names the field that is wrong.
std::variant<ReplayOrder, Answer> read_replay(const Json& root) {
    ReplayOrder order;
    order.event = root["event"].string().value_or("");
    order.target = root["target"].string().value_or("");
    order.subject = root["subject"].string().value_or("");
    order.channel = root["channel"].string().value_or("");
    order.unmapped = root["unmapped"].boolean().value_or(false);
    if (const auto state = root["state"]) {
        order.state = delivery_state_from_text(state.string().value_or(""));
        if (!order.state) return error_answer(400, "invalid", std::string("state: ") + kDeliveryStates, "state");
    }
    if (auto fault = read_times(root, order)) return *std::move(fault);
    return order;
}

Answer answer_with(const ReplayJob& job, int status) {
    JsonWriter json;
    write_replay_job(json, job);
    return {.status = status, .body = json.text()};
}

Answer no_job(const std::string& id, ReplaysApi::Kind kind) {
    const bool backfill = kind == ReplaysApi::Kind::Backfill;
    return error_answer(404, "not_found", std::string("there is no ") + (backfill ? "backfill " : "replay ") + id);
}

}  // namespace

Answer ReplaysApi::start(const InboundRequest& request) { return begin(request, read_replay); }

Answer ReplaysApi::start_backfill(const InboundRequest& request) { return begin(request, read_backfill); }

Answer ReplaysApi::begin(const InboundRequest& request, Read read_order) {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto document = object_of(request.body);
    if (!document) return error_answer(400, "malformed", kNoObject);
    const auto read = read_order((*document)->root());
    if (const auto* fault = std::get_if<Answer>(&read)) return *fault;
    const auto& order = std::get<ReplayOrder>(read);
    if ((*document)->root()["dry_run"].boolean().value_or(false)) return count(order);
    begin_gently(order);
    const auto job = parts_.jobs.start(order);
    if (!job) return error_answer(job.error());
    note(*job);
    const auto now = parts_.jobs.wait(job->replay.id, kMoment).value_or(*job);
    return answer_with(now, now.state == ReplayJob::State::Running ? 202 : 200);
}

Answer ReplaysApi::count(const ReplayOrder& order) {
    if (auto fault = parts_.replay.check(order); !fault) return error_answer(fault.error());
    const auto matched = parts_.replay.count(order, {"", parts_.clock.now()}, kCountedMost);
    if (!matched) return error_answer(matched.error());
    JsonWriter json;
    json.object().member("matched", *matched).member("more", *matched == kCountedMost).end();
    return {.status = 200, .body = json.text()};
}

Answer ReplaysApi::list(const InboundRequest& request, Kind kind) const {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const bool backfills = kind == Kind::Backfill;
    JsonWriter json;
    json.object().key(backfills ? "backfills" : "replays").array();
    for (const auto& job : parts_.jobs.all())
        if (is_backfill(job) == backfills) write_replay_job(json, job);
    json.end().end();
    return {.status = 200, .body = json.text()};
}

std::optional<ReplayJob> ReplaysApi::find(const std::string& id, Kind kind) const {
    auto job = parts_.jobs.find(id);
    if (job && is_backfill(*job) != (kind == Kind::Backfill)) job.reset();
    return job;
}

Answer ReplaysApi::show(const InboundRequest& request, const std::string& id, Kind kind) const {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto job = find(id, kind);
    return job ? answer_with(*job, 200) : no_job(id, kind);
}

Answer ReplaysApi::cancel(const InboundRequest& request, const std::string& id, Kind kind) {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    if (!find(id, kind)) return no_job(id, kind);
    const auto job = parts_.jobs.cancel(id);
    if (!job) return error_answer(job.error());
    const bool backfill = kind == Kind::Backfill;
    parts_.audit.note(kAdmin, backfill ? "backfill.cancel" : "replay.cancel", id,
                      {{backfill ? "backfilled" : "replayed", job->progress.replayed}});
    return answer_with(*job, 200);
}

/// A target that gets many at once is asked for one at first, then two, four and so on.
void ReplaysApi::begin_gently(const ReplayOrder& order) {
    if (!order.event.empty()) return;
    std::vector<TargetId> targets;
    for (const auto& [id, view] : parts_.dispatcher.views())
        if (order.target.empty() || order.target == id.value) targets.push_back(id);
    parts_.dispatcher.start_slowly(targets);
}

void ReplaysApi::note(const ReplayJob& job) {
    const auto& order = job.order;
    if (is_backfill(job)) {
        parts_.audit.note(kAdmin, "backfill", job.replay.id,
                          {{"source", order.backfill},
                           {"since", order.since ? to_iso8601(*order.since) : std::string()},
                           {"until", order.until ? to_iso8601(*order.until) : std::string()},
                           {"total", job.total}});
        return;
    }
    parts_.audit.note(kAdmin, "replay", job.replay.id,
                      {{"event", order.event},
                       {"target", order.target},
                       {"subject", order.subject},
                       {"channel", order.channel},
                       {"state", order.state ? to_text(*order.state) : ""},
                       {"unmapped", order.unmapped},
                       {"since", order.since ? to_iso8601(*order.since) : std::string()},
                       {"until", order.until ? to_iso8601(*order.until) : std::string()},
                       {"total", job.total}});
}

}  // namespace orbridge
