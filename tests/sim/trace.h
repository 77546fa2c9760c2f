#pragma once

#include <cstdint>
#include <deque>
#include <sstream>
#include <string>
#include <string_view>

#include "tests/sim/virtual_time.h"

namespace orbridge::sim {

/// The last things that happened, written only if wanted, and a fingerprint of all of them, which is equal for
/// equal runs.
class Trace {
public:
    enum class Kind { Off, Tail, Print };

    Trace(const VirtualClock& clock, Kind kind) : clock_(clock), kind_(kind) {}

    template <class... Parts>
    void say(std::string_view what, const Parts&... parts) {
        mix(what);
        mix(static_cast<std::uint64_t>(clock_.elapsed().count()));
        if (kind_ == Kind::Off) return;
        std::ostringstream line;
        line << '[' << clock_.elapsed().count() << " ms] " << what;
        ((line << ' ' << parts), ...);
        add(std::move(line).str());
    }
    void add(std::string line);
    bool wanted() const { return kind_ != Kind::Off; }
    const std::deque<std::string>& lines() const { return lines_; }
    std::uint64_t fingerprint() const { return fingerprint_; }

private:
    void mix(std::uint64_t value) { fingerprint_ = (fingerprint_ ^ value) * 0x100000001b3ULL; }
    void mix(std::string_view text) {
        for (const char c : text) mix(static_cast<std::uint64_t>(static_cast<unsigned char>(c)));
    }

    static constexpr std::size_t kLinesMax = 60;
    const VirtualClock& clock_;
    Kind kind_;
    std::deque<std::string> lines_;
    std::uint64_t fingerprint_ = 0xcbf29ce484222325ULL;
};

}  // namespace orbridge::sim
