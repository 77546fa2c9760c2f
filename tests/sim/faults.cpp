#include "tests/sim/faults.h"

#include <utility>

namespace orbridge::sim {

const char* to_text(Strike strike) {
    switch (strike) {
        case Strike::None: return "none";
        case Strike::Before: return "fails before";
        case Strike::After: return "fails after";
        case Strike::CrashBefore: return "crash before";
        case Strike::CrashAfter: return "crash after";
    }
    return "";
}

Strike Faults::strike(std::string_view method) {
    if (left_ > 0 && (method_.empty() || method == method_) && --left_ == 0) {
        reached_ = true;
        return nth_;
    }
    if (next_ != Strike::None) return std::exchange(next_, Strike::None);
    if (trouble_ == 0 || static_cast<int>(random_.bits() % 1'000) >= trouble_) return Strike::None;
    // A claim that nobody heard of is kept for its hold: that would excuse every delay. The n-th call may be one.
    return method != "claim" && random_.bits() % 3 == 0 ? Strike::After : Strike::Before;
}

milliseconds Faults::delay() {
    if (trouble_ == 0 || random_.bits() % 8 != 0) return milliseconds{0};
    return milliseconds{random_.bits() % 400};
}

}  // namespace orbridge::sim
