#include "adapters/openregister/object_poller.h"

#include <algorithm>
#include <map>

namespace orbridge::openregister {
namespace {

constexpr std::size_t kNamesAtOnce = 100;  ///< in one URL
constexpr const char* kAtFirst = "first";
constexpr milliseconds kBesideLog{std::chrono::hours{6}};
constexpr milliseconds kWithoutLog{std::chrono::minutes{15}};
constexpr milliseconds kFollowEvery{std::chrono::seconds{10}};  ///< while a long comparison is under way

void write(JsonWriter& json, const LogPosition& position) {
    json.key("position").object().member("floor", position.floor).key("seen").array();
    for (const auto id : position.seen) json.value(id);
    json.end().member("offset", static_cast<std::uint64_t>(position.offset)).end();
}

std::int64_t number(const Json& value) { return value.integer().value_or(0); }

std::string now_text(const Clock& clock) {
    // As OpenRegister writes times.
    return to_iso8601(clock.now()).substr(0, 19) + "+00:00";
}

}  // namespace

const char* to_text(LogKind kind) {
    switch (kind) {
        case LogKind::Realtime: return "realtime";
        case LogKind::Audit: return "audit";
        case LogKind::Lists: break;
    }
    return "lists";
}

std::optional<LogKind> log_kind(std::string_view text) {
    for (const auto kind : {LogKind::Realtime, LogKind::Audit, LogKind::Lists})
        if (text == to_text(kind)) return kind;
    return std::nullopt;
}

/// What is kept between steps, and over restarts.
struct ObjectPoller::Cursor {
    std::optional<LogKind> log;  ///< nothing: the very first step
    LogPosition position;
    std::string comparing;  ///< why a comparison is under way; empty: none is
    std::string place;      ///< the collection that it finished last
    TimePoint compared_at{};

    std::string text() const {
        JsonWriter json;
        json.object().member("log", log ? to_text(*log) : "");
        write(json, position);
        json.member("compared_at", static_cast<std::int64_t>(compared_at.time_since_epoch().count()));
        if (!comparing.empty()) json.member("comparing", comparing).member("place", place);
        json.end();
        return std::move(json).text();
    }

