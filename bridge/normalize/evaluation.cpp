#include "bridge/normalize/evaluation.h"

#include <algorithm>

#include "bridge/core/canonical_json.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace {

/// Above this a field's digest stands in its place: equal stays equal, and names, subjects and keys stay short.
constexpr std::size_t kFieldBytesMax = 1024;

constexpr std::string_view kNull = "null";

/// Names end up in log lines, headers and terminals: no control characters.
std::string fit_for_names(std::string text) {
    if (text.size() > kFieldBytesMax) return to_hex(sha256(text));
    for (auto& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
    return text;
}

std::optional<std::string> caught(const CompiledPattern& pattern, const std::string& text) {
    re2::StringPiece groups[2];
    if (!pattern->Match(text, 0, text.size(), RE2::UNANCHORED, groups, 2) || groups[1].data() == nullptr)
        return std::nullopt;
    return std::string(groups[1].data(), groups[1].size());
}

/// Text of RFC 3339, or seconds or milliseconds since 1970.
std::optional<TimePoint> as_time(const std::string& text) {
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return from_iso8601(text);
    if (text.size() > 14) return std::nullopt;
    const auto number = std::stoll(text);
    constexpr long long kYear5138InSeconds = 100'000'000'000;
    return TimePoint(milliseconds(number < kYear5138InSeconds ? number * 1000 : number));
}

bool is_empty(const Json& value) {
    if (value.is_string()) return value.raw().size() == 2;
    if (value.is_object() || value.is_array()) return value.empty();
    return !value.present() || value.is_null();
}

void append_part(std::string& joined, const std::string& part, bool is_there) {
    if (!is_there) {
        joined += '-';
        return;
    }
    joined.append(std::to_string(part.size())).append(":").append(part);
}

/// Between two members of an object that was begun.
void write_comma(std::string& out) {
    if (out.back() != '{') out += ',';
}

}  // namespace

Evaluation::Evaluation(const Sight& sight, const Mapping& mapping, const FieldPlaces& fields, std::string event_class,
                       std::vector<std::pair<std::string, std::string>> groups)
    : sight_(sight), mapping_(mapping), fields_(fields) {
    known_.reserve(groups.size() + fields.size() + 1);
    known_.emplace_back("class", std::move(event_class));
    for (auto& group : groups) known_.push_back(std::move(group));
}

std::optional<std::string> Evaluation::field(std::string_view name) {
    for (const auto& [known, text] : known_)
        if (known == name) return text;
    std::optional<std::string> found;
    if (const auto places = fields_.find(name); places != fields_.end()) {
        for (const auto& place : places->second)
            if (found = scalar(place, sight_.item); found && !found->empty()) break;
    }
    if (found && found->empty()) found.reset();
    known_.emplace_back(name, found);
    return found;
}

std::optional<std::string> Evaluation::hole(const Template::Part& part) {
    using How = Template::Part::How;
    if (part.how == How::Literal) return part.text;
    auto text = field(part.text);
    if (!text || part.how == How::Plain) return text;
    if (part.how == How::Lower) return to_lower(*text);
    const auto slug = sight_.names.slug(sight_.source, part.text, *text);
    return slug ? slug : text;
}

std::string Evaluation::fill(const Template& text) {
    std::string filled;
    for (const auto& part : text.parts) {
        auto piece = hole(part);
        const bool literal = part.how == Template::Part::How::Literal;
        filled += literal ? *piece : piece ? fit_for_names(std::move(*piece)) : std::string("-");
    }
    return filled;
}

std::optional<std::string> Evaluation::fill_whole(const Template& text) {
    std::string filled;
    for (const auto& part : text.parts) {
        const auto piece = hole(part);
        if (!piece) return std::nullopt;
        filled += *piece;
    }
    return filled;
}

/// In `filled`, unless it is there already.
std::string_view Evaluation::path_of(const Place& place, std::string& filled) {
    const auto& parts = place.path.parts;
    if (parts.size() == 1 && parts[0].how == Template::Part::How::Literal) return parts[0].text;
    filled = fill_whole(place.path).value_or("");
    return filled;
}

