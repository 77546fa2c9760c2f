#include "adapters/openregister/log_rows.h"

#include <algorithm>
#include <array>
#include <set>

#include "adapters/openregister/api_client.h"

namespace orbridge::openregister {
namespace {

struct Action {
    std::string_view name;
    ChangeKind kind;
    bool purged = false;
};

// openregister.md §5.1. Rows about references name no old and new state, only why: they are a Touch or a Delete.
constexpr std::array<Action, 8> kActions = {{{"create", ChangeKind::Create},
                                             {"update", ChangeKind::Update},
                                             {"delete", ChangeKind::Delete},
                                             {"referential_integrity.cascade_delete", ChangeKind::Delete},
                                             {"referential_integrity.root_delete", ChangeKind::Delete},
                                             {"referential_integrity.set_null", ChangeKind::Touch},
                                             {"referential_integrity.set_default", ChangeKind::Touch},
                                             {"archival.destroyed", ChangeKind::Delete, true}}};

/// What a soft delete writes into `@self.deleted` (openregister.md §4.4), as far as the row knows.
std::string deleted_mark(const LogRow& row) {
    const auto text = [](const std::string& value) { return value.empty() ? std::string("null") : json_string(value); };
    JsonWriter json;
    json.object().member_raw("deletedBy", text(row.user)).member_raw("deletedAt", text(row.at));
    json.member("objectId", row.uuid).member_raw("organisation", text(row.organisation)).end();
    return std::move(json).text();
}

LoggedChange logged(const LogRow& row) { return {row.kind, row.changed, deleted_mark(row)}; }

/// Rows by object, each list in the order of the rows.
std::map<std::string, std::vector<std::size_t>> by_object(const std::vector<LogRow>& rows) {
    std::map<std::string, std::vector<std::size_t>> grouped;
    for (std::size_t i = 0; i < rows.size(); ++i) grouped[rows[i].uuid].push_back(i);
    return grouped;
}

std::vector<std::optional<ObjectState>> states_of(const std::vector<LogRow>& rows,
                                                  const std::vector<std::size_t>& which,
                                                  const std::optional<ObjectState>& before,
                                                  const std::optional<ObjectState>& current) {
    std::vector<LoggedChange> changes;
    changes.reserve(which.size());
    for (const auto at : which) changes.push_back(logged(rows[at]));
    return states_after(changes, before, current);
}

ToldChange change_of(const LogRow& row, ToldChange::Kind kind, std::string object) {
    return {kind, row.uuid, row.register_id, row.schema_id, std::move(object), row.at, false};
}

/// The end of an object. Its content is that of before, or nothing but its name.
ToldChange deletion(const LogRow& row, const std::optional<ObjectState>& state) {
    const auto bare = bare_object(row.uuid, row.register_id, row.schema_id);
    if (row.purged) return change_of(row, ToldChange::Kind::Gone, state ? state->text() : bare);
    if (state) return change_of(row, ToldChange::Kind::SoftDeleted, state->text());
    const auto parsed = JsonDocument::parse(bare);
    return change_of(row, ToldChange::Kind::SoftDeleted,
                     marked_deleted(ObjectState((*parsed)->root()), deleted_mark(row)).text());
}

/// The rows of one object.
class Teller {
public:
    Teller(const std::vector<LogRow>& rows, const std::vector<std::size_t>& which, const Known& known,
           const std::optional<std::optional<ObjectState>>& current)
        : rows_(rows),
          which_(which),
          known_(known),
          current_(current),
          states_(states_of(rows, which, known.state, current ? *current : std::nullopt)),
          live_(known.live) {}

    /// What the n-th of the rows tells, or nothing if a later one tells it too.
    std::optional<ToldChange> tell(std::size_t n) {
        const auto& row = rows_[which_[n]];
        const bool last = n + 1 == which_.size();
        if (row.kind == ChangeKind::Delete) {
            // Purging ends what was told to be deleted before, unless all of its life was between two polls.
            const bool told_before = row.purged && !live_ && (known_.seen || n == 0);
            return told_before ? std::nullopt : std::optional(tell_deletion(row, states_[n]));
        }
        if (states_[n] && overtaken(*states_[n])) return std::nullopt;
        // Of what was only seen so far a row tells in any case, though it may have been seen as the row left it.
        if (states_[n]) {
            auto change = exact(row, *states_[n]);
            change.current = row.kind == ChangeKind::Touch && !known_.untold;
            return change;
        }
        if (!last || !current_) return std::nullopt;
        if (*current_) {
            auto change = exact(row, **current_);
            change.current = !known_.untold;
            return change;
        }
        // Not there: the log that names no deletions means one; the other will tell it in a row of its own.
        if (row.kind != ChangeKind::Touch) return std::nullopt;
        std::optional<ObjectState> gone;
        if (known_.state) gone = marked_deleted(*known_.state, deleted_mark(row));
        return tell_deletion(row, gone);
    }

