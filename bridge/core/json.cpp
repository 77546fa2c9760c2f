#include "bridge/core/json.h"

#include <Poco/JSONString.h>
#include <Poco/TextConverter.h>
#include <Poco/UTF8Encoding.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace orbridge {
namespace {

constexpr std::size_t kKeptBytesMax = 64 << 10;

}  // namespace

// Builds the node list. simdjson finds the structure and checks UTF-8 and control characters; the
// scalars, which On-Demand leaves alone, are checked here without turning them into numbers.
class JsonBuilder {
public:
    JsonBuilder(JsonDocument& document, const JsonLimits& limits) : document_(document), limits_(limits) {}

    Status build() {
        auto& text = document_.text_;
        text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
        thread_local simdjson::ondemand::parser kept;  // for its buffers, which are not kept if they are large
        simdjson::ondemand::parser large;
        auto& parser = text.size() <= kKeptBytesMax ? kept : large;
        simdjson::ondemand::document root;
        if (auto code = parser.iterate(text.data(), text.size(), text.capacity()).get(root); code) return fault(code);
        if (auto status = build_root(root); !status) return status;
        const auto rest = text.find_first_not_of(" \t\r\n", document_.nodes_[0].end);
        if (rest != std::string::npos) return fault_at("text after the value", rest);
        return Ok{};
    }

private:
    using Value = simdjson::ondemand::value;

    Status build_root(simdjson::ondemand::document& root) {
        simdjson::ondemand::json_type type{};
        if (auto code = root.type().get(type); code) return fault(code);
        if (type == simdjson::ondemand::json_type::object || type == simdjson::ondemand::json_type::array) {
            Value value;
            if (auto code = root.get_value().get(value); code) return fault(code);
            return add(value, 1, {});
        }
        std::string_view token;
        if (auto code = root.raw_json_token().get(token); code) return fault(code);
        return add_scalar(token, {});
    }

    Status add(Value value, std::size_t depth, std::string_view key) {
        simdjson::ondemand::json_type type{};
        if (auto code = value.type().get(type); code) return fault(code);
        if (type == simdjson::ondemand::json_type::object) return add_object(value, depth, key);
        if (type == simdjson::ondemand::json_type::array) return add_array(value, depth, key);
        return add_scalar(value.raw_json_token(), key);
    }

    Status add_object(Value value, std::size_t depth, std::string_view key) {
        const auto begin = offset(value.raw_json_token());
        const auto self = open(Json::Kind::Object, begin, depth, key);
        if (!self) return self.error();
        simdjson::ondemand::object object;
        if (auto code = value.get_object().get(object); code) return fault(code);
        std::uint32_t last = JsonDocument::kNone;
        for (auto field : object) {
            simdjson::ondemand::raw_json_string name;
            if (auto code = field.key().get(name); code) return fault(code);
            const auto quoted = quoted_key(name.raw());
            if (!quoted) return quoted.error();
            Value child;
            if (auto code = field.value().get(child); code) return fault(code);
            const auto index = static_cast<std::uint32_t>(document_.nodes_.size());
            if (auto status = add(child, depth + 1, *quoted); !status) return status;
            link(*self, last, index);
        }
        return close(*self, last, '}');
    }

    Status add_array(Value value, std::size_t depth, std::string_view key) {
        const auto begin = offset(value.raw_json_token());
        const auto self = open(Json::Kind::Array, begin, depth, key);
        if (!self) return self.error();
        simdjson::ondemand::array array;
        if (auto code = value.get_array().get(array); code) return fault(code);
        std::uint32_t last = JsonDocument::kNone;
        for (auto element : array) {
            Value child;
            if (auto code = element.get(child); code) return fault(code);
            const auto index = static_cast<std::uint32_t>(document_.nodes_.size());
            if (auto status = add(child, depth + 1, {}); !status) return status;
            link(*self, last, index);
        }
        return close(*self, last, ']');
    }

    Status add_scalar(std::string_view token, std::string_view key) {
        while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
        const auto begin = offset(token);
        const auto kind = scalar_kind(token);
        if (!kind) return fault_at("not a JSON value", begin);
        if (auto made = make(*kind, begin, key); !made) return made.error();
        document_.nodes_.back().end = static_cast<std::uint32_t>(begin + token.size());
        return Ok{};
    }

    static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

