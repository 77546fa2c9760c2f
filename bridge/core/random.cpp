#include "bridge/core/random.h"

#include <sys/random.h>

#include <cstdlib>
#include <utility>

namespace orbridge {

std::uint64_t SystemRandom::bits() {
    const std::lock_guard lock(mutex_);
    if (left_ == 0) {
        if (getrandom(drawn_.data(), sizeof drawn_, 0) != sizeof drawn_) std::abort();
        left_ = drawn_.size();
    }
    return std::exchange(drawn_[--left_], 0);
}

}  // namespace orbridge
