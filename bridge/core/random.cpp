#include "bridge/core/random.h"

#include <sys/random.h>

#include <cstdlib>

namespace orbridge {

std::uint64_t SystemRandom::bits() {
    std::uint64_t value = 0;
    // Requests of up to 256 bytes are never cut short once the generator is seeded (getrandom(2)).
    if (getrandom(&value, sizeof value, 0) != sizeof value) std::abort();
    return value;
}

}  // namespace orbridge
