#include "bridge/settings/pattern.h"

#include <re2/re2.h>

namespace orbridge {
namespace {

constexpr std::int64_t kMemoryBytesMax = 4 << 20;

}  // namespace

Pattern::Pattern(std::shared_ptr<const re2::RE2> compiled) : compiled_(std::move(compiled)) {}

Result<Pattern> Pattern::compile(const std::string& text) {
    re2::RE2::Options options(re2::RE2::Quiet);
    options.set_max_mem(kMemoryBytesMax);
    auto compiled = std::make_shared<const re2::RE2>(text, options);
    if (!compiled->ok()) return Error{Error::Kind::Invalid, compiled->error()};
    return Pattern(std::move(compiled));
}

bool Pattern::matches(std::string_view text) const {
    return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

const std::string& Pattern::text() const { return compiled_->pattern(); }

}  // namespace orbridge
