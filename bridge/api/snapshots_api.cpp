#include "bridge/api/snapshots_api.h"

#include <algorithm>
#include <charconv>

#include "bridge/core/json.h"
#include "bridge/core/text.h"
#include "bridge/receive/error_answer.h"

namespace orbridge {
namespace {

constexpr int kLimit = 100, kLimitMax = 1'000;
constexpr milliseconds kUseNotedEvery = std::chrono::days{1};

Answer wrong(const std::string& field, const std::string& what) {
    return error_answer(400, "invalid", field + ": " + what, field);
}

/// Also of one without a value.
std::optional<std::string> parameter(const InboundRequest& request, const std::string& name) {
    for (const auto each : split(request.query, '&'))
        if (each == name || each.starts_with(name + "=")) return query_value(request.query, name);
    return std::nullopt;
}

std::optional<int> small_number(std::string_view text) {
    int number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || number < 0) return std::nullopt;
    return number;
}

bool is_stale(const SnapshotSource& source, TimePoint now) {
    if (!source.poll) return false;
    return !source.poll->error.empty() || !source.poll->fetched_at ||
           now - *source.poll->fetched_at > source.stale_after;
}

std::string status_of(const SnapshotSource& source, const std::optional<Snapshot>& snapshot) {
    if (source.poll && !source.poll->error.empty()) return "error";
    if (!snapshot) return "pending";
    if (source.poll && source.poll->pushes == PushState::Silent) return "push_silent";
    return "ok";
}

/// When it was last made sure that the state is what is at the source.
std::optional<TimePoint> later(const std::optional<Snapshot>& snapshot, const std::optional<TimePoint>& polled) {
    if (!snapshot) return polled;
    return std::max(snapshot->updated_at, polled.value_or(snapshot->updated_at));
}

void time_or_null(JsonWriter& json, std::string_view name, const std::optional<TimePoint>& time) {
    json.key(name);
    time ? json.value(to_iso8601(*time)) : json.null();
}

}  // namespace

std::optional<bool> names_version(std::string_view text, std::uint64_t version) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
    text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
    return text == std::to_string(version) && (!negative || text == "0");
}

bool holds_etag(std::string_view if_none_match, std::string_view etag) {
    for (auto each : split(if_none_match, ',')) {
        each = trim(each);
        if (each.starts_with("W/")) each.remove_prefix(2);
        if (each == etag || each == "*") return true;
    }
    return false;
}

/// The administrator, or the holder of a token for this source. An empty source: of any.
std::optional<Answer> SnapshotsApi::may_read(const InboundRequest& request, const std::string& source) const {
    auto refusal = parts_.refuse(request);
    if (!refusal) return std::nullopt;
    const auto* header = find_header(request.headers, "Authorization");
    constexpr std::string_view kScheme = "Bearer ";
    if (header == nullptr || !equal_ignoring_case(header->substr(0, kScheme.size()), kScheme)) return refusal;
    const auto readable = parts_.readable_with(header->substr(kScheme.size()));
    if (!readable) return refusal;
    if (source.empty() || std::find(readable->begin(), readable->end(), source) != readable->end()) return std::nullopt;
    return error_answer(403, "forbidden", "this token may not read the snapshots of this source");
}

std::optional<Answer> SnapshotsApi::find(const InboundRequest& request, const std::string& source, Asked& asked) const {
    if (auto refusal = may_read(request, source)) return refusal;
    const auto all = parts_.sources();
    const auto found = all.find(SourceId{source});
    if (found == all.end()) return error_answer(404, "unknown_source", "no source of this name is configured");
    if (!found->second.kept) {
        return error_answer(404, "no_snapshots",
                            "no snapshots are kept of this source: it wants `snapshots: true` in the configuration");
    }
    asked.source = found->first;
    asked.at = found->second;
    return std::nullopt;
}

