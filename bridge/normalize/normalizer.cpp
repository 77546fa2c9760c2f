#include "bridge/normalize/normalizer.h"

#include <algorithm>

#include "bridge/core/text.h"
#include "bridge/normalize/evaluation.h"
#include "bridge/normalize/mapping.h"

namespace orbridge {
namespace {

/// Envelopes in envelopes: more than a few are nobody's retry.
constexpr int kUnwrapsMax = 8;

using Groups = std::vector<std::pair<std::string, std::string>>;

/// What one event in a request came to: a record, or the reason why there is none.
struct Missed {
    std::string event_class;
    std::string reason;
    std::string dedup_key;
};
using Tried = std::variant<Normalized, Missed>;

bool all_present(const std::vector<Place>& places, Evaluation& at) {
    for (const auto& place : places)
        if (!at.holds({place, Condition::Test::Present, {}})) return false;
    return true;
}

Json unwrapped(const Mapping& mapping, Sight sight) {
    static const FieldPlaces kNone;
    for (int depth = 0; depth < kUnwrapsMax; ++depth) {
        Json inner;
        for (const auto& unwrap : mapping.unwraps) {
            Evaluation at(sight, mapping, kNone, {});
            if (all_present(unwrap.present, at)) inner = sight.item.path(unwrap.to.path.parts.at(0).text);
            if (inner) break;
        }
        if (!inner.is_object()) break;
        sight.item = inner;
    }
    return sight.item;
}

std::string class_of(const Mapping& mapping, const Sight& sight) {
    static const FieldPlaces kNone;
    Evaluation at(sight, mapping, kNone, {});
    for (const auto& place : mapping.class_places) {
        auto text = at.scalar(place);
        if (!text || text->empty()) continue;
        if (text->front() == '\\') text->erase(0, 1);
        const auto alias = mapping.aliases.find(*text);
        return alias == mapping.aliases.end() ? *text : alias->second;
    }
    return {};
}

std::optional<Groups> groups_of(const Rule& rule, const std::string& event_class) {
    std::vector<re2::StringPiece> caught(rule.groups.size());
    const auto count = static_cast<int>(caught.size());
    if (!rule.event_class->Match(event_class, 0, event_class.size(), RE2::ANCHOR_BOTH, caught.data(), count))
        return std::nullopt;
    Groups groups;
    for (std::size_t i = 1; i < caught.size(); ++i) {
        if (!rule.groups[i].empty() && caught[i].data() != nullptr)
            groups.emplace_back(rule.groups[i], std::string(caught[i].data(), caught[i].size()));
    }
    return groups;
}

std::string text_of(std::string_view json) {
    if (json.empty()) return {};
    const bool plain = json.size() >= 2 && json.front() == '"' && json.find('\\') == std::string_view::npos;
    if (plain) return std::string(json.substr(1, json.size() - 2));
    const auto document = JsonDocument::parse(json);
    return document ? (*document)->root().string().value_or("") : "";
}

/// By reading the payload again, which is for states that do not simply stand in it as one of its members.
StateFound read_state(const std::string& payload, const std::string& path) {
    const auto document = JsonDocument::parse(payload);
    if (!document) return {};
    const auto whole = (*document)->root();
    const auto state = path == "." ? whole : whole.path(path);
    if (!state.is_object()) return {};
    return {std::string(state.raw()), state["updated"].string().value_or("")};
}

void write_payload(const Rule& rule, Evaluation& at, Normalized& made) {
    Evaluation::Watched state{.member = rule.state};
    const bool is_member = !rule.state.empty() && rule.state.find_first_of(".\\") == std::string::npos;
    made.payload = (is_member ? at.render_watching(rule.payload, state) : at.render(rule.payload)).value_or("null");
    if (rule.state.empty()) return;
    if (state.assembled) {
        made.state = {std::string(state.value.in(made.payload)), text_of(state.updated.in(made.payload))};
    } else {
        made.state = read_state(made.payload, rule.state);
    }
}

Normalized apply(const Mapping& mapping, const Rule& rule, Evaluation& at, const std::string& event_class) {
    Normalized made;
    made.rule = mapping.name + '/' + rule.name;
    made.event_class = rule.sent_class.parts.empty() ? event_class : at.fill(rule.sent_class);
    made.channel = at.fill(rule.channel);
    made.event_name = on_one_line(at.fill(rule.event_name));
    // A subject that is only half known would tie together events that have nothing to do with each other.
    if (at.fill_whole(rule.subject)) made.subject = at.fill(rule.subject);
    made.occurred_at = at.first_time(rule.occurred_at);
    write_payload(rule, at, made);
    made.dedup_key = at.key_of(rule.dedup);
    made.twin_key = at.canonical_key_of(rule.twin);
    made.ends = rule.ends;
    return made;
}

Tried try_mapping(const Mapping& mapping, const Sight& sight) {
    const auto event_class = class_of(mapping, sight);
    for (const auto& rule : mapping.rules) {
        auto groups = groups_of(rule, event_class);
        if (!groups) continue;
        Evaluation at(sight, mapping, rule.fields, event_class, std::move(*groups));
        bool wanted = true;
        for (const auto& condition : rule.when) wanted = wanted && at.holds(condition);
        if (wanted) return apply(mapping, rule, at, event_class);
    }
    Evaluation at(sight, mapping, mapping.fields, event_class);
    const auto reason = event_class.empty() ? "no event class found by mapping " : "no rule for it in mapping ";
    return Missed{event_class, reason + mapping.name, at.key_of(mapping.dedup)};
}

/// The first mapping that has a rule; else what the first one that found a class says.
Tried try_all(const std::vector<const Mapping*>& mappings, Sight sight) {
    Missed missed{"", "no mapping serves this type of source", ""};
    const auto root = sight.item;
    for (const auto* mapping : mappings) {
        sight.item = root;
        sight.item = unwrapped(*mapping, sight);
        auto tried = try_mapping(*mapping, sight);
        if (std::holds_alternative<Normalized>(tried)) return tried;
        const bool first = mapping == mappings.front();
        if (first || missed.event_class.empty()) missed = std::get<Missed>(std::move(tried));
    }
    return missed;
}

/// One event's part of the request, and what holds it.
struct Item {
    Json parent, item;
};

/// Takes lists apart, level by level. An element without any of the lists of a level is an event itself. False: those
/// are too many.
bool take_apart(const Mapping& mapping, std::size_t level, const Item& whole, std::vector<Item>& items) {
    bool has_list = false;
    const auto& paths = level < mapping.each.size() ? mapping.each[level] : std::vector<std::string>{};
    for (const auto& path : paths) {
        const auto list = path == "." ? whole.item : whole.item.path(path);
        if (!list.is_array()) continue;
        has_list = true;
        for (const auto& member : list.members())
            if (!take_apart(mapping, level + 1, {whole.item, member.value}, items)) return false;
    }
    if (!has_list) items.push_back(whole);
    return items.size() <= mapping.each_max;
}

bool has_list(const Mapping& mapping, const Json& root) {
    if (mapping.each.empty()) return false;
    const auto& paths = mapping.each.front();
    return std::any_of(paths.begin(), paths.end(),
                       [&](const std::string& path) { return (path == "." ? root : root.path(path)).is_array(); });
}

/// The events in a request: all elements of the lists that a mapping takes apart, else the request itself.
Result<std::vector<Item>> items_of(const std::vector<const Mapping*>& mappings, const Json& root) {
    std::vector<Item> items;
    for (const auto* mapping : mappings) {
        if (!has_list(*mapping, root)) continue;
        if (take_apart(*mapping, 0, {root, root}, items)) return items;
        return Error{Error::Kind::Invalid,
                     "there are more than " + std::to_string(mapping->each_max) + " events in the body"};
    }
    items.push_back({root, root});
    return items;
}

bool splits_lists(const std::vector<const Mapping*>& mappings) {
    return std::any_of(mappings.begin(), mappings.end(), [](const Mapping* mapping) {
        return !mapping->each.empty() && mapping->each.front() == std::vector<std::string>{"."};
    });
}

/// At most so much of each header is kept.
constexpr std::size_t kHeaderBytesMax = 1024;

Headers kept_headers(const std::vector<std::string>& wanted, const Headers& received) {
    Headers kept;
    for (const auto& name : wanted) {
        const auto* value = find_header(received, name);
        const bool is_new = find_header(kept, name) == nullptr;  // two mappings may read the same one
        if (value != nullptr && is_new) kept.push_back({name, value->substr(0, kHeaderBytesMax)});
    }
    return kept;
}

/// What GitHub sends unless told otherwise, and Slack for commands.
bool is_form(const Headers& headers) {
    const auto* type = find_header(headers, "Content-Type");
    return type != nullptr && type->starts_with("application/x-www-form-urlencoded");
}

Error form_instead_of_json() {
    return {Error::Kind::Invalid, "the body is a form: set the sender's content type to application/json"};
}

Result<JsonPtr> parse(const std::string& body) {
    auto document = JsonDocument::parse(body);
    if (!document) return Error{Error::Kind::Invalid, "the body is " + document.error().message};
    const auto root = (*document)->root();
    if (root.is_object() || root.is_array()) return document;
    return Error{Error::Kind::Invalid, "the body is JSON, but neither an object nor a list"};
}

}  // namespace

Normalizer::Normalizer(std::shared_ptr<const MappingSet> mappings) : mappings_(std::move(mappings)) {}

Result<NormalizeOutcome> Normalizer::normalize(const VerifiedRequest& request, const Names& names) const {
    auto document = parse(request.body());
    if (!document) return is_form(request.headers()) ? form_instead_of_json() : document.error();
    const auto& redactor = mappings_->redactor(request.source_type());
    if (redactor.concerns((*document)->text())) {
        document = parse(redactor.without_secrets((*document)->root()));
        if (!document) return document.error();
    }
    const auto root = (*document)->root();
    const auto& mappings = mappings_->serving(request.source_type());
    if (root.is_array() && !splits_lists(mappings))
        return Error{Error::Kind::Invalid, "the body is a list, not an object"};
    const auto items = items_of(mappings, root);
    if (!items) return items.error();

    std::vector<Normalized> events;
    for (const auto& [parent, item] : *items) {
        auto tried = try_all(mappings, {root, parent, item, request.headers(), request.source(), names});
        if (auto* missed = std::get_if<Missed>(&tried)) {
            std::string where = items->size() > 1 ? "event " + std::to_string(events.size() + 1) + ": " : "";
            // The key of one event must not make a duplicate of the others in its batch.
            if (items->size() > 1 && !missed->dedup_key.empty())
                missed->dedup_key = to_hex(sha256(missed->dedup_key + std::string((*document)->text())));
            return NormalizeOutcome(
                Unmapped{std::move(missed->event_class), where + missed->reason, std::string((*document)->text()),
                         std::move(missed->dedup_key),
                         kept_headers(mappings_->headers(request.source_type()), request.headers())});
        }
        events.push_back(std::get<Normalized>(std::move(tried)));
    }
    return NormalizeOutcome(std::move(events));
}

}  // namespace orbridge
