#include "bridge/api/replay_jobs.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace orbridge {
namespace {

constexpr const char* kNote = "replays";
constexpr milliseconds kBetweenSteps{100};
constexpr milliseconds kIdle{std::chrono::hours{1}};
constexpr std::uint64_t kCountedMost = 100'000;
constexpr int kDoublingsMax = 30;

void write_time(JsonWriter& json, std::string_view name, const std::optional<TimePoint>& time) {
    if (time) json.member(name, to_iso8601(*time));
}

std::optional<TimePoint> read_time(const Json& value) { return from_iso8601(value.string().value_or("")); }

std::uint64_t read_count(const Json& value) { return static_cast<std::uint64_t>(value.integer().value_or(0)); }

void write_order(JsonWriter& json, const ReplayOrder& order) {
    json.key("order").object();
    for (const auto& [name, value] : {std::pair{"event", &order.event},
                                      {"target", &order.target},
                                      {"subject", &order.subject},
                                      {"channel", &order.channel},
                                      {"source", &order.backfill}})
        if (!value->empty()) json.member(name, *value);
    if (order.state) json.member("state", to_text(*order.state));
    if (order.unmapped) json.member("unmapped", true);
    write_time(json, "since", order.since);
    write_time(json, "until", order.until);
    json.end();
}

ReplayOrder read_order(const Json& json) {
    ReplayOrder order;
    order.event = json["event"].string().value_or("");
    order.target = json["target"].string().value_or("");
    order.subject = json["subject"].string().value_or("");
    order.channel = json["channel"].string().value_or("");
    if (json["state"]) order.state = delivery_state_from_text(json["state"].string().value_or(""));
    order.unmapped = json["unmapped"].boolean().value_or(false);
    order.backfill = json["source"].string().value_or("");
    order.since = read_time(json["since"]);
    order.until = read_time(json["until"]);
    return order;
}

ReplayJob::State read_state(const std::string& text) {
    for (const auto state : {ReplayJob::State::Done, ReplayJob::State::Cancelled})
        if (text == to_text(state)) return state;
    return ReplayJob::State::Running;
}

ReplayJob read_job(const Json& json) {
    ReplayJob job;
    job.replay = {json["id"].string().value_or(""), read_time(json["created_at"]).value_or(TimePoint{})};
    job.order = read_order(json["order"]);
    job.state = read_state(json["state"].string().value_or(""));
    job.total = read_count(json["total"]);
    job.total_is_least = json["total_is_least"].boolean().value_or(false);
    job.progress.matched = read_count(json["matched"]);
    job.progress.replayed = read_count(json[is_backfill(job) ? "backfilled" : "replayed"]);
    job.progress.after_delivery = json["after_delivery"].string().value_or("");
    job.progress.after_event = read_count(json["after_event"]);
    job.progress.after_subject = json["after_subject"].string().value_or("");
    for (const auto& problem : json["problems"].members())
        job.progress.problems.push_back(problem.value.string().value_or(""));
    job.ended_at = read_time(json["ended_at"]);
    return job;
}

bool running(const ReplayJob& job) { return job.state == ReplayJob::State::Running; }

bool holds(const std::string& text, const std::string& subject) { return text.find(subject) != std::string::npos; }

bool names(const ReplayJob& job, const std::string& subject) {
    const auto& problems = job.progress.problems;
    return job.order.subject == subject || job.progress.after_subject == subject || holds(job.trouble, subject) ||
           std::any_of(problems.begin(), problems.end(), [&](const auto& each) { return holds(each, subject); });
}

/// Where a backfill goes on is before the subject then: what it finds told of by now it leaves alone.
void forget_in(ReplayJob& job, const std::string& subject, const std::string& name) {
    if (job.order.subject == subject) job.order.subject = name;
    auto& progress = job.progress;
    if (progress.after_subject == subject) progress.after_subject.resize(subject.find_last_of("/:") + 1);
    std::erase_if(progress.problems, [&](const auto& each) { return holds(each, subject); });
    if (holds(job.trouble, subject)) job.trouble.clear();
}

void write_members(JsonWriter& json, const ReplayJob& job) {
    json.member("id", job.replay.id).member("state", to_text(job.state));
    json.member("created_at", to_iso8601(job.replay.at));
    write_time(json, "ended_at", job.ended_at);
    write_order(json, job.order);
    json.member("total", job.total).member("total_is_least", job.total_is_least);
    json.member("matched", job.progress.matched);
    json.member(is_backfill(job) ? "backfilled" : "replayed", job.progress.replayed);
    json.key("problems").array();
    for (const auto& problem : job.progress.problems) json.value(problem);
    json.end();
    if (!job.trouble.empty()) json.member("trouble", job.trouble);
}

}  // namespace

const char* to_text(ReplayJob::State state) {
    switch (state) {
        case ReplayJob::State::Running: return "running";
        case ReplayJob::State::Done: return "done";
        case ReplayJob::State::Cancelled: return "cancelled";
    }
    return "";
}

