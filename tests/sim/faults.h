#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bridge/core/random.h"
#include "tests/sim/virtual_time.h"

namespace orbridge::sim {

/// Thrown through the bridge to end its process where it stands.
struct Crash {};

/// What becomes of one call of the store.
enum class Strike {
    None,
    Before,       ///< it fails, and nothing was done
    After,        ///< it fails although it was done: the answer got lost
    CrashBefore,  ///< the process ends before anything was done
    CrashAfter,   ///< … or right after
};

const char* to_text(Strike strike);

/// Decides which calls of the store go wrong: some of them by chance while there is trouble, one on demand, or the
/// n-th of a method.
class Faults {
public:
    explicit Faults(Random& random) : random_(random) {}

    /// From now on so many of a thousand calls fail, and some take long.
    void set_trouble(int thousandths) { trouble_ = thousandths; }
    /// The next call meets this.
    void strike_next(Strike strike) { next_ = strike; }
    /// The n-th call of this method (empty: of any), counted from 1, meets this.
    void strike_nth(std::string method, int n, Strike strike) {
        method_ = std::move(method);
        left_ = n;
        nth_ = strike;
        reached_ = false;
    }
    /// The n-th call has been made.
    bool reached() const { return reached_; }
    void calm() {
        trouble_ = left_ = 0;
        next_ = Strike::None;
    }

    Strike strike(std::string_view method);
    /// How long a call takes.
    milliseconds delay();

private:
    Random& random_;
    int trouble_ = 0;
    Strike next_ = Strike::None;
    std::string method_;
    int left_ = 0;
    Strike nth_ = Strike::None;
    bool reached_ = false;
};

}  // namespace orbridge::sim