    /// Whether the row's own content is lost, though its object's present one may be told in its place.
    bool overwritten(std::size_t n) const {
        return !states_[n] && rows_[which_[n]].kind != ChangeKind::Delete && !rows_[which_[n]].changed.empty();
    }

private:
    /// Polling told a later state before, for want of this one's content: telling it now would turn the order.
    bool overtaken(const ObjectState& state) const {
        return known_.polled && known_.state && updated_of(state) < updated_of(*known_.state);
    }

    ToldChange tell_deletion(const LogRow& row, const std::optional<ObjectState>& state) {
        live_ = false;
        return deletion(row, state);
    }

    ToldChange exact(const LogRow& row, const ObjectState& state) {
        // A row that does not say whether it is the first of its object: what was seen before decides.
        const bool whole = row.kind == ChangeKind::Create && !row.changed.empty();
        const bool first = whole || (row.kind != ChangeKind::Update && !live_);
        live_ = true;
        return change_of(row, first ? ToldChange::Kind::Created : ToldChange::Kind::Updated, state.text());
    }

    const std::vector<LogRow>& rows_;
    const std::vector<std::size_t>& which_;
    const Known& known_;
    const std::optional<std::optional<ObjectState>>& current_;
    std::vector<std::optional<ObjectState>> states_;
    bool live_;
};

}  // namespace

std::string audit_actions() {
    std::string names;
    for (const auto& action : kActions) names += (names.empty() ? "" : ",") + std::string(action.name);
    return names;
}

std::optional<LogRow> audit_row(const Json& row) {
    const auto name = row["action"].string().value_or("");
    const auto* action =
        std::find_if(kActions.begin(), kActions.end(), [&](const Action& one) { return one.name == name; });
    const auto id = row["id"].integer();
    LogRow read{.id = id.value_or(0), .uuid = text_of(row["objectUuid"])};
    if (!id || action == kActions.end() || read.uuid.empty()) return std::nullopt;
    read.kind = action->kind;
    read.purged = action->purged;
    read.register_id = text_of(row["register"]);
    read.schema_id = text_of(row["schema"]);
    read.at = text_of(row["created"]);
    read.user = text_of(row["user"]);
    read.organisation = text_of(row["organisationId"]);
    const bool tells = read.kind == ChangeKind::Create || read.kind == ChangeKind::Update;
    if (tells && row["changed"].is_object()) read.changed = row["changed"];
    return read;
}

std::optional<LogRow> realtime_row(const Json& event) {
    const auto data = event["data"];
    const auto type = event["type"].string().value_or("");
    const auto id = event["_cursor"].integer();
    LogRow read{.id = id.value_or(0), .uuid = text_of(data["uuid"])};
    if (!id || read.uuid.empty() || !type.starts_with("or.object.")) return std::nullopt;
    read.purged = type == "or.object.deleted";
    read.kind = read.purged ? ChangeKind::Delete : ChangeKind::Touch;
    read.register_id = text_of(data["register"]);
    read.schema_id = text_of(data["schema"]);
    read.at = text_of(event["time"]);
    read.user = text_of(data["actor"]);
    read.organisation = text_of(data["organisation"]);
    return read;
}

std::vector<const LogRow*> to_look_up(const std::vector<LogRow>& rows, const KnownOf& known) {
    std::vector<const LogRow*> wanted;
    for (const auto& [uuid, which] : by_object(rows)) {
        const auto states = states_of(rows, which, known(rows[which.back()]).state, std::nullopt);
        for (std::size_t n = 0; n < which.size(); ++n) {
            if (states[n] || rows[which[n]].kind == ChangeKind::Delete) continue;
            wanted.push_back(&rows[which.back()]);
            break;
        }
    }
    return wanted;
}

Told tell(const std::vector<LogRow>& rows, const KnownOf& known, const CurrentStates& current) {
    std::vector<std::optional<ToldChange>> found(rows.size());
    Told told;
    for (const auto& [uuid, which] : by_object(rows)) {
        const auto now = current.find(uuid);
        const auto before = known(rows[which.back()]);
        std::optional<std::optional<ObjectState>> looked_up;
        if (now != current.end()) looked_up.emplace(now->second);
        Teller teller(rows, which, before, looked_up);
        for (std::size_t n = 0; n < which.size(); ++n) {
            found[which[n]] = teller.tell(n);
            if (teller.overwritten(n) || (!found[which[n]] && !rows[which[n]].purged)) ++told.collapsed;
        }
    }
    for (auto& change : found)
        if (change) told.changes.push_back(std::move(*change));
    return told;
}

}  // namespace orbridge::openregister