    static std::optional<Json::Kind> scalar_kind(std::string_view token) {
        if (token == "null") return Json::Kind::Null;
        if (token == "true" || token == "false") return Json::Kind::Bool;
        if (!token.empty() && token.front() == '"')
            return string_end(token) == token.size() ? std::optional(Json::Kind::String) : std::nullopt;
        return is_number(token) ? std::optional(Json::Kind::Number) : std::nullopt;
    }

    /// Length of the quoted string at the beginning, or 0 if an escape in it is wrong. What is not escaped, simdjson
    /// has looked at.
    static std::size_t string_end(std::string_view text) {
        std::size_t from = 1;
        for (auto quote = text.find('"', from); quote != std::string_view::npos;) {
            const auto escape = text.substr(from, quote - from).find('\\');
            if (escape == std::string_view::npos) return quote + 1;
            const auto length = escape_length(text.substr(from + escape));
            if (length == 0) return 0;
            from += escape + length;
            if (from > quote) quote = text.find('"', from);
        }
        return 0;
    }

    /// Of the escape at the beginning; 0 if it is none.
    static std::size_t escape_length(std::string_view text) {
        if (text.size() < 2) return 0;
        if (text[1] != 'u') return std::string_view("\"\\/bfnrt").find(text[1]) == std::string_view::npos ? 0 : 2;
        constexpr std::size_t kLength = 6;
        const auto digits = text.substr(2, kLength - 2);
        const bool whole =
            digits.size() == kLength - 2 &&
            std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
        return whole ? kLength : 0;
    }

    static bool is_number(std::string_view text) {
        std::size_t i = 0;
        const auto digits = [&] {
            const auto from = i;
            while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
            return i - from;
        };
        if (i < text.size() && text[i] == '-') ++i;
        const bool leading_zero = i < text.size() && text[i] == '0';
        const auto whole = digits();
        if (whole == 0 || (leading_zero && whole > 1)) return false;
        if (i < text.size() && text[i] == '.') {
            ++i;
            if (digits() == 0) return false;
        }
        if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
            ++i;
            if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
            if (digits() == 0) return false;
        }
        return i == text.size();
    }

    Result<std::string_view> quoted_key(const char* after_quote) {
        const auto begin = static_cast<std::size_t>(after_quote - 1 - document_.text_.data());
        const auto rest = std::string_view(document_.text_).substr(begin);
        const auto length = string_end(rest);
        if (length == 0) return fault_at("bad escape in a key", begin);
        return rest.substr(0, length);
    }

    Result<std::uint32_t> make(Json::Kind kind, std::size_t begin, std::string_view key) {
        if (document_.nodes_.size() >= limits_.values_max)
            return Error{Error::Kind::Invalid, "more than " + std::to_string(limits_.values_max) + " values"};
        JsonDocument::Node node;
        node.kind = kind;
        node.begin = static_cast<std::uint32_t>(begin);
        if (!key.empty()) {
            node.key_begin = static_cast<std::uint32_t>(offset(key));
            node.key_end = static_cast<std::uint32_t>(node.key_begin + key.size());
        }
        document_.nodes_.push_back(node);
        return static_cast<std::uint32_t>(document_.nodes_.size() - 1);
    }

    Result<std::uint32_t> open(Json::Kind kind, std::size_t begin, std::size_t depth, std::string_view key) {
        if (depth > limits_.depth_max)
            return Error{Error::Kind::Invalid, "nested deeper than " + std::to_string(limits_.depth_max)};
        return make(kind, begin, key);
    }

    void link(std::uint32_t self, std::uint32_t& last, std::uint32_t child) {
        auto& nodes = document_.nodes_;
        (last == JsonDocument::kNone ? nodes[self].first_child : nodes[last].next) = child;
        last = child;
        ++nodes[self].count;
    }

    Status close(std::uint32_t self, std::uint32_t last, char bracket) {
        auto& nodes = document_.nodes_;
        const std::size_t from = last == JsonDocument::kNone ? nodes[self].begin + 1 : nodes[last].end;
        const auto at = document_.text_.find_first_not_of(" \t\r\n", from);
        if (at == std::string::npos || document_.text_[at] != bracket) return fault_at("not closed", from);
        nodes[self].end = static_cast<std::uint32_t>(at + 1);
        return Ok{};
    }

    std::size_t offset(std::string_view inside) const {
        return static_cast<std::size_t>(inside.data() - document_.text_.data());
    }
    static Error fault(simdjson::error_code code) {
        return {Error::Kind::Invalid, std::string("not valid JSON: ") + simdjson::error_message(code)};
    }
    static Error fault_at(const char* what, std::size_t at) {
        return {Error::Kind::Invalid, std::string("not valid JSON: ") + what + " at byte " + std::to_string(at)};
    }

    JsonDocument& document_;
    const JsonLimits& limits_;
};