std::optional<Answer> SnapshotsApi::read_query(const InboundRequest& request, Asked& asked) const {
    asked.version = parameter(request, "version");
    if (asked.version && !names_version(*asked.version, 0)) return wrong("version", "expected an integer");
    if (const auto wait = parameter(request, "wait")) {
        const auto seconds_asked = small_number(*wait);
        if (!seconds_asked) return wrong("wait", "expected a number of seconds");
        asked.wait = std::min<milliseconds>(seconds{*seconds_asked}, parts_.wait_max());
    }
    if (const auto* header = find_header(request.headers, "If-None-Match")) asked.if_none_match = *header;
    return std::nullopt;
}

std::string SnapshotsApi::etag_of(const std::optional<Snapshot>& snapshot) const {
    return '"' + parts_.incarnation() + '-' + std::to_string(snapshot ? snapshot->version : 0) + '"';
}

bool SnapshotsApi::is_known(const Asked& asked, const std::optional<Snapshot>& snapshot) const {
    const auto version = snapshot ? snapshot->version : 0;
    if (asked.version && *names_version(*asked.version, version)) return true;
    return !asked.if_none_match.empty() && holds_etag(asked.if_none_match, etag_of(snapshot));
}

Answer SnapshotsApi::unchanged(const std::optional<Snapshot>& snapshot) const {
    return {.status = 304, .headers = {{"ETag", etag_of(snapshot)}}};
}

Answer SnapshotsApi::answer_with(const Asked& asked, const std::optional<Snapshot>& snapshot) const {
    const auto& poll = asked.at.poll;
    JsonWriter json;
    json.object().member("source", asked.source.value).member("subject", asked.subject);
    json.member("version", snapshot ? snapshot->version : 0).member("live", snapshot && snapshot->live);
    json.member_raw("data", snapshot ? std::string_view(snapshot->state) : "null");
    time_or_null(json, "fetched_at", later(snapshot, poll ? poll->fetched_at : std::nullopt));
    time_or_null(json, "checked_at", later(snapshot, poll ? poll->checked_at : std::nullopt));
    json.member("status", status_of(asked.at, snapshot)).member("stale", is_stale(asked.at, parts_.clock.now()));
    if (poll && !poll->error.empty()) json.member("error", poll->error);
    json.end();
    return {.status = 200, .body = std::move(json).text(), .headers = {{"ETag", etag_of(snapshot)}}};
}

/// So that retention leaves it; a day more or less does not matter, and reading is to cost no writing.
void SnapshotsApi::note_use(const Asked& asked, const std::optional<Snapshot>& snapshot) {
    const auto now = parts_.clock.now();
    if (snapshot && snapshot->used_at + kUseNotedEvery <= now)
        (void)parts_.store.use_snapshot(asked.source, asked.subject, now);
}

void SnapshotsApi::show(const InboundRequest& request, const std::string& source, const std::string& subject,
                        const Respond& respond) {
    Asked asked;
    asked.subject = subject;
    std::optional<Snapshot> snapshot;
    if (auto fault = read(request, source, asked, snapshot)) return respond(*std::move(fault));
    if (!is_known(asked, snapshot) || asked.wait == milliseconds{0}) return respond(answer(asked, snapshot));
    wait(std::move(asked), respond);
}

std::optional<Answer> SnapshotsApi::read(const InboundRequest& request, const std::string& source, Asked& asked,
                                         std::optional<Snapshot>& snapshot) const {
    if (auto fault = find(request, source, asked)) return fault;
    if (auto fault = read_query(request, asked)) return fault;
    // What the source is in trouble with is tried again by itself, after its back-off.
    if (is_stale(asked.at, parts_.clock.now()) && asked.at.poll->error.empty()) (void)parts_.refresh(asked.source);
    auto found = parts_.store.snapshot(asked.source, asked.subject);
    if (!found) return error_answer(found.error());
    snapshot = *std::move(found);
    return std::nullopt;
}

