#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "bridge/core/result.h"

namespace re2 {
class RE2;
}

namespace orbridge {

/// A regular expression from outside: RE2, so that no pattern takes more than linear time, with bounded
/// memory and nothing written to standard error. Cheap to copy. Safe from any thread.
class Pattern {
public:
    /// Invalid: the message is RE2's.
    static Result<Pattern> compile(const std::string& text);

    /// Whether all of `text` is described.
    bool matches(std::string_view text) const;
    const std::string& text() const;

private:
    explicit Pattern(std::shared_ptr<const re2::RE2> compiled);
    std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace orbridge