void write_replay_job(JsonWriter& json, const ReplayJob& job) {
    json.object();
    write_members(json, job);
    json.end();
}

int replay_rate(const ReplaySettings& settings, milliseconds running) {
    const auto doublings = std::min<std::int64_t>(running / settings.doubles_every, kDoublingsMax);
    const auto rate = static_cast<std::int64_t>(settings.per_second_start) << std::max<std::int64_t>(0, doublings);
    return static_cast<int>(std::min<std::int64_t>(rate, settings.per_second_max));
}

ReplayJobs::ReplayJobs(Replay& replay, Store& store, IdMaker& ids, const Clock& clock, Log& log)
    : replay_(replay), store_(store), ids_(ids), clock_(clock), log_(log) {}

void ReplayJobs::set_limits(const ReplaySettings& settings) {
    const std::lock_guard lock(mutex_);
    settings_ = settings;
}

// ---- kept over restarts ---------------------------------------------------------------------------

Status ReplayJobs::load() {
    const auto note = store_.note(kNote);
    if (!note) return note.error();
    const auto document = JsonDocument::parse(note->value_or("[]"));
    if (!document) return Ok{};  // nothing that can be taken up
    const auto now = clock_.now();
    const std::lock_guard lock(mutex_);
    for (const auto& member : (*document)->root().members()) {
        jobs_.push_back({read_job(member.value), now, now, static_cast<double>(settings_.per_second_start)});
        // What the last part before a stop made may not be noted: it does not come again, and is not waited for.
        auto& job = jobs_.back().job;
        if (running(job) && is_backfill(job)) count_backfill(job);
    }
    return Ok{};
}

void ReplayJobs::count_backfill(ReplayJob& job) {
    const auto left = replay_.left(job.order, job.progress);
    if (left) job.total = job.progress.matched + *left;
}

Status ReplayJobs::save(const std::vector<Kept>& jobs) {
    JsonWriter json;
    json.array();
    for (const auto& kept : jobs) {
        json.object();
        write_members(json, kept.job);
        json.member("after_delivery", kept.job.progress.after_delivery);
        json.member("after_event", kept.job.progress.after_event);
        json.member("after_subject", kept.job.progress.after_subject).end();
    }
    json.end();
    return store_.set_note(kNote, json.text());
}

void ReplayJobs::forget_old(std::vector<Kept>& jobs) const {
    while (jobs.size() > static_cast<std::size_t>(settings_.jobs_max)) {
        const auto oldest = std::find_if(jobs.begin(), jobs.end(), [](const Kept& kept) { return !running(kept.job); });
        if (oldest == jobs.end()) return;
        jobs.erase(oldest);
    }
}

// ---- orders ---------------------------------------------------------------------------------------

Result<ReplayJob> ReplayJobs::start(const ReplayOrder& order) {
    if (auto fault = replay_.check(order); !fault) return fault.error();
    const auto now = clock_.now();
    ReplayJob job;
    job.replay = {ids_.uuid_v7(), now};
    job.order = order;
    const auto total = replay_.count(order, job.replay, kCountedMost);
    if (!total) return total.error();
    job.total = *total;
    job.total_is_least = is_backfill(job) || *total == kCountedMost;
    {
        const std::lock_guard lock(mutex_);
        const auto under_way =
            std::count_if(jobs_.begin(), jobs_.end(), [](const Kept& kept) { return running(kept.job); });
        if (under_way >= settings_.running_max)
            return Error{Error::Kind::Unavailable, std::to_string(under_way) + " replays are under way already"};
        auto changed = jobs_;
        changed.push_back({job, now, now, static_cast<double>(settings_.per_second_start)});
        forget_old(changed);
        if (auto saved = save(changed); !saved) return saved.error();
        jobs_ = std::move(changed);
    }
    wake_();
    return job;
}

Result<ReplayJob> ReplayJobs::cancel(const std::string& id) {
    const std::lock_guard part(part_);
    const std::lock_guard lock(mutex_);
    auto* kept = known(id);
    if (kept == nullptr) return Error{Error::Kind::NotFound, "there is no replay " + id};
    if (!running(kept->job))
        return Error{Error::Kind::Conflict, std::string("the replay is ") + to_text(kept->job.state)};
    auto changed = jobs_;
    for (auto& one : changed)
        if (one.job.replay.id == id) end(one, ReplayJob::State::Cancelled);
    if (auto saved = save(changed); !saved) return saved.error();
    jobs_ = std::move(changed);
    ended_.notify_all();
    return known(id)->job;
}

std::uint64_t ReplayJobs::naming(const std::string& subject) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::uint64_t>(
        std::count_if(jobs_.begin(), jobs_.end(), [&](const Kept& kept) { return names(kept.job, subject); }));
}

