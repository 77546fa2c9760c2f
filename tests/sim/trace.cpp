#include "tests/sim/trace.h"

#include <cstdio>
#include <utility>

namespace orbridge::sim {

void Trace::add(std::string line) {
    if (kind_ == Kind::Print) {
        std::puts(line.c_str());
        return;
    }
    if (kind_ == Kind::Off) return;
    lines_.push_back(std::move(line));
    if (lines_.size() > kLinesMax) lines_.pop_front();
}

}  // namespace orbridge::sim
