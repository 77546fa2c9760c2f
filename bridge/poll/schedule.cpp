#include "bridge/poll/schedule.h"

#include <algorithm>

namespace orbridge {
namespace {

constexpr int kDoublingsMax = 30;

milliseconds about(milliseconds pause, double random) {
    return std::chrono::duration_cast<milliseconds>(pause * (0.9 + 0.2 * random));
}

}  // namespace

const char* to_text(PushState state) {
    switch (state) {
        case PushState::None: return "none";
        case PushState::Arriving: return "arriving";
        case PushState::Silent: break;
    }
    return "push_silent";
}

PushState push_state(const PollSettings& settings, std::optional<TimePoint> last_push, TimePoint now) {
    if (!last_push) return PushState::None;
    return now - *last_push < settings.push_timeout ? PushState::Arriving : PushState::Silent;
}

milliseconds poll_pause(const PollSettings& settings, std::optional<TimePoint> last_push, TimePoint now,
                        double random) {
    const auto normal = about(settings.interval, random);
    if (push_state(settings, last_push, now) != PushState::Arriving) return normal;
    const auto silent_in = settings.push_timeout - (now - *last_push);
    return std::max(normal, std::min(about(settings.fallback_interval, random), silent_in));
}

std::optional<milliseconds> poll_backoff(const PollSettings& settings, const Trouble& trouble, int failures,
                                         double random) {
    if (trouble.kind == Trouble::Kind::Credentials) return std::nullopt;
    const auto factor = std::int64_t{1} << std::min(failures, kDoublingsMax);
    const auto longest = std::max(settings.backoff_max, settings.interval);
    const auto pause = settings.interval.count() > longest.count() / factor ? longest : settings.interval * factor;
    return std::max(about(pause, random), trouble.at_least);
}

}  // namespace orbridge