    /// An unreadable text is as none: everything is compared then.
    static Cursor of(const std::string& text) {
        Cursor cursor;
        const auto parsed = JsonDocument::parse(text);
        if (!parsed) return cursor;
        const auto root = (*parsed)->root();
        cursor.log = log_kind(root["log"].string().value_or(""));
        const auto position = root["position"];
        cursor.position.floor = number(position["floor"]);
        for (const auto& id : position["seen"].members()) cursor.position.seen.push_back(number(id.value));
        cursor.position.offset = static_cast<std::size_t>(std::max<std::int64_t>(number(position["offset"]), 0));
        cursor.compared_at = TimePoint{milliseconds{number(root["compared_at"])}};
        cursor.comparing = root["comparing"].string().value_or("");
        cursor.place = root["place"].string().value_or("");
        return cursor;
    }
};

ObjectPoller::ObjectPoller(ApiClient client, ObjectPollerSettings settings, KnownObjects known, const Clock& clock)
    : client_(std::move(client)),
      settings_(settings),
      known_(std::move(known)),
      clock_(clock),
      reader_(client_, settings.page_objects) {}

ObjectStep ObjectPoller::step(const std::string& text) {
    ObjectStep step;
    if (step.trouble = probe(); !step.trouble) step = next(Cursor::of(text));
    if (step.trouble) {
        step.cursor = text;
        step.more = false;
    }
    collapsed_ += step.collapsed;
    return step;
}

ObjectStep ObjectPoller::next(Cursor cursor) {
    // Another log than before says nothing of what happened in between.
    const auto* const why = cursor.log ? "changed" : kAtFirst;
    if (cursor.log != kind_) return begin(std::move(cursor), why);
    const bool follow_first = log_ && (!followed_at_ || clock_.now() - *followed_at_ >= kFollowEvery);
    if (!cursor.comparing.empty() && !follow_first) return compare(std::move(cursor));
    return follow(std::move(cursor));
}

/// The best log this installation has.
std::optional<Trouble> ObjectPoller::probe() {
    if (kind_) return std::nullopt;
    const auto absent = [](const Trouble& trouble) {
        return trouble.kind == Trouble::Kind::Missing || trouble.kind == Trouble::Kind::NotFound;
    };
    const auto try_kind = [&](LogKind kind, const std::string& path) -> std::optional<Trouble> {
        if (kind_ || (settings_.log && *settings_.log != kind)) return std::nullopt;
        const auto reply = client_.get(path);
        if (reply) kind_ = kind;
        // Asked for by name, its absence is trouble.
        return reply.trouble && (settings_.log || !absent(*reply.trouble)) ? reply.trouble : std::nullopt;
    };
    if (auto trouble = try_kind(LogKind::Realtime, "/api/realtime/cursor")) return trouble;
    if (auto trouble = try_kind(LogKind::Audit, "/api/audit-trails?action=create&limit=1&offset=0")) return trouble;
    if (auto trouble = try_kind(LogKind::Lists, "/api/registers?_limit=1")) return trouble;
    if (!kind_) return Trouble{Trouble::Kind::Missing, "This OpenRegister has neither logs nor lists of objects."};
    if (kind_ == LogKind::Realtime) log_ = make_realtime_log(client_, settings_.limits);
    if (kind_ == LogKind::Audit) log_ = make_audit_trail(client_, settings_.limits);
    return std::nullopt;
}

/// Takes a place at the log's end first and compares then, so that nothing falls between the two.
ObjectStep ObjectPoller::begin(Cursor cursor, std::string why) {
    ObjectStep step;
    cursor.log = kind_;
    if (log_) {
        auto end = log_->end();
        if (step.trouble = end.trouble; step.trouble) return step;
        cursor.position = std::move(end.position);
    }
    // The first comparison remains the first, whatever else happens before it is done.
    if (cursor.comparing != kAtFirst) cursor.comparing = std::move(why);
    cursor.place.clear();
    comparison_.reset();
    step.more = true;
    step.cursor = cursor.text();
    return step;
}

ObjectStep ObjectPoller::follow(Cursor cursor) {
    ObjectStep step;
    followed_at_ = clock_.now();
    if (log_) {
        auto read = log_->after(cursor.position);
        if (step.trouble = read.trouble; step.trouble) return step;
        if (read.lost) return begin(std::move(cursor), "lost");
        if (step.trouble = find_registers(read.rows); step.trouble) return step;
        const auto known = known_rows();
        const auto current = look_up(to_look_up(read.rows, known), step.trouble);
        if (step.trouble) return step;
        auto told = tell(read.rows, known, current);
        step.changes = std::move(told.changes);
        step.collapsed = told.collapsed;
        step.more = read.more;
        cursor.position = std::move(read.position);
    }
    if (!step.more && cursor.comparing.empty() && compare_due(cursor)) {
        cursor.comparing = "due";
        cursor.place.clear();
    }
    step.more = step.more || !cursor.comparing.empty();
    step.cursor = cursor.text();
    return step;
}

ObjectStep ObjectPoller::compare(Cursor cursor) {
    if (!comparison_) {
        comparison_ = std::make_unique<Comparison>(
            reader_, known_, Comparison::Settings{settings_.objects_max, cursor.comparing != kAtFirst}, cursor.place);
    }
    ObjectStep step;
    auto compared = comparison_->step(now_text(clock_));
    if (step.trouble = compared.trouble; step.trouble) return step;
    step.changes = std::move(compared.changes);
    step.existing = std::move(compared.existing);
    if (log_ && cursor.comparing == "due") only_compared_ += step.changes.size();
    cursor.place = comparison_->place();
    if (compared.done) {
        left_out_ = comparison_->left_out();
        comparison_.reset();
        cursor.comparing.clear();
        cursor.place.clear();
        cursor.compared_at = clock_.now();
    }
    step.more = !compared.done || log_ != nullptr;
    step.cursor = cursor.text();
    return step;
}

KnownOf ObjectPoller::known_rows() const {
    return [this](const LogRow& row) { return known_.of(subject_of(row.register_id, row.schema_id, row.uuid)); };
}

/// Rows about references do not name the register: it is one that has the schema, and knows the object if one does.
std::optional<Trouble> ObjectPoller::find_registers(std::vector<LogRow>& rows) {
    std::optional<Collections> collections;
    for (auto& row : rows) {
        if (!row.register_id.empty()) continue;
        if (!collections) collections = reader_.collections();
        if (collections->trouble) return collections->trouble;
        for (const auto& [register_id, schema_id] : collections->all) {
            if (schema_id != row.schema_id) continue;
            const bool known = known_.of(subject_of(register_id, schema_id, row.uuid)).seen;
            if (known || row.register_id.empty()) row.register_id = register_id;
            if (known) break;
        }
    }
    return std::nullopt;
}

CurrentStates ObjectPoller::look_up(const std::vector<const LogRow*>& rows, std::optional<Trouble>& trouble) {
    CurrentStates states;
    std::map<Collection, std::vector<std::string>> wanted;
    for (const auto* row : rows) {
        states[row->uuid] = std::nullopt;
        wanted[{row->register_id, row->schema_id}].push_back(row->uuid);
    }
    for (const auto& [collection, uuids] : wanted) {
        for (std::size_t from = 0; from < uuids.size(); from += kNamesAtOnce) {
            const auto to = std::min(uuids.size(), from + kNamesAtOnce);
            const auto page = reader_.some(collection, {uuids.begin() + static_cast<std::ptrdiff_t>(from),
                                                        uuids.begin() + static_cast<std::ptrdiff_t>(to)});
            // A collection that is gone has none of them.
            const bool gone = page.trouble && page.trouble->kind == Trouble::Kind::NotFound;
            if (page.trouble && !gone) {
                trouble = page.trouble;
                return states;
            }
            for (const auto& object : page.objects) states[text_of(object["id"])] = ObjectState(object);
        }
    }
    return states;
}

milliseconds ObjectPoller::compare_every() const {
    return settings_.compare_every.value_or(log_ ? kBesideLog : kWithoutLog);
}

bool ObjectPoller::compare_due(const Cursor& cursor) const {
    return compare_every() > milliseconds{0} && clock_.now() >= cursor.compared_at + compare_every();
}

std::vector<std::string> ObjectPoller::cannot_tell() const {
    std::vector<std::string> sentences;
    if (!kind_) return sentences;
    if (log_) {
        sentences.emplace_back(
            "Bulk saves, imports, restores and objects saved within others leave no trace in the log: only comparing "
            "the lists finds them, and only their last state.");
        if (only_compared_ > 0)
            sentences.push_back(std::to_string(only_compared_) + " changes were found by comparing only.");
    } else {
        sentences.emplace_back(
            "This OpenRegister keeps no log of changes: only the last state at each comparison of the lists is seen, "
            "and not who deleted an object or when.");
    }
    if (kind_ == LogKind::Realtime) {
        sentences.emplace_back(
            "The realtime log holds no content: of several changes between two polls the last is seen.");
    }
    if (collapsed_ > 0) {
        sentences.push_back(std::to_string(collapsed_) +
                            " changes were overwritten before their content could be read.");
    }
    sentences.emplace_back("Locks are told by pushes only.");
    sentences.insert(sentences.end(), left_out_.begin(), left_out_.end());
    return sentences;
}

}  // namespace orbridge::openregister
