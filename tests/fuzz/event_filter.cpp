/// Whatever a subscriber sends as a filter is refused in words, or is a pattern that RE2 takes and matches with.
#include "adapters/subscriber/filter.h"

#include <re2/re2.h>

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace orbridge;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto split = text.find('\n');
    const auto name = split == std::string_view::npos ? std::string_view("created:a:b") : text.substr(split + 1);
    const auto filter = read_event_filter(text.substr(0, split));
    if (!filter) {
        if (!filter.error().message.starts_with("eventFilter: ")) std::abort();
        return 0;
    }
    if (filter->shape != EventFilter::Shape::Expression) return 0;
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kFilterBytesMax);
    const re2::RE2 compiled(filter->text, options);
    if (!compiled.ok()) std::abort();
    re2::RE2::FullMatch(re2::StringPiece(name.data(), name.size()), compiled);
    return 0;
}