Json Evaluation::find(const Place& place, const Json& base) {
    if (place.from == Place::From::Header) return {};
    auto from = base;
    if (place.from == Place::From::Root) from = sight_.root;
    if (place.from == Place::From::Parent) from = sight_.parent;
    std::string filled;
    const auto path = path_of(place, filled);
    return path == "." ? from : from.path(path);
}

std::optional<std::string> Evaluation::scalar(const Place& place) { return scalar(place, sight_.item); }

std::optional<std::string> Evaluation::scalar(const Place& place, const Json& base) {
    std::optional<std::string> text;
    std::string filled;
    if (place.from != Place::From::Header) {
        text = find(place, base).scalar();
    } else if (const auto* value = find_header(sight_.headers, path_of(place, filled)); value != nullptr) {
        text = *value;
    }
    return text && place.match ? caught(place.match, *text) : text;
}

bool Evaluation::holds(const Condition& condition) {
    using Test = Condition::Test;
    const auto& place = condition.place;
    const bool plain = place.from != Place::From::Header && !place.match;
    switch (condition.test) {
        case Test::Present: return is_there(place);
        case Test::Absent: return !is_there(place);
        case Test::Filled: return plain ? !is_empty(find(place, sight_.item)) : !scalar(place).value_or("").empty();
        case Test::Empty: return plain ? is_empty(find(place, sight_.item)) : scalar(place).value_or("").empty();
        case Test::OneOf: break;
    }
    const auto text = scalar(place);
    return text && std::find(condition.any_of.begin(), condition.any_of.end(), *text) != condition.any_of.end();
}

Json Evaluation::first_object(const std::vector<Place>& places, const Json& base) {
    for (const auto& place : places)
        if (const auto found = find(place, base); found.is_object()) return found;
    return {};
}

bool Evaluation::is_there(const Place& place) {
    if (place.from == Place::From::Header || place.match) return scalar(place).has_value();
    return find(place, sight_.item).present();
}

std::optional<std::string> Evaluation::render(const Value& value) {
    std::string text;
    if (!write(value, sight_.item, text)) return std::nullopt;
    return text;
}

std::optional<std::string> Evaluation::render_watching(const Value& value, Watched& watched) {
    watched_ = &watched;
    auto text = render(value);
    watched_ = nullptr;
    return text;
}

/// `object`: where the first member of the object stands that the key belongs to.
void Evaluation::note_begin(std::size_t object, std::string_view key, std::size_t at) {
    constexpr std::size_t kOfTheWhole = 1;
    if (watched_ != nullptr && object == kOfTheWhole && key == watched_->member) watched_->value = {at, at};
}

void Evaluation::note_end(std::size_t object, std::string_view key, Span value) {
    if (watched_ == nullptr) return;
    auto& seen = watched_->value;
    if (seen.begin == 0) return;
    if (value.begin == seen.begin) seen = value;
    if (object != seen.begin + 1) return;
    watched_->assembled = true;
    if (key == "updated") watched_->updated = value;
}

bool Evaluation::write(const Value& value, const Json& base, std::string& out) {
    return std::visit(Overloaded{[&](const NullValue&) {
                                     out += kNull;
                                     return true;
                                 },
                                 [&](const CopyOf& wanted) { return write_copy(wanted.place, base, out); },
                                 [&](const TextOf& wanted) { return write_text(wanted.text, out); },
                                 [&](const ObjectOf& wanted) { return write_object(wanted, base, out); },
                                 [&](const FirstOf& wanted) { return write_first(wanted, base, out); },
                                 [&](const MembersOf& wanted) { return write_members_of(wanted, base, out); },
                                 [&](const ShapeOf& wanted) { return write_shape(wanted, base, out); }},
                      value.form);
}

bool Evaluation::write_copy(const Place& place, const Json& base, std::string& out) {
    if (place.from == Place::From::Header || place.match) {
        const auto text = scalar(place, base);
        if (text) out += json_string(*text);
        return text.has_value();
    }
    const auto found = find(place, base);
    out += found.raw();
    return found.present();
}