/// Holds no thread meanwhile.
void SnapshotsApi::wait(Asked asked, const Respond& respond) {
    const auto shared = std::make_shared<Asked>(std::move(asked));
    const bool taken = parts_.waiters.wait(shared->source, shared->subject, shared->wait, [=, this](bool last) {
        const auto snapshot = parts_.store.snapshot(shared->source, shared->subject);
        if (snapshot && is_known(*shared, *snapshot) && !last) return false;
        auto sources = parts_.sources();  // how the source stands has changed since it was asked
        if (const auto now = sources.find(shared->source); now != sources.end()) shared->at = std::move(now->second);
        respond(snapshot ? answer(*shared, *snapshot) : error_answer(snapshot.error()));
        return true;
    });
    if (taken) return;
    respond(error_answer(503, "too_many_waiting", "too many readers wait already: ask without `wait`, or later", {},
                         {{"Retry-After", "1"}}));
}

Answer SnapshotsApi::answer(const Asked& asked, const std::optional<Snapshot>& snapshot) {
    note_use(asked, snapshot);
    if (is_known(asked, snapshot)) return unchanged(snapshot);
    if (snapshot) return answer_with(asked, snapshot);
    const auto any = parts_.store.snapshots(asked.source, "", 1);
    if (!any) return error_answer(any.error());
    if (any->empty()) return answer_with(asked, snapshot);
    return error_answer(404, "not_found", "nothing is known of this subject");
}

Answer SnapshotsApi::list(const InboundRequest& request, const std::string& source) const {
    Asked asked;
    if (auto fault = find(request, source, asked)) return *std::move(fault);
    auto limit = std::optional(kLimit);
    if (const auto text = parameter(request, "limit")) limit = small_number(*text);
    if (!limit || *limit < 1 || *limit > kLimitMax)
        return wrong("limit", "expected a number from 1 to " + std::to_string(kLimitMax));
    const auto rows = parts_.store.snapshots(asked.source, parameter(request, "after").value_or(""), *limit);
    if (!rows) return error_answer(rows.error());
    JsonWriter json;
    json.object().key("snapshots").array();
    for (const auto& row : *rows) {
        json.object().member("subject", row.subject).member("version", row.version).member("live", row.live);
        json.member("updated_at", to_iso8601(row.updated_at)).end();
    }
    json.end();
    if (static_cast<int>(rows->size()) == *limit) json.member("next_after", rows->back().subject);
    json.end();
    return {.status = 200, .body = std::move(json).text()};
}

Answer SnapshotsApi::sources(const InboundRequest& request) const {
    if (auto refusal = may_read(request, "")) return *std::move(refusal);
    JsonWriter json;
    json.object().key("sources").array();
    for (const auto& [id, source] : parts_.sources()) {
        if (!source.kept || may_read(request, id.value)) continue;
        json.object().member("source", id.value).member("polled", source.poll.has_value());
        json.member("stale", is_stale(source, parts_.clock.now())).end();
    }
    json.end().end();
    return {.status = 200, .body = std::move(json).text()};
}

Answer SnapshotsApi::refresh(const InboundRequest& request, const std::string& source) {
    Asked asked;
    if (auto fault = find(request, source, asked)) return *std::move(fault);
    if (!asked.at.poll) {
        return error_answer(409, "not_polled",
                            "this source is not polled: what is known of it is what it pushed, and cannot be fetched");
    }
    const auto verdict = parts_.refresh(asked.source);
    if (!verdict.taken) {
        const auto left = verdict.again_at ? *verdict.again_at - parts_.clock.now() : milliseconds{1'000};
        const auto whole = std::max<std::int64_t>(1, (left.count() + 999) / 1000);
        return error_answer(429, "too_soon", "this source was refreshed a moment ago (`poll.refresh_min`)", {},
                            {{"Retry-After", std::to_string(whole)}});
    }
    const auto id = refreshes_.with([&](auto& known) {
        auto& last = known[asked.source];
        if (verdict.new_poll || last.empty()) last = parts_.ids.uuid_v7();
        return last;
    });
    JsonWriter json;
    json.object().member("id", id).member("source", source).end();
    return {.status = 202, .body = std::move(json).text()};
}

}  // namespace orbridge
