#include "adapters/subscriber/java_pattern.h"

#include <algorithm>

#include "adapters/subscriber/java_characters.h"

namespace orbridge {
namespace {

constexpr int kRepetitionMax = 1000;

bool repeats(char32_t c) { return is_one_of(c, U"*+?{"); }

/// General categories that both engines know and mean the same by. Not C, Cn, Cs: RE2 leaves out what is unassigned.
bool is_category(std::string_view name) {
    static constexpr std::string_view kNames[] = {"L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N", "Nd",
                                                  "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm",
                                                  "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp", "Cc", "Cf", "Co"};
    return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

bool has_case(std::string_view category) { return category == "Lu" || category == "Ll" || category == "Lt"; }

}  // namespace

Result<EventFilter> JavaPattern::translate() {
    while (!at_end())
        if (!step()) return Error{Error::Kind::Invalid, refusal_};
    if (!groups_.empty()) return Error{Error::Kind::Invalid, "a group that is not closed"};
    return EventFilter{shape_, shape_ == EventFilter::Shape::Expression ? re2_ : plain_};
}

char32_t JavaPattern::peek(std::size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : kEnd; }

bool JavaPattern::looking_at(std::u32string_view what) const {
    return std::u32string_view(text_).substr(std::min(at_, text_.size()), what.size()) == what;
}

bool JavaPattern::skip(char32_t c) {
    if (peek() != c) return false;
    ++at_;
    return true;
}

bool JavaPattern::refuse(std::string what) {
    refusal_ = std::move(what);
    return false;
}

bool JavaPattern::step() {
    const auto c = peek();
    if (repeats(c)) return refuse("'" + utf8(c) + "' has nothing to repeat");
    switch (c) {
        case U'(': return open_group();
        case U')': return close_group();
        case U'|': return alternative();
        case U'[': return character_class();
        case U'.': return dot();
        case U'\\': return escape();
        case U'^':
        case U'$': ++at_; return anchor(c);
        default: ++at_; return literal(c);
    }
}

// ---- groups -------------------------------------------------------------------------------------

bool JavaPattern::open_group() {
    struct Refused {
        std::u32string_view begin;
        const char* why;
    };
    static constexpr Refused kRefused[] = {
        {U"(?=", "lookahead (?=…) is not supported"},    {U"(?!", "lookahead (?!…) is not supported"},
        {U"(?<=", "lookbehind (?<=…) is not supported"}, {U"(?<!", "lookbehind (?<!…) is not supported"},
        {U"(?>", "atomic group (?>…) is not supported"}, {U"(?P", "(?P is not Java"},
        {U"(?#", "a comment (?#…) is not Java"},
    };
    for (const auto& [begin, why] : kRefused)
        if (looking_at(begin)) return refuse(why);
    ++at_;
    if (!skip(U'?') || skip(U':')) return begin_group(modes_);
    return skip(U'<') ? group_name() : read_flags();
}

/// Nothing is captured, so a group is a group.
bool JavaPattern::begin_group(const Modes& modes) {
    groups_.push_back(modes_);
    modes_ = modes;
    re2_ += "(?:";
    spoil();
    return true;
}

bool JavaPattern::group_name() {
    std::string name;
    while (is_letter(peek()) || (is_digit(peek()) && !name.empty())) name += static_cast<char>(text_[at_++]);
    if (name.empty() || !skip(U'>')) return refuse("a named group (?<…> whose name is not letters and digits");
    if (!names_.insert(name).second) return refuse("two groups named " + name);
    return begin_group(modes_);
}

/// Behind `(?`: `i)` holds until the end of the enclosing group, `i:` for the group that begins here.
bool JavaPattern::read_flags() {
    auto modes = modes_;
    bool on = true;
    bool any = false;
    for (;; ++at_) {
        const auto c = peek();
        if (c == U'i') {
            modes.fold = on;
        } else if (c == U's') {
            modes.dot_all = on;
        } else if (c == U'm') {
            modes.multi_line = on;
        } else if (c == U'-' && on) {
            on = any = false;
            continue;
        } else {
            break;
        }
        any = true;
    }
    if (is_one_of(peek(), U"xudU")) return refuse("flag (?" + utf8(peek()) + ") is not supported");
    if (any && skip(U':')) return begin_group(modes);
    if (!any || !skip(U')')) return refuse("a group (?… of no known kind");
    modes_ = modes;
    return true;
}

bool JavaPattern::close_group() {
    if (groups_.empty()) return refuse("')' without '('");
    ++at_;
    modes_ = groups_.back();
    groups_.pop_back();
    re2_ += ')';
    return repeat();
}

bool JavaPattern::alternative() {
    ++at_;
    re2_ += '|';
    spoil();
    return true;
}

// ---- what matches one character, or a place -----------------------------------------------------

bool JavaPattern::dot() {
    ++at_;
    const bool rest = peek() == U'*' && shape_ == EventFilter::Shape::Exact && !closed_;
    re2_ += modes_.dot_all ? "(?s:.)" : ".";
    if (!repeat()) return false;
    if (!rest) return spoil();
    shape_ = EventFilter::Shape::Prefix;
    closed_ = true;
    return true;
}

bool JavaPattern::anchor(char32_t which) {
    const bool at_begin = (which == U'^' || which == U'A') && plain_.empty() && !closed_;
    const bool at_end = which == U'$' || which == U'z';
    if (repeats(peek()) || !(at_begin || at_end)) spoil();
    closed_ = closed_ || at_end;
    const bool by_letter = is_letter(which);
    const auto mark = (by_letter ? "\\" : "") + utf8(which);
    re2_ += (modes_.multi_line && !by_letter ? "(?m:" : "(?:") + mark + ')';
    return repeat();
}

void JavaPattern::character(char32_t c) {
    const bool either_case = modes_.fold && is_letter(c);
    re2_ += either_case ? '[' + class_part(c, c, true) + ']' : spelled(c);
    if (either_case || closed_) spoil();
    plain_ += utf8(c);
}

bool JavaPattern::literal(char32_t c) {
    character(c);
    return end_of_literal();
}

bool JavaPattern::end_of_literal() {
    if (repeats(peek())) spoil();
    return repeat();
}

bool JavaPattern::atom(const std::string& re2) {
    re2_ += re2;
    return spoil() && repeat();
}

bool JavaPattern::escape() {
    if (looking_at(U"\\Q")) return quoted();
    if (looking_at(U"\\b{")) return refuse("\\b{…} is not supported");
    const auto letter = peek(1);
    if (is_one_of(letter, U"AzbB")) {
        at_ += 2;
        return anchor(letter);
    }
    if (is_one_of(letter, U"dwsDWS")) {
        at_ += 2;
        return atom('\\' + utf8(letter));
    }
    ++at_;
    if (is_one_of(letter, U"pP")) {
        const auto part = property();
        return part && atom('[' + *part + ']');
    }
    const auto c = escaped_character();
    return c && literal(*c);
}

/// `\Q…\E`, or to the end. A repetition behind it is of the last character.
bool JavaPattern::quoted() {
    at_ += 2;
    const auto begin = at_;
    while (!at_end() && !looking_at(U"\\E")) character(text_[at_++]);
    const bool empty = at_ == begin;
    if (!at_end()) at_ += 2;
    return empty || end_of_literal();
}

/// `p{Lu}`, `PL`: as it stands within a class.
std::optional<std::string> JavaPattern::property() {
    const auto letter = utf8(text_[at_++]);
    const auto name = property_name();
    const auto whole = '\\' + letter + '{' + name + '}';
    if (!is_category(name)) return refuse("property " + whole + " is not supported"), std::nullopt;
    if (!modes_.fold || !has_case(name)) return whole;
    if (letter == "P") return refuse(whole + " under (?i) is not supported"), std::nullopt;
    return "\\p{Lu}\\p{Ll}\\p{Lt}";
}

/// As written; empty if it does not end.
std::string JavaPattern::property_name() {
    if (at_end()) return {};
    if (!skip(U'{')) return utf8(text_[at_++]);
    std::string name;
    while (!at_end() && peek() != U'}') name += utf8(text_[at_++]);
    return skip(U'}') ? name : std::string();
}

// ---- repetition ---------------------------------------------------------------------------------

bool JavaPattern::repeat() {
    const auto c = peek();
    if (!repeats(c)) return true;
    if (c == U'{') return counted() && repeat_suffix();
    ++at_;
    re2_ += utf8(c);
    return repeat_suffix();
}

/// Lazy or greedy makes no difference where the whole name must match.
bool JavaPattern::repeat_suffix() {
    if (peek() == U'+') return refuse("possessive quantifier (…+) is not supported");
    skip(U'?');
    return true;
}

bool JavaPattern::counted() {
    ++at_;
    const auto least = number();
    const bool comma = skip(U',');
    const auto most = comma ? number() : least;
    if (!least || !skip(U'}')) return refuse("'{' that begins no repetition {n}, {n,} or {n,m}");
    if (*least > kRepetitionMax || most.value_or(0) > kRepetitionMax)
        return refuse("repetition over " + std::to_string(kRepetitionMax) + " is not supported");
    if (most && *most < *least) return refuse("repetition {n,m} with m below n");
    re2_ += '{' + std::to_string(*least);
    if (comma) re2_ += ',' + (most ? std::to_string(*most) : std::string());
    re2_ += '}';
    return true;
}

/// Digits; whatever is far too large is as large as it needs to be.
std::optional<int> JavaPattern::number() {
    if (!is_digit(peek())) return std::nullopt;
    int value = 0;
    for (; is_digit(peek()); ++at_) value = std::min(value * 10 + hex_digit(peek()), 1'000'000);
    return value;
}

}  // namespace orbridge
