#include "adapters/subscriber/filter.h"

#include <re2/re2.h>

#include "adapters/subscriber/java_pattern.h"
#include "adapters/subscriber/utf32.h"

namespace orbridge {
namespace {

Error invalid(const std::string& what) { return {Error::Kind::Invalid, "eventFilter: " + what}; }

/// On its own, never glued between anchors: `a)|(b` must not compile.
Status try_to_compile(const std::string& pattern) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kFilterBytesMax);
    const re2::RE2 compiled(pattern, options);
    if (compiled.ok()) return Ok{};
    switch (compiled.error_code()) {
        case re2::RE2::ErrorPatternTooLarge:
            return invalid("the pattern is too large once its repetitions are counted");
        case re2::RE2::ErrorRepeatSize: return invalid("nested repetitions come to more than 1000");
        default: return invalid("not understood: " + compiled.error());
    }
}

}  // namespace

Result<EventFilter> read_event_filter(std::string_view java) {
    auto characters = to_utf32(java);
    if (!characters) return invalid("not valid UTF-8");
    if (characters->size() > kFilterCharactersMax)
        return invalid("longer than " + std::to_string(kFilterCharactersMax) + " characters");
    auto filter = JavaPattern(std::move(*characters)).translate();
    if (!filter) return invalid(filter.error().message);
    if (filter->shape == EventFilter::Shape::Expression) {
        if (const auto status = try_to_compile(filter->text); !status) return status.error();
    }
    return filter;
}

}  // namespace orbridge