bool Evaluation::write_text(const Template& text, std::string& out) {
    const auto filled = fill_whole(text);
    if (filled) out += json_string(*filled);
    return filled.has_value();
}

bool Evaluation::write_object(const ObjectOf& object, const Json& base, std::string& out) {
    out += '{';
    write_members(object, base, out);
    out += '}';
    return true;
}

bool Evaluation::write_first(const FirstOf& wanted, const Json& base, std::string& out) {
    const auto begin = out.size();
    bool null_will_do = false;
    for (const auto& candidate : wanted.values) {
        if (std::holds_alternative<NullValue>(candidate.form)) null_will_do = true;
        if (write(candidate, base, out) && std::string_view(out).substr(begin) != kNull) return true;
        out.resize(begin);
    }
    if (null_will_do) out += kNull;
    return null_will_do;
}

bool Evaluation::write_shape(const ShapeOf& wanted, const Json& base, std::string& out) {
    const auto object = first_object(wanted.of, base);
    return object.present() && write(mapping_.shapes.find(wanted.shape)->second, object, out);
}

std::string Evaluation::key_text(const Template& key) {
    const bool plain = key.parts.size() == 1 && key.parts[0].how == Template::Part::How::Literal;
    return plain ? key.parts[0].text : fill(key);
}

void Evaluation::write_members(const ObjectOf& object, const Json& base, std::string& out) {
    const auto first = out.size();
    for (const auto& [key, value] : object.members) {
        const auto begin = out.size();
        write_comma(out);
        const auto name = key_text(key);
        out += json_string(name);
        out += ':';
        const auto at = out.size();
        note_begin(first, name, at);
        if (write(value, base, out)) {
            note_end(first, name, {at, out.size()});
        } else {
            out.resize(begin);
        }
    }
}

bool Evaluation::write_members_of(const MembersOf& wanted, const Json& base, std::string& out) {
    const auto object = first_object(wanted.of, base);
    if (!object) return false;
    auto left_out = wanted.without;
    left_out.reserve(left_out.size() + wanted.with.members.size());
    for (const auto& [key, value] : wanted.with.members) left_out.push_back(key_text(key));
    out += '{';
    const auto first = out.size();
    write_members(wanted.with, object, out);
    for (const auto& member : object.members()) {
        if (std::find(left_out.begin(), left_out.end(), member.key) != left_out.end()) continue;
        write_comma(out);
        out += member.raw_key;
        out += ':';
        const auto at = out.size();
        out += member.value.raw();
        note_end(first, member.key, {at, out.size()});
    }
    out += '}';
    return true;
}

std::optional<TimePoint> Evaluation::first_time(const std::vector<Place>& places) {
    for (const auto& place : places) {
        const auto text = scalar(place);
        if (const auto time = text ? as_time(*text) : std::nullopt) return time;
    }
    return std::nullopt;
}

std::string Evaluation::key_of(const std::vector<Value>& values) {
    if (values.empty()) return {};
    std::string joined, part;
    for (const auto& value : values) {
        part.clear();
        append_part(joined, part, write(value, sight_.item, part));
    }
    return to_hex(sha256(joined));
}

std::string Evaluation::canonical_key_of(const std::vector<Value>& values) {
    if (values.empty()) return {};
    std::string joined, part;
    for (const auto& value : values) {
        part.clear();
        append_part(joined, part, write_canonical(value, part));
    }
    return to_hex(sha256(joined));
}

/// What is copied is looked at where it stands; only what is put together is read again.
bool Evaluation::write_canonical(const Value& value, std::string& out) {
    if (std::holds_alternative<TextOf>(value.form)) return write(value, sight_.item, out);
    if (const auto* wanted = std::get_if<MembersOf>(&value.form); wanted != nullptr && wanted->with.members.empty()) {
        const auto object = first_object(wanted->of, sight_.item);
        if (object) out = canonical_without(object, wanted->without);
        return object.present();
    }
    if (!write(value, sight_.item, out)) return false;
    if (const auto document = JsonDocument::parse(out)) out = canonical_json((*document)->root());
    return true;
}

}  // namespace orbridge
