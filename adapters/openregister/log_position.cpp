#include "adapters/openregister/log_position.h"

#include <algorithm>

namespace orbridge::openregister {
namespace {

constexpr std::size_t kFirstStride = 64;

}  // namespace

bool LogPosition::is_new(RowId id) const { return id > floor && !std::binary_search(seen.begin(), seen.end(), id); }

LogPosition advanced(LogPosition position, const std::vector<RowId>& read, std::size_t tail_rows) {
    auto& seen = position.seen;
    std::copy_if(read.begin(), read.end(), std::back_inserter(seen), [&](RowId id) { return id > position.floor; });
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    if (seen.size() <= tail_rows) return position;
    const auto surplus = seen.size() - tail_rows;
    position.floor = seen[surplus - 1];
    position.offset += surplus;
    seen.erase(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(surplus));
    return position;
}

bool is_lost(const LogPosition& position, const std::vector<RowId>& present) {
    if (position.seen.empty()) return position.floor > 0 && !present.empty() && present.back() < position.floor;
    return std::none_of(position.seen.begin(), position.seen.end(),
                        [&](RowId id) { return std::find(present.begin(), present.end(), id) != present.end(); });
}

void OffsetSearch::see(const std::vector<RowId>& page, std::size_t limit) {
    if (page.empty() || page.front() > floor_) {
        left_of(next_);
    } else if (page.back() <= floor_) {
        right_of(next_ + page.size());
        if (page.size() < limit) found_ = next_ + page.size();
    } else {
        const auto first = std::upper_bound(page.begin(), page.end(), floor_);
        found_ = next_ + static_cast<std::size_t>(first - page.begin());
    }
    if (!found_) choose();
}

void OffsetSearch::left_of(std::size_t offset) { high_ = high_ ? std::min(*high_, offset) : offset; }

void OffsetSearch::right_of(std::size_t offset) { low_ = std::max(low_, offset); }

/// Between two bounds the middle; with one side open, ever larger strides.
void OffsetSearch::choose() {
    if (high_ && low_ >= *high_) {
        found_ = *high_;
        return;
    }
    stride_ = stride_ == 0 ? kFirstStride : stride_ * 2;
    if (!high_) {
        next_ = low_ + stride_;
    } else if (low_ == 0) {
        next_ = *high_ > stride_ ? *high_ - stride_ : 0;
    } else {
        next_ = low_ + (*high_ - low_) / 2;
    }
}

}  // namespace orbridge::openregister
