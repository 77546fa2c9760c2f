#include "adapters/openregister/history.h"

#include <algorithm>

namespace orbridge::openregister {
namespace {

constexpr std::string_view kSelf = "\"@self\"";

bool same(const Json& a, const Json& b) {
    const auto empty = [](const Json& value) { return !value.present() || value.is_null(); };
    if (empty(a) || empty(b)) return empty(a) && empty(b);
    return a.raw() == b.raw() || canonical_json(a) == canonical_json(b);
}

/// Lists may show more of `@self` than the audit trail kept, so only what both have counts.
bool same_self(const Json& a, const Json& b) {
    const auto members = a.members();
    return std::all_of(members.begin(), members.end(), [&](const Json::Member& member) {
        const auto other = b[member.key];
        return !other.present() || same(member.value, other);
    });
}

bool agrees(const std::string* value, const Json& told, bool self) {
    const bool told_null = !told.present() || told.is_null();
    if (value == nullptr) return told_null;
    if (!told_null && *value == told.raw()) return true;
    const auto parsed = JsonDocument::parse(*value);
    if (!parsed) return false;
    const auto root = (*parsed)->root();
    return self && root.is_object() && told.is_object() ? same_self(root, told) : same(root, told);
}

/// Whether the state is the one that the row saw: before the change (`old`) or after it (`new`).
bool fits(const ObjectState& state, const Json& changed, std::string_view side) {
    const auto members = changed.members();
    return std::all_of(members.begin(), members.end(), [&](const Json::Member& member) {
        return agrees(state.find(member.raw_key), member.value[side], member.raw_key == kSelf);
    });
}

ObjectState with(ObjectState state, const Json& changed, std::string_view side) {
    for (const auto& member : changed.members()) {
        const auto value = member.value[side];
        state.set(member.raw_key, value.present() ? value.raw() : "null");
    }
    return state;
}

std::optional<ObjectState> forward(const LoggedChange& change, const std::optional<ObjectState>& before) {
    if (change.kind == ChangeKind::Create && !change.changed.empty()) return with({}, change.changed, "new");
    if (!before) return std::nullopt;
    if (change.kind == ChangeKind::Delete) return marked_deleted(*before, change.deleted_mark);
    const bool known = change.kind == ChangeKind::Update && !change.changed.empty();
    if (!known || !fits(*before, change.changed, "old")) return std::nullopt;
    return with(*before, change.changed, "new");
}

/// The state before this change, if `after` is the one after it.
std::optional<ObjectState> backward(const LoggedChange& change, const ObjectState& after) {
    if (change.kind != ChangeKind::Update || change.changed.empty()) return std::nullopt;
    if (!fits(after, change.changed, "new")) return std::nullopt;
    return with(after, change.changed, "old");
}

/// What was known may be the state after one of the changes, told by a push already: what follows, follows from it.
void anchor(const std::vector<LoggedChange>& changes, const ObjectState& known,
            std::vector<std::optional<ObjectState>>& states) {
    for (auto k = changes.size(); k-- > 0;) {
        const bool tells = changes[k].kind == ChangeKind::Update && !changes[k].changed.empty();
        if (states[k] || !tells || !fits(known, changes[k].changed, "new")) continue;
        states[k] = known;
        for (auto next = k + 1; next < changes.size() && !states[next]; ++next)
            states[next] = forward(changes[next], states[next - 1]);
        return;
    }
}

}  // namespace

ObjectState::ObjectState(const Json& object) {
    for (const auto& member : object.members())
        properties_.push_back({std::string(member.raw_key), std::string(member.value.raw())});
}

std::string ObjectState::text() const {
    JsonWriter json;
    json.object();
    for (const auto& property : properties_) json.raw_key(property.raw_key).raw(property.value);
    json.end();
    return std::move(json).text();
}

void ObjectState::set(std::string_view raw_key, std::string_view value) {
    const auto found = std::find_if(properties_.begin(), properties_.end(),
                                    [&](const Property& property) { return property.raw_key == raw_key; });
    if (found == properties_.end()) {
        properties_.push_back({std::string(raw_key), std::string(value)});
    } else {
        found->value = value;
    }
}

const std::string* ObjectState::find(std::string_view raw_key) const {
    const auto found = std::find_if(properties_.begin(), properties_.end(),
                                    [&](const Property& property) { return property.raw_key == raw_key; });
    return found == properties_.end() ? nullptr : &found->value;
}

std::vector<std::optional<ObjectState>> states_after(const std::vector<LoggedChange>& changes,
                                                     const std::optional<ObjectState>& before,
                                                     const std::optional<ObjectState>& current) {
    std::vector<std::optional<ObjectState>> states;
    states.reserve(changes.size());
    auto known = before;
    for (const auto& change : changes) {
        known = forward(change, known);
        states.push_back(known);
    }
    if (before) anchor(changes, *before, states);
    // What the past does not tell is asked of the present, as far back as the rows agree with it.
    auto later = current;
    for (auto i = changes.size(); i-- > 0;) {
        if (!states[i] && later && changes[i].kind != ChangeKind::Delete &&
            (changes[i].changed.empty() || fits(*later, changes[i].changed, "new"))) {
            // A row that does not say what changed can only be the last one.
            if (!changes[i].changed.empty() || i + 1 == changes.size()) states[i] = later;
        }
        later = states[i] ? backward(changes[i], *states[i]) : std::nullopt;
    }
    return states;
}

ObjectState marked_deleted(ObjectState state, std::string_view mark) {
    const auto* self = state.find(kSelf);
    const auto parsed = self ? JsonDocument::parse(*self) : Result<JsonPtr>(Error{});
    ObjectState inner = parsed ? ObjectState((*parsed)->root()) : ObjectState();
    inner.set("\"deleted\"", mark);
    state.set(kSelf, inner.text());
    return state;
}

std::string updated_of(const ObjectState& state) {
    const auto* self = state.find(kSelf);
    const auto parsed = self ? JsonDocument::parse(*self) : Result<JsonPtr>(Error{});
    return parsed ? (*parsed)->root()["updated"].string().value_or("") : std::string();
}

std::string as_webhooks_write(std::string_view json) {
    std::string text;
    text.reserve(json.size());
    for (std::size_t i = 0; i < json.size(); ++i) {
        const auto escape = json.substr(i, 6);
        if (escape == "\\u003C" || escape == "\\u003E") {
            text += escape[5] == 'C' ? '<' : '>';
            i += 5;
        } else if (json[i] == '\\' && i + 1 < json.size()) {
            text += json[i];
            text += json[++i];
        } else {
            text += json[i];
        }
    }
    return text;
}

}  // namespace orbridge::openregister
