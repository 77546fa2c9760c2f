#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/subscriber/filter.h"

namespace orbridge {

/// Translates one Java regular expression into RE2 syntax, from left to right. It admits what both engines
/// understand alike, spells every character so that no second reading is possible, and refuses the rest by
/// name. Case folding is written out, as Java's `(?i)` folds ASCII letters only. Part of read_event_filter().
class JavaPattern {
public:
    explicit JavaPattern(std::u32string text) : text_(std::move(text)) {}

    /// Invalid: the construct, in words.
    Result<EventFilter> translate();

private:
    struct Modes {
        bool fold = false;
        bool dot_all = false;
        bool multi_line = false;
    };

    // What comes next. U+FFFFFFFF behind the end.
    char32_t peek(std::size_t ahead = 0) const;
    bool at_end() const { return at_ >= text_.size(); }
    bool looking_at(std::u32string_view what) const;
    bool skip(char32_t c);
    bool refuse(std::string what);

    // Each adds one construct to the translation; false if it was refused.
    bool step();
    bool open_group();
    bool begin_group(const Modes& modes);
    bool group_name();
    bool read_flags();
    bool close_group();
    bool alternative();
    bool dot();
    bool anchor(char32_t which);
    void character(char32_t c);
    bool literal(char32_t c);
    bool end_of_literal();
    bool atom(const std::string& re2);
    bool escape();
    bool quoted();
    bool character_class();
    bool repeat();
    bool repeat_suffix();
    bool counted();
    std::optional<int> number();
    std::optional<std::string> property();
    std::string property_name();

    // Inside a class.
    bool class_item(std::string& items);
    bool class_escape(std::string& items);
    bool class_range(char32_t first, std::string& items);
    std::optional<char32_t> range_end();

    // Behind a backslash: an escape that stands for one character.
    std::optional<char32_t> escaped_character();
    std::optional<char32_t> hexadecimal();
    std::optional<char32_t> hex_digits(std::size_t count);
    std::optional<char32_t> utf16();
    std::optional<char32_t> octal();
    std::optional<char32_t> scalar(char32_t point);

    /// It is no plain name or beginning any more. True, for the convenience of callers.
    bool spoil() {
        shape_ = EventFilter::Shape::Expression;
        return true;
    }

    std::u32string text_;
    std::size_t at_ = 0;
    Modes modes_;
    std::vector<Modes> groups_;  ///< the modes to return to, of each open group
    std::set<std::string> names_;
    std::string re2_;
    std::string refusal_;

    // As long as the pattern is a plain name or a plain beginning:
    EventFilter::Shape shape_ = EventFilter::Shape::Exact;
    std::string plain_;
    bool closed_ = false;  ///< `$` or `.*` has been read
};

}  // namespace orbridge
