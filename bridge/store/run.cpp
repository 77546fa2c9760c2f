#include "bridge/store/run.h"

#include "bridge/core/json.h"

namespace orbridge {
namespace {

constexpr std::size_t kMessageBytesMax = 1'000;
constexpr std::int64_t kRowBytes = 120;  // numbers, lengths and its place in the index

void cut(std::string& text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return;
    auto end = bytes_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not within a character
    text.resize(end);
    text += "…";
}

}  // namespace

RunRow shortened(RunRow row, std::size_t params_bytes_max) {
    cut(row.message, kMessageBytesMax);
    if (row.params.size() <= params_bytes_max) return row;
    cut(row.params, params_bytes_max);
    row.params = json_string(row.params);
    return row;
}

std::int64_t bytes_of(const RunRow& row) {
    const auto texts =
        row.target.size() + row.task.size() + row.step.size() + row.who.size() + row.params.size() + row.message.size();
    return kRowBytes + static_cast<std::int64_t>(texts);
}

}  // namespace orbridge