Result<JsonPtr> JsonDocument::parse(std::string_view text, const JsonLimits& limits) {
    if (text.size() >= kNone) return Error{Error::Kind::Invalid, "too large"};
    auto document = std::make_shared<JsonDocument>();
    document->text_.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    document->text_ = text;
    document->nodes_.reserve(text.size() / 16 + 1);
    if (auto status = JsonBuilder(*document, limits).build(); !status) return status.error();
    return JsonPtr(std::move(document));
}

namespace {

void append_utf8(std::string& out, std::uint32_t point) {
    if (point < 0x80) {
        out += static_cast<char>(point);
    } else if (point < 0x800) {
        out += static_cast<char>(0xc0 | (point >> 6));
        out += static_cast<char>(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        out += static_cast<char>(0xe0 | (point >> 12));
        out += static_cast<char>(0x80 | ((point >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (point & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | (point >> 18));
        out += static_cast<char>(0x80 | ((point >> 12) & 0x3f));
        out += static_cast<char>(0x80 | ((point >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (point & 0x3f));
    }
}

std::uint32_t hex4(std::string_view text, std::size_t at) {
    std::uint32_t value = 0;
    std::from_chars(text.data() + at, text.data() + at + 4, value, 16);
    return value;
}

/// The code unit or pair at `\u` (at = first digit); moves past it. Half a pair becomes U+FFFD.
std::uint32_t unicode_escape(std::string_view text, std::size_t& at) {
    const auto first = hex4(text, at);
    at += 4;
    if (first < 0xd800 || first > 0xdfff) return first;
    const bool pair = first < 0xdc00 && text.substr(at, 2) == "\\u" && at + 6 <= text.size();
    const auto second = pair ? hex4(text, at + 2) : 0;
    if (second < 0xdc00 || second > 0xdfff) return 0xfffd;
    at += 6;
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

std::string unescape(std::string_view quoted) {
    const auto text = quoted.substr(1, quoted.size() - 2);
    if (text.find('\\') == std::string_view::npos) return std::string(text);
    static constexpr std::string_view kLetters = "bfnrt";
    static constexpr std::string_view kControls = "\b\f\n\r\t";
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] != '\\') {
            out += text[i++];
            continue;
        }
        const char letter = text[i + 1];
        i += 2;
        if (letter == 'u') {
            append_utf8(out, unicode_escape(text, i));
        } else if (const auto control = kLetters.find(letter); control != std::string_view::npos) {
            out += kControls[control];
        } else {
            out += letter;
        }
    }
    return out;
}

}  // namespace

Json::Kind Json::kind() const { return present() ? document_->nodes_[node_].kind : Kind::Absent; }

std::string_view Json::raw() const {
    if (!present()) return {};
    const auto& node = document_->nodes_[node_];
    return std::string_view(document_->text_).substr(node.begin, node.end - node.begin);
}

/// What is escaped is longer than what it stands for, so that most are told apart at a glance.
static bool is_key(std::string_view quoted, std::string_view key) {
    const auto plain = quoted.substr(1, quoted.size() - 2);
    if (plain.size() < key.size()) return false;
    if (plain.size() == key.size()) return plain == key && plain.find('\\') == std::string_view::npos;
    const bool other = !key.empty() && plain.front() != '\\' && plain.front() != key.front();
    return !other && plain.find('\\') != std::string_view::npos && unescape(quoted) == key;
}

Json Json::operator[](std::string_view key) const {
    if (!is_object()) return {};
    Json found;
    const auto& nodes = document_->nodes_;
    for (auto at = nodes[node_].first_child; at != JsonDocument::kNone; at = nodes[at].next) {
        const auto& child = nodes[at];
        const auto quoted = std::string_view(document_->text_).substr(child.key_begin, child.key_end - child.key_begin);
        if (is_key(quoted, key)) found = Json(document_, at);
    }
    return found;
}

Json Json::at(std::size_t index) const {
    if (!is_array() || index >= size()) return {};
    auto child = document_->nodes_[node_].first_child;
    for (; index > 0; --index) child = document_->nodes_[child].next;
    return {document_, child};
}

/// One step of a path: a member, or an element by its number.
static Json step_into(const Json& here, std::string_view step) {
    if (!here.is_array()) return here[step];
    std::size_t index = 0;
    const auto parsed = std::from_chars(step.data(), step.data() + step.size(), index);
    const bool number = parsed.ec == std::errc{} && parsed.ptr == step.data() + step.size();
    return number ? here.at(index) : Json();
}

Json Json::path(std::string_view dotted) const {
    Json here = *this;
    if (dotted.find('\\') == std::string_view::npos) {
        for (std::size_t from = 0; here.present();) {
            const auto dot = dotted.find('.', from);
            here = step_into(here, dotted.substr(from, dot - from));
            if (dot == std::string_view::npos) break;
            from = dot + 1;
        }
        return here;
    }
    std::string step;
    for (std::size_t i = 0; i <= dotted.size(); ++i) {
        if (i < dotted.size() && dotted[i] == '\\' && i + 1 < dotted.size()) {
            step += dotted[++i];
        } else if (i < dotted.size() && dotted[i] != '.') {
            step += dotted[i];
        } else {
            here = step_into(here, step);
            step.clear();
        }
    }
    return here;
}

std::optional<std::string> Json::string() const {
    if (!is_string()) return std::nullopt;
    return unescape(raw());
}

std::optional<std::string> Json::scalar() const {
    switch (kind()) {
        case Kind::String: return unescape(raw());
        case Kind::Number:
        case Kind::Bool: return std::string(raw());
        default: return std::nullopt;
    }
}

std::optional<std::int64_t> Json::integer() const {
    if (kind() != Kind::Number) return std::nullopt;
    const auto text = raw();
    std::int64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<double> Json::number() const {
    if (kind() != Kind::Number) return std::nullopt;
    const auto text = raw();
    double value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc{}) return std::nullopt;
    return value;
}

std::optional<bool> Json::boolean() const {
    if (kind() != Kind::Bool) return std::nullopt;
    return raw() == "true";
}

std::size_t Json::size() const { return present() ? document_->nodes_[node_].count : 0; }

std::vector<Json::Member> Json::members() const {
    std::vector<Member> all;
    if (!is_object() && !is_array()) return all;
    const auto& nodes = document_->nodes_;
    all.reserve(nodes[node_].count);
    for (auto at = nodes[node_].first_child; at != JsonDocument::kNone; at = nodes[at].next) {
        const auto& child = nodes[at];
        const auto quoted = std::string_view(document_->text_).substr(child.key_begin, child.key_end - child.key_begin);
        all.push_back({quoted.empty() ? std::string() : unescape(quoted), quoted, Json(document_, at)});
    }
    return all;
}

// ---- writing --------------------------------------------------------------------------------------

namespace {

/// Written in quotes it stays as it is.
bool is_unescaped(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

/// Poco writes broken UTF-8 through (libraries.md §5), so it is mended before.
std::string mended(std::string_view text) {
    const Poco::UTF8Encoding utf8;
    Poco::TextConverter converter(utf8, utf8, '?');
    std::string clean;
    converter.convert(text.data(), static_cast<int>(text.size()), clean);
    return is_utf8(clean) ? clean : std::string("<not text>");
}

}  // namespace

std::string json_string(std::string_view text) {
    if (is_unescaped(text)) return '"' + std::string(text) + '"';
    return Poco::toJSON(is_utf8(text) ? std::string(text) : mended(text));
}

JsonWriter& JsonWriter::open(char opening, char closing) {
    separate();
    text_ += opening;
    closers_ += closing;
    need_comma_ = false;
    return *this;
}

JsonWriter& JsonWriter::end() {
    text_ += closers_.back();
    closers_.pop_back();
    need_comma_ = true;
    return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) { return raw_key(json_string(name)); }

JsonWriter& JsonWriter::raw_key(std::string_view with_quotes) {
    separate();
    text_ += with_quotes;
    text_ += ':';
    need_comma_ = false;
    return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) { return raw(json_string(text)); }

JsonWriter& JsonWriter::value(double number) {
    if (!std::isfinite(number)) return null();
    char buffer[32];
    const auto written = std::to_chars(buffer, buffer + sizeof buffer, number);
    return raw({buffer, static_cast<std::size_t>(written.ptr - buffer)});
}

JsonWriter& JsonWriter::raw(std::string_view json) {
    separate();
    text_ += json;
    need_comma_ = true;
    return *this;
}

void JsonWriter::separate() {
    if (need_comma_) text_ += ',';
    need_comma_ = false;
}

}  // namespace orbridge