Result<std::uint64_t> ReplayJobs::forget(const std::string& subject, const std::string& name_from_now_on) {
    const std::lock_guard part(part_);
    const std::lock_guard lock(mutex_);
    auto changed = jobs_;
    std::uint64_t forgot = 0;
    for (auto& kept : changed) {
        if (!names(kept.job, subject)) continue;
        ++forgot;
        if (running(kept.job) && kept.job.order.subject == subject) end(kept, ReplayJob::State::Cancelled);
        forget_in(kept.job, subject, name_from_now_on);
    }
    if (forgot == 0) return forgot;
    if (auto saved = save(changed); !saved) return saved.error();
    jobs_ = std::move(changed);
    ended_.notify_all();
    return forgot;
}

void ReplayJobs::end(Kept& kept, ReplayJob::State as) {
    kept.job.state = as;
    kept.job.ended_at = clock_.now();
    kept.job.trouble.clear();
    const bool backfill = is_backfill(kept.job);
    log_.info(backfill ? "backfill.ended" : "replay.ended",
              {{backfill ? "backfill" : "replay", kept.job.replay.id},
               {"state", to_text(as)},
               {"matched", kept.job.progress.matched},
               {backfill ? "backfilled" : "replayed", kept.job.progress.replayed}});
}

std::optional<std::size_t> ReplayJobs::place_of(const std::string& id) const {
    const auto found =
        std::find_if(jobs_.begin(), jobs_.end(), [&](const Kept& kept) { return kept.job.replay.id == id; });
    if (found == jobs_.end()) return std::nullopt;
    return static_cast<std::size_t>(found - jobs_.begin());
}

ReplayJobs::Kept* ReplayJobs::known(const std::string& id) {
    const auto place = place_of(id);
    return place ? &jobs_[*place] : nullptr;
}

std::optional<ReplayJob> ReplayJobs::find(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto place = place_of(id);
    return place ? std::optional(jobs_[*place].job) : std::nullopt;
}

std::vector<ReplayJob> ReplayJobs::all() const {
    const std::lock_guard lock(mutex_);
    std::vector<ReplayJob> all;
    all.reserve(jobs_.size());
    for (auto kept = jobs_.rbegin(); kept != jobs_.rend(); ++kept) all.push_back(kept->job);
    return all;
}

std::optional<ReplayJob> ReplayJobs::wait(const std::string& id, milliseconds at_most) {
    std::unique_lock lock(mutex_);
    ended_.wait_for(lock, at_most, [&] {
        const auto* kept = known(id);
        return kept == nullptr || !running(kept->job);
    });
    const auto* kept = known(id);
    return kept == nullptr ? std::nullopt : std::optional(kept->job);
}

// ---- work -----------------------------------------------------------------------------------------

/// Never for a time that did not pass, also if the clock was set back.
int ReplayJobs::allowed(Kept& kept, TimePoint now) const {
    const auto passed = std::clamp<milliseconds>(now - kept.last_step, milliseconds{0}, seconds{1});
    const auto rate = replay_rate(settings_, std::max(now - kept.taken_up, milliseconds{0}));
    kept.last_step = now;
    kept.credit = std::min(kept.credit + static_cast<double>(rate) * static_cast<double>(passed.count()) / 1000,
                           static_cast<double>(std::max(rate, 1)));
    return static_cast<int>(kept.credit);
}

void ReplayJobs::work_on(const std::string& id, TimePoint now) {
    const std::lock_guard part(part_);
    ReplayJob job;
    int most = 0;
    {
        const std::lock_guard lock(mutex_);
        auto* kept = known(id);
        if (kept == nullptr || !running(kept->job)) return;
        most = allowed(*kept, now);
        job = kept->job;
    }
    if (most == 0) return;
    const auto before = job.progress.matched;
    auto total = std::pair(job.total, job.total_is_least);
    const auto status = replay_.advance(job.order, job.replay, job.progress, most);
    if (status && is_backfill(job) && job.total_is_least) {  // only now all that is there is known
        count_backfill(job);
        total = {std::max(job.total, job.progress.matched), false};
    }
    const std::lock_guard lock(mutex_);
    auto* kept = known(id);
    if (kept == nullptr) return;
    kept->credit -= static_cast<double>(job.progress.matched - before);
    kept->job.progress = std::move(job.progress);
    std::tie(kept->job.total, kept->job.total_is_least) = total;
    kept->job.trouble = status ? "" : status.error().message;
    if (status && kept->job.progress.done) end(*kept, ReplayJob::State::Done);
    if (const auto saved = save(jobs_); !saved)  // then this part may be done once more, which makes nothing twice
        log_.error("replay.not_stored", {{"replay", id}, {"reason", saved.error().message}});
    if (!running(kept->job)) ended_.notify_all();
}

milliseconds ReplayJobs::step() {
    const auto now = clock_.now();
    for (const auto& job : all())
        if (running(job)) work_on(job.replay.id, now);
    const std::lock_guard lock(mutex_);
    const bool more = std::any_of(jobs_.begin(), jobs_.end(), [](const Kept& kept) { return running(kept.job); });
    return more ? kBetweenSteps : kIdle;
}

}  // namespace orbridge
